// Write-coalescing: what arrives while one statement runs is the next statement. Load makes the
// batches, and alone a call leaves with the tick it came in. Only behind a statement that several
// shared may the next one wait a few milliseconds (`gatherMs`), for more to share it.
//
// Owns the waiting line and the order of statements. Does not know SQL: `run` is one statement.
//
//   W1  one statement at a time; calls with one key run in the order they came in
//   W2  rows of a statement are sorted by key, so two writers lock rows in the same order
//   W3  a statement refused for one row's data is split until that row is alone; the others go on
//   W4  every promise settles when its statement does; the line is bounded, then `busy`
//   W5  a statement is sent again only after an error that says that it wrote nothing

import { assert } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
import { STATEMENT_RETRIES_MAX } from "../core/limits.ts";

/**
 * What a failed statement tells.
 *
 *   data   refused for what a row says; nothing was written
 *   again  lost against another statement (deadlock, serialization); nothing was written
 *   final  everything else: each caller hears it as it is
 */
export type StatementVerdict = "data" | "again" | "final";

export type CoalescerOptions<Item, Result> = {
  /** For faults' details. */
  readonly name: string;
  /** Rows are sorted by it. */
  readonly keyOf: (item: Item) => string;
  /** False: items with one key go into consecutive statements (two steps of one order). */
  readonly keysMayRepeat: boolean;
  readonly batchMax: number;
  readonly waitingMax: number;
  /** Whoever waited longer than this when a statement ends is refused instead of sent (I9). */
  readonly waitMsMax: number;
  /** Pause behind a statement of several rows when few wait for the next; 0. */
  readonly gatherMs?: number;
  /** One statement; results in the items' order. */
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>;
  readonly verdictOf: (error: unknown) => StatementVerdict;
  /** Tests hold the clock. */
  readonly nowMs?: () => number;
};

/** With so many waiting a statement is worth its price at once. */
const GATHER_ROWS = 64;

type Entry<Item, Result> = {
  readonly item: Item;
  readonly key: string;
  readonly sinceMs: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
};

export class Coalescer<Item, Result> {
  readonly #options: CoalescerOptions<Item, Result>;
  #waiting: Entry<Item, Result>[] = [];
  #running = false;
  readonly #nowMs: () => number;

  constructor(options: CoalescerOptions<Item, Result>) {
    assert(options.batchMax > 0, "a statement holds at least one row");
    assert(options.batchMax <= options.waitingMax, "a full statement fits into the line");
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Items waiting for the next statement. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Throws  Fault busy when the line is full; whatever `run` throws for this item. */
  do(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#options.waitingMax) {
      const detail = `${this.#options.name}: ${this.#waiting.length} calls wait already`;
      return Promise.reject(new Fault("busy", detail));
    }
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const key = this.#options.keyOf(item);
    this.#waiting.push({ item, key, sinceMs: this.#nowMs(), resolve, reject });
    if (!this.#running) {
      this.#running = true;
      setImmediate(() => void this.#drain());
    }
    return promise;
  }

  async #drain(): Promise<void> {
    assert(this.#running, "one drain at a time");
    while (this.#waiting.length > 0) {
      this.#refuseOld();
      const batch = this.#take();
      if (batch.length > 0) await this.#runBatch(batch);
      if (batch.length > 1 && this.#waiting.length < GATHER_ROWS) await this.#gather();
      // Whoever heard an answer asks on in this tick: those calls share the next statement.
      await new Promise<void>((resume) => setImmediate(resume));
    }
    this.#running = false;
  }

  /** A statement costs Postgres and us about as much as fifty of its rows (bench/orders.ts). */
  async #gather(): Promise<void> {
    const { gatherMs = 0 } = this.#options;
    if (gatherMs > 0) await Bun.sleep(gatherMs);
  }

  /** The line is in order of arrival, so the old ones stand at its head. */
  #refuseOld(): void {
    const { name, waitMsMax } = this.#options;
    const oldestMs = this.#nowMs() - waitMsMax;
    const kept = this.#waiting.findIndex((entry) => entry.sinceMs >= oldestMs);
    const old = this.#waiting.splice(0, kept === -1 ? this.#waiting.length : kept);
    if (old.length === 0) return;
    const fault = new Fault("busy", `${name}: not sent within ${waitMsMax} ms`);
    for (const entry of old) entry.reject(fault);
  }

  #take(): Entry<Item, Result>[] {
    const { batchMax, keysMayRepeat } = this.#options;
    if (keysMayRepeat && this.#waiting.length <= batchMax) {
      const all = this.#waiting;
      this.#waiting = [];
      return all.sort(byKey);
    }
    const batch: Entry<Item, Result>[] = [];
    const left: Entry<Item, Result>[] = [];
    const keys = new Set<string>();
    for (const entry of this.#waiting) {
      if (batch.length === batchMax || (!keysMayRepeat && keys.has(entry.key))) {
        left.push(entry);
      } else {
        keys.add(entry.key);
        batch.push(entry);
      }
    }
    this.#waiting = left;
    // Stable: calls with one key keep their order.
    return batch.sort(byKey);
  }

  /** Settles every entry; never throws. */
  async #runBatch(batch: readonly Entry<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#attempt(batch.map((entry) => entry.item));
      assert(results.length === batch.length, "each row of a statement has its answer");
      batch.forEach((entry, index) => entry.resolve(results[index] as Result));
    } catch (error) {
      if (batch.length > 1 && this.#options.verdictOf(error) === "data") {
        const half = batch.length >> 1;
        await this.#runBatch(batch.slice(0, half));
        await this.#runBatch(batch.slice(half));
      } else {
        for (const entry of batch) entry.reject(error);
      }
    }
  }

  async #attempt(items: readonly Item[]): Promise<readonly Result[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#options.run(items);
      } catch (error) {
        if (attempt > STATEMENT_RETRIES_MAX || this.#options.verdictOf(error) !== "again") {
          throw error;
        }
        // Apart from the other writer, which pauses as well.
        await Bun.sleep(attempt * (1 + Math.random() * 4));
      }
    }
  }
}

function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
