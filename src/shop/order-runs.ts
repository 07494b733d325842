// The orders that are being driven in this process, each once: repeats of a checkout join the run
// of the first and hear what it hears. Owns no truth: an order without a run is the sweeper's.
//
//   R1  a run ends when its order has an answer for the shopper, or at its deadline
//   R2  a waiter is let go at its own deadline, by one tick for all; no timer an order

import { type Fault, faultOf } from "../core/errors.ts";
import { CHECKOUT_WAIT_MS, REINQUIRE_MS, REINQUIRE_MS_MAX } from "../core/limits.ts";
import type { Order } from "../core/order/order.ts";
import { advanceOrder, type AdvancePorts, type OrderRun } from "./advance-order.ts";

/** How exactly a waiter's deadline is kept. */
const TICK_MS = 50;

export type LiveRun = OrderRun & {
  /** What stopped it last; null when nothing did. */
  fault: Fault | null;
  /** Settles when the run has ended. */
  done: Promise<void>;
  /** How it ended, when another run was faster; this one still sees to its own steps. */
  learned: Order | null;
  /** Wakes those who wait: at its end, or when that was learned. */
  readonly wakes: Set<() => void>;
};

const NOT_STARTED = Promise.resolve();

type Waiter = { readonly untilMs: number; readonly wake: () => void };

export class OrderRuns {
  readonly #ports: AdvancePorts;
  readonly #runs = new Map<string, LiveRun>();
  readonly #waiters = new Set<Waiter>();
  #endTick: (() => void) | null = null;

  constructor(ports: AdvancePorts) {
    this.#ports = ports;
  }

  get(orderId: string): LiveRun | null {
    return this.#runs.get(orderId) ?? null;
  }

  /** The run of the order, started when there is none. */
  join(order: Order): LiveRun {
    const live = this.#runs.get(order.orderId);
    if (live !== undefined) return live;
    const run: LiveRun = {
      order,
      mustCharge: false,
      fault: null,
      done: NOT_STARTED,
      learned: null,
      wakes: new Set(),
    };
    this.#runs.set(order.orderId, run);
    run.done = this.#run(run);
    return run;
  }

  /** Waits until the run has ended, or someone else learned its end, at most `waitMs`. */
  async wait(run: LiveRun, waitMs: number): Promise<void> {
    if (this.get(run.order.orderId) !== run) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const untilMs = this.#ports.runtime.clock.monotonicMs() + waitMs;
    const waiter = { untilMs, wake: resolve };
    this.#waiters.add(waiter);
    run.wakes.add(resolve);
    this.#endTick ??= this.#ports.runtime.every(TICK_MS, () => this.#tick());
    await promise;
    run.wakes.delete(resolve);
    this.#waiters.delete(waiter);
    if (this.#waiters.size === 0) this.#stopTick();
  }

  /** Tells a run what was learned elsewhere (an event, a sweep). */
  learned(order: Order): void {
    const run = this.#runs.get(order.orderId);
    if (run === undefined || !hasAnswer(order)) return;
    run.learned = order;
    for (const wake of run.wakes) wake();
  }

  /** Settles when no run is under way. */
  async idle(): Promise<void> {
    while (this.#runs.size > 0) {
      await Promise.all([...this.#runs.values()].map((run) => run.done));
    }
  }

  async #run(run: LiveRun): Promise<void> {
    try {
      await this.#drive(run);
    } finally {
      this.#runs.delete(run.order.orderId);
      for (const wake of run.wakes) wake();
    }
  }

  async #drive(run: LiveRun): Promise<void> {
    const { clock } = this.#ports.runtime;
    const ageMs = Math.max(0, clock.wallMs() - run.order.createdAtMs);
    const untilMs = clock.monotonicMs() + Math.max(0, CHECKOUT_WAIT_MS - ageMs);
    for (let pauseMs = REINQUIRE_MS; ; pauseMs = Math.min(pauseMs * 2, REINQUIRE_MS_MAX)) {
      try {
        run.fault = null;
        await advanceOrder(this.#ports, run);
      } catch (cause) {
        const { orderId, status } = run.order;
        run.fault = faultOf(cause, "unknown", `order ${orderId} stopped at ${status}`);
        this.#ports.log.warn({ orderId, status, err: run.fault }, "an order has to wait");
        // Nothing is known to be tied to it yet: its shopper hears so now, and asks again.
        if (status === "created") return;
      }
      if (hasAnswer(run.order) || clock.monotonicMs() + pauseMs > untilMs) return;
      await this.#ports.runtime.pause(pauseMs);
    }
  }

  #tick(): void {
    const nowMs = this.#ports.runtime.clock.monotonicMs();
    for (const waiter of this.#waiters) {
      // In order of arrival, and all wait equally long.
      if (waiter.untilMs > nowMs) break;
      waiter.wake();
    }
  }

  #stopTick(): void {
    this.#endTick?.();
    this.#endTick = null;
  }
}

/** Nothing that happens later changes what its shopper is to be told now. */
function hasAnswer({ status }: Order): boolean {
  return status !== "created" && status !== "awaiting_payment" && status !== "refunding";
}
