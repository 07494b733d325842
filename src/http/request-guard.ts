// What every request gets: an end within its deadline (I9), also when its body never comes (Bun's
// idle timeout starts anew with each byte) or a store hangs; a problem when its work throws; a line
// in the counters.
//
//   D1  no timer for a request: the waiters of one deadline are a list in order of arrival, and one
//       sweep looks at its head
//   D2  what the work answers after its deadline is dropped; the work itself goes on to its own end
//   D3  memory is that of the requests under way: a waiter leaves its list when its answer is there

import type { Clock } from "../core/ports/clock.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { HttpMetrics } from "./metrics.ts";
import { plainProblem, problemOfThrown } from "./problem.ts";

/** How far before its deadline a request may be ended at most. */
const SWEEP_MS = 100;

class Waiter {
  next: Waiter | null = null;
  previous: Waiter | null = null;
  resolve: ((response: Response) => void) | null = null;
  readonly list: WaiterList;
  readonly route: number;
  readonly startedMs: number;

  constructor(list: WaiterList, route: number, startedMs: number) {
    this.list = list;
    this.route = route;
    this.startedMs = startedMs;
  }
}

class WaiterList {
  readonly afterMs: number;
  head: Waiter | null = null;
  #tail: Waiter | null = null;

  constructor(afterMs: number) {
    this.afterMs = afterMs;
  }

  push(waiter: Waiter): void {
    waiter.previous = this.#tail;
    if (this.#tail === null) this.head = waiter;
    else this.#tail.next = waiter;
    this.#tail = waiter;
  }

  remove(waiter: Waiter): void {
    if (waiter.previous === null) this.head = waiter.next;
    else waiter.previous.next = waiter.next;
    if (waiter.next === null) this.#tail = waiter.previous;
    else waiter.next.previous = waiter.previous;
    waiter.next = null;
    waiter.previous = null;
  }
}

export class RequestGuard {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #metrics: HttpMetrics;
  readonly #lists: WaiterList[] = [];
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(options: {
    readonly clock: Clock;
    readonly log: Logger;
    readonly metrics: HttpMetrics;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#metrics = options.metrics;
  }

  /** Hot path: counts an answer that was there at once. */
  count(route: number, startedMs: number, response: Response): Response {
    this.#metrics.observe(route, response.status, this.#clock.monotonicMs() - startedMs);
    return response;
  }

  /** Hot path. Returns: the work's answer, a problem when it throws, `deadline` when it is late. */
  watch(
    route: number,
    startedMs: number,
    work: Promise<Response>,
    afterMs: number,
  ): Promise<Response> {
    const waiter = new Waiter(this.#listOf(afterMs), route, startedMs);
    waiter.list.push(waiter);
    if (this.#timer === null) this.#start();
    return new Promise((resolve) => {
      waiter.resolve = resolve;
      work.then(
        (response) => this.#settle(waiter, response),
        (thrown: unknown) => this.#settle(waiter, problemOfThrown(thrown, this.#log)),
      );
    });
  }

  #settle(waiter: Waiter, response: Response): void {
    const { resolve } = waiter;
    if (resolve === null) return;
    waiter.resolve = null;
    waiter.list.remove(waiter);
    resolve(this.count(waiter.route, waiter.startedMs, response));
  }

  #listOf(afterMs: number): WaiterList {
    for (const list of this.#lists) if (list.afterMs === afterMs) return list;
    const list = new WaiterList(afterMs);
    this.#lists.push(list);
    return list;
  }

  /** The sweep runs while there is something to sweep, so an idle process has no timer. */
  #start(): void {
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#timer.unref();
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    let isIdle = true;
    for (const list of this.#lists) {
      while (list.head !== null && list.head.startedMs + list.afterMs - SWEEP_MS <= nowMs) {
        this.#settle(list.head, plainProblem("deadline"));
      }
      if (list.head !== null) isIdle = false;
    }
    if (isIdle && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }
}
