// A lane of calls to one server: so many on the wire, so many waiting, and every one of them ends
// within the lane's deadline, whatever the server or fetch does.
//
// L1  A call settles at its deadline at the latest, counted from `run`.
// L2  At most `atOnceMax` calls run; at most `waitingMax` wait; one more is refused at once.
// L3  A call that expired while it waited is never sent.

import { assert } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";

/**
 * Calls that expire within this of one another expire together: else the place that one leaves
 * would go to a call that has a fraction of a millisecond left, and charge for nothing.
 */
const EXPIRY_GRAIN_MS = 5;

export type CallLaneOptions = {
  readonly name: string;
  readonly deadlineMs: number;
  readonly atOnceMax: number;
  readonly waitingMax: number;
};

type Call = {
  readonly expiresAtMs: number;
  /** Null until it is sent. */
  controller: AbortController | null;
  readonly send: () => void;
  readonly expire: () => void;
};

/** Cost: one promise and one abort controller a call, one timer for the whole lane. */
export class CallLane {
  readonly #options: CallLaneOptions;
  /** Oldest first, so also first to expire first: all have the same deadline. */
  readonly #calls = new Set<Call>();
  /** Calls not sent yet; `#nextWaiting` is the first of them. */
  #waiting: Call[] = [];
  #nextWaiting = 0;
  #running = 0;
  #isSweepArmed = false;

  constructor(options: CallLaneOptions) {
    assert(options.atOnceMax > 0 && options.deadlineMs > 0, "a lane lets calls through");
    this.#options = options;
  }

  /**
   * Runs `work` when there is room for it; its signal is aborted at the deadline.
   *
   * Throws  Fault("payment_unavailable") at the deadline, when the lane is full, and for whatever
   *         `work` throws.
   */
  run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { name, deadlineMs, atOnceMax, waitingMax } = this.#options;
    if (this.#calls.size >= atOnceMax + waitingMax) {
      return Promise.reject(new Fault("payment_unavailable", `${name}: ${waitingMax} calls wait`));
    }
    return new Promise<T>((resolve, reject) => {
      const call: Call = {
        expiresAtMs: performance.now() + deadlineMs,
        controller: null,
        send: () => {
          const controller = new AbortController();
          call.controller = controller;
          this.#running += 1;
          work(controller.signal).then(
            (value) => {
              this.#end(call);
              resolve(value);
            },
            (cause: unknown) => {
              this.#end(call);
              reject(faultOfCall(cause, name));
            },
          );
        },
        expire: () => {
          reject(new Fault("payment_unavailable", `${name}: no answer in ${deadlineMs} ms`));
          const { controller } = call;
          this.#end(call);
          controller?.abort();
        },
      };
      this.#calls.add(call);
      this.#armSweep(deadlineMs);
      if (this.#running < atOnceMax) call.send();
      else this.#waiting.push(call);
    });
  }

  /** Ends every call now, as its deadline would. */
  expireAll(): void {
    this.#expire([...this.#calls]);
  }

  /** Once for each call: frees its place and sends the next. */
  #end(call: Call): void {
    if (!this.#calls.delete(call)) return;
    if (call.controller === null) return;
    this.#running -= 1;
    assert(this.#running >= 0, "a call ends once");
    this.#sendNext();
  }

  #sendNext(): void {
    while (this.#nextWaiting < this.#waiting.length) {
      const call = this.#waiting[this.#nextWaiting];
      this.#nextWaiting += 1;
      if (call !== undefined && this.#calls.has(call)) {
        call.send();
        break;
      }
    }
    if (this.#nextWaiting > 1_024 || this.#nextWaiting === this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#nextWaiting);
      this.#nextWaiting = 0;
    }
  }

  #armSweep(delayMs: number): void {
    if (this.#isSweepArmed) return;
    this.#isSweepArmed = true;
    setTimeout(() => {
      this.#isSweepArmed = false;
      this.#sweep();
    }, delayMs).unref();
  }

  #sweep(): void {
    const nowMs = performance.now() + EXPIRY_GRAIN_MS;
    const expired: Call[] = [];
    for (const call of this.#calls) {
      if (call.expiresAtMs > nowMs) {
        this.#armSweep(Math.ceil(call.expiresAtMs - nowMs + EXPIRY_GRAIN_MS));
        break;
      }
      expired.push(call);
    }
    this.#expire(expired);
  }

  #expire(calls: readonly Call[]): void {
    // What waits goes first: a place that is freed below must not go to a call that has expired.
    for (const call of calls) if (call.controller === null) call.expire();
    for (const call of calls) if (this.#calls.has(call)) call.expire();
  }
}

function faultOfCall(cause: unknown, name: string): Fault {
  if (cause instanceof Fault) return cause;
  return new Fault("payment_unavailable", `${name}: the gateway could not be asked`, { cause });
}
