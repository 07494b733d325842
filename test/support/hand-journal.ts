// A journal whose calls a test can hold, fail or cut. The model behind it keeps the truth.

import { Fault } from "../../src/core/errors.ts";
import type { Journal } from "../../src/core/ports/journal.ts";

/**
 *   away      store_unavailable, nothing done
 *   lost      unknown, nothing done
 *   cut       unknown, but it was done
 *   late      done, and answered only after a pause of LATE_MS
 */
export type Mode = "away" | "lost" | "cut" | "late";

export const MODES: readonly Mode[] = ["away", "lost", "cut", "late"];
const LATE_MS = 400;

export type Call = {
  readonly method: keyof Journal;
  readonly given: readonly unknown[];
  /** Does it and answers. */
  release(): Promise<void>;
  /** Does it, and the caller never hears of it. */
  cut(): Promise<void>;
  fail(fault: Error): void;
  answer(result: unknown): void;
};

type Handler = (
  method: keyof Journal,
  number: number,
  work: () => Promise<unknown>,
  given: readonly unknown[],
) => Promise<unknown>;

export class HandJournal {
  /** What partitions get. */
  readonly journal: Journal;
  /** Names of all calls so far, in order. */
  readonly log: (keyof Journal)[] = [];
  /** Calls that are held, in order. */
  readonly held: Call[] = [];
  #holds: ReadonlySet<keyof Journal> = new Set();
  #handler: Handler | null = null;

  constructor(model: Journal) {
    this.journal = new Proxy(model, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...given: unknown[]): Promise<unknown> =>
          this.#call(name as keyof Journal, given, async () => Reflect.apply(value, target, given));
      },
    });
  }

  /** From now on calls of these methods wait in `held`. */
  hold(...methods: (keyof Journal)[]): void {
    this.#holds = new Set(methods);
  }

  /** From now on every call goes through `handler`; null: straight to the model. */
  through(handler: Handler | null): void {
    this.#handler = handler;
  }

  count(method: keyof Journal): number {
    return this.log.filter((name) => name === method).length;
  }

  /** The only held call, taken out. */
  take(): Call {
    const call = this.held.shift();
    if (call === undefined) throw new Error(`nothing is held; calls were ${this.log.join(" ")}`);
    return call;
  }

  #call(
    method: keyof Journal,
    given: readonly unknown[],
    work: () => Promise<unknown>,
  ): Promise<unknown> {
    const number = this.log.push(method);
    if (this.#holds.has(method)) return this.#hold(method, given, work);
    return this.#handler === null ? work() : this.#handler(method, number, work, given);
  }

  #hold(
    method: keyof Journal,
    given: readonly unknown[],
    work: () => Promise<unknown>,
  ): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.held.push({
      method,
      given,
      release: async () => resolve(await work()),
      cut: async () => {
        await work();
        reject(new Fault("unknown", "the connection was cut"));
      },
      fail: reject,
      answer: resolve,
    });
    return promise;
  }
}

/** Does one call the way a mode says. */
export async function inMode(
  mode: Mode,
  work: () => Promise<unknown>,
  pause: (pauseMs: number) => Promise<void>,
): Promise<unknown> {
  switch (mode) {
    case "away":
      throw new Fault("store_unavailable", "not reached");
    case "lost":
      throw new Fault("unknown", "no answer");
    case "cut":
      await work();
      throw new Fault("unknown", "cut behind the effect");
    case "late":
      break;
  }
  const result = await work();
  await pause(LATE_MS);
  return result;
}
