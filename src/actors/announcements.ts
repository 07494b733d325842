// What other nodes were told about the SKUs of a partition, and what that binds its owner to.
//
// A node that heard "sold out, nothing held" refuses at its edge for EDGE_LEVEL_FRESH_MS without
// asking. Units that come back in that time (returned, added) must not go to those who happen to
// enter elsewhere:
//
//   V1  no unit of a SKU is granted to a new hold within EDGE_BOUND_MS of its last such announcement;
//       whoever asks hears what the edges say
//   V2  no snapshot is taken while V1 keeps units back: a new owner finds in its replay every SKU
//       that may have been announced and has units since
//   V3  a new owner is bound by what the one before may have announced until it lost its claim
//
// Times are the partition's.

import { assert } from "../core/assert.ts";
import { EDGE_BOUND_MS } from "../core/limits.ts";
import type { Decision } from "../core/stock/decide.ts";
import { availableOf, type SkuState, type StockBook } from "../core/stock/state.ts";

const SOLD_OUT: Decision = { outcome: { kind: "sold_out" }, event: null };

export class Announcements {
  readonly #untilMs = new Map<string, number>();
  #nowMs = 0;

  /** Hot path: asked before anything else is. */
  get isEmpty(): boolean {
    return this.#untilMs.size === 0;
  }

  /** Told to every edge in this very turn of the process. */
  announced(sku: SkuState, nowMs: number): void {
    assert(isSoldOut(sku), "only this is announced");
    this.#untilMs.set(sku.key, nowMs + EDGE_BOUND_MS);
  }

  /** V1. Money goes first: a paid order takes what is free whatever was announced. */
  bind(decision: Decision, key: string, nowMs: number): Decision {
    this.#nowMs = nowMs;
    if (decision.event?.kind !== "held") return decision;
    const untilMs = this.#untilMs.get(key);
    return untilMs !== undefined && nowMs < untilMs ? SOLD_OUT : decision;
  }

  /** V2. As of the last decision: rather too long than too short. */
  keepsBack(book: StockBook): boolean {
    for (const [key, untilMs] of this.#untilMs) {
      const sku = book.skus.get(key);
      if (this.#nowMs < untilMs && sku !== undefined && availableOf(sku) > 0) return true;
    }
    return false;
  }

  /** V3. `revived`: SKUs that were sold out in the replay and got units, with the time of it. */
  loaded(book: StockBook, revived: ReadonlyMap<string, number>, nowMs: number): void {
    this.#untilMs.clear();
    this.#nowMs = nowMs;
    for (const [key, atMs] of revived) this.#untilMs.set(key, atMs + EDGE_BOUND_MS);
    for (const sku of book.skus.values()) {
      if (isSoldOut(sku)) this.#untilMs.set(sku.key, nowMs + EDGE_BOUND_MS);
    }
    for (const { key, released, sold } of book.archived.values()) {
      if (released === sold) this.#untilMs.set(key, nowMs + EDGE_BOUND_MS);
    }
    this.forget(nowMs);
  }

  /** Now and then: those that bind no more. */
  forget(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    for (const [key, untilMs] of this.#untilMs) {
      if (untilMs <= nowMs) this.#untilMs.delete(key);
    }
  }
}

/** Nothing free and nothing that may lapse: what an edge may say to anybody. */
export function isSoldOut(sku: SkuState): boolean {
  return availableOf(sku) === 0 && sku.held === 0;
}
