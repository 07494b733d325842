// A lane of calls to one server: so many on the wire, so many waiting, and every one of them ends
// within the lane's deadline, whatever the server or fetch does.
//
// L1  A call settles at its deadline at the latest, counted from `run`.
// L2  At most `atOnceMax` calls run; at most `waitingMax` wait; one more is refused at once.
// L3  A call that expired while it waited is never sent.
// L4  Above `promptMax` a call waits for a place, but not much longer than `PATIENCE_MS`.

import { assert } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";

/**
 * Calls that expire within this of one another expire together: else the place that one leaves
 * would go to a call that has a fraction of a millisecond left, and charge for nothing.
 */
const EXPIRY_GRAIN_MS = 5;

/** Longer than a prompt server takes, so more places are opened for a slow one only. */
const PATIENCE_MS = 10;

export type CallLaneOptions = {
  readonly name: string;
  readonly deadlineMs: number;
  readonly atOnceMax: number;
  /** So many run without a wait; the others up to `atOnceMax` when the server is slow. */
  readonly promptMax?: number;
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
  readonly #promptMax: number;
  /** Oldest first, so also first to expire first: all have the same deadline. */
  readonly #calls = new Set<Call>();
  /** Calls not sent yet; `#nextWaiting` is the first of them. */
  #waiting: Call[] = [];
  #nextWaiting = 0;
  #running = 0;
  #isSweepArmed = false;
  #isPatienceArmed = false;

  constructor(options: CallLaneOptions) {
    assert(options.atOnceMax > 0 && options.deadlineMs > 0, "a lane lets calls through");
    this.#options = options;
    this.#promptMax = Math.min(options.promptMax ?? options.atOnceMax, options.atOnceMax);
    assert(this.#promptMax > 0, "a prompt server is called at once");
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
      if (this.#running < this.#promptMax) call.send();
      else {
        this.#waiting.push(call);
        if (this.#running < atOnceMax) this.#armPatience();
      }
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
    if (this.#running < this.#promptMax) this.#sendNext();
    else if (this.#running < this.#options.atOnceMax) this.#armPatience();
  }

  #armPatience(): void {
    if (this.#isPatienceArmed || this.#nextWaiting === this.#waiting.length) return;
    this.#isPatienceArmed = true;
    setTimeout(() => {
      this.#isPatienceArmed = false;
      this.#sendImpatient();
    }, PATIENCE_MS).unref();
  }

  /** What has waited for long goes now: the server is slow, and has places. */
  #sendImpatient(): void {
    const { atOnceMax, deadlineMs } = this.#options;
    const sinceMs = performance.now() - PATIENCE_MS + EXPIRY_GRAIN_MS;
    while (this.#running < atOnceMax) {
      const call = this.#waiting[this.#nextWaiting];
      if (call === undefined) return;
      if (call.expiresAtMs - deadlineMs > sinceMs) break;
      this.#sendNext();
    }
    if (this.#running < atOnceMax) this.#armPatience();
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
