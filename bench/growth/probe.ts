// One point of a growth curve, in a process of its own so that memory is this point's alone. Its
// arguments are the dimension and the size; it prints a Probe as JSON.

import { heapStats } from "bun:jsc";

import { assert } from "../../src/core/assert.ts";
import type { SaleSku } from "../../src/core/sale/sale.ts";
import { apply } from "../../src/core/stock/apply.ts";
import type { Configure } from "../../src/core/stock/command.ts";
import { decide, nextLapse } from "../../src/core/stock/decide.ts";
import { emptyBook, type StockBook } from "../../src/core/stock/state.ts";
import { SaleDirectory } from "../../src/shop/directory.ts";
import { seededRandom } from "../stats/random.ts";

const DIMENSIONS = ["skus", "shoppers", "holds"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export type Probe = {
  /** One decision and its event applied, while the state has that size. */
  readonly microsPerHold: number;
  /** Live objects, after a full collection, with the buffers and texts behind them. */
  readonly heapBytes: number;
  /** The process' pages once it is at rest. */
  readonly rssBytes: number;
};

const START_MS = 1_800_000_000_000;
const HOLD_MS = 3_600_000;
const TIMED_HOLDS = 200_000;
/** Timed in slices of which the median counts: a collection in between is not the decision's. */
const SLICES = 20;
const REST_ROUNDS = 3;
const REST_MS = 400;
/** One sale may have so many. */
const SALE_SKUS = 100_000;

const CONFIGURE: Configure = {
  kind: "configure",
  version: 1,
  phase: "live",
  startsAtMs: START_MS - 1,
  endsAtMs: START_MS + 86_400_000,
  holdMs: HOLD_MS,
  payMs: HOLD_MS,
  limit: 2,
  priceMinor: 1_999_900,
  released: 100_000_000,
  group: null,
  groupLimit: 0,
};

/**
 * What a published SKU keeps in a node: its entry in the directory and its state in the book. Each has
 * a text of its own, as after a start: one from the catalogue, the other from a snapshot.
 */
function withSkus(book: StockBook, count: number): void {
  const directory = new SaleDirectory(64);
  for (let from = 0; from < count; from += SALE_SKUS) {
    const saleId = `sale-${from / SALE_SKUS}`;
    const skus: SaleSku[] = [];
    for (let number = from; number < Math.min(count, from + SALE_SKUS); number += 1) {
      skus.push({
        sku: `sku-${number}`,
        title: `The article number ${number}`,
        priceMinor: 1_999_900,
        stock: 100,
        limitPerShopper: 2,
        group: null,
      });
    }
    directory.put({ ...SALE, saleId }, skus);
    for (const { sku } of skus) configure(book, `${saleId}/${sku}`);
  }
  kept.push(directory, book);
}

/** Keeps what is measured alive. */
const kept: unknown[] = [];

const SALE = {
  merchantId: "m",
  title: "A sale",
  currency: "INR",
  timeZone: "UTC",
  startsAtMs: 0,
  endsAtMs: START_MS,
  holdMs: HOLD_MS,
  payMs: HOLD_MS,
  groups: {},
  phase: "live",
  version: 1,
} as const;

function hold(book: StockBook, key: string, shopper: string, nowMs: number): void {
  const { event } = decide(book, key, { kind: "hold", shopper, quantity: 1 }, nowMs);
  if (event !== null) apply(book, key, event);
}

function lapse(book: StockBook, nowMs: number): void {
  for (;;) {
    const due = nextLapse(book, nowMs);
    if (due === null) return;
    apply(book, due.key, due.event);
  }
}

/** Holds of shoppers who come once, then gone again: the size stays what it is. */
function timeHolds(book: StockBook, keys: readonly string[]): number {
  const random = seededRandom(1);
  const micros: number[] = [];
  for (let slice = 0; slice < SLICES; slice += 1) {
    const picked = Array.from({ length: TIMED_HOLDS / SLICES }, (_, index) => ({
      key: keys[Math.floor(random() * keys.length)] as string,
      shopper: `timed-${slice}-${index}`,
    }));
    const startedMs = performance.now();
    for (const { key, shopper } of picked) hold(book, key, shopper, START_MS + 1);
    micros.push(((performance.now() - startedMs) * 1_000) / picked.length);
    for (const { key, shopper } of picked) {
      const { event } = decide(book, key, { kind: "give_back", shopper }, START_MS + 2);
      if (event !== null) apply(book, key, event);
    }
  }
  return micros.sort((a, b) => a - b)[SLICES >> 1] as number;
}

async function probe(dimension: Dimension, size: number): Promise<Probe> {
  const book = emptyBook();
  const one = "one/sku";
  if (dimension === "skus") withSkus(book, size);
  else withOne(book, one);
  if (dimension === "shoppers") {
    // All of them come, hold and lapse: nothing of them may stay.
    for (let shopper = 0; shopper < size; shopper += 1) {
      const nowMs = START_MS + shopper;
      hold(book, one, `shopper-${shopper}`, nowMs);
      if (shopper % 1_000 === 0) lapse(book, nowMs + HOLD_MS);
    }
    lapse(book, START_MS + size + HOLD_MS);
  }
  if (dimension === "holds") {
    for (let shopper = 0; shopper < size; shopper += 1) {
      hold(book, one, `shopper-${String(shopper).padStart(28, "0")}`, START_MS);
    }
  }
  const memory = await memoryAtRest();
  return { microsPerHold: timeHolds(book, [...book.skus.keys()]), ...memory };
}

function withOne(book: StockBook, key: string): void {
  configure(book, key);
  kept.push(book);
}

function configure(book: StockBook, key: string): void {
  const { event } = decide(book, key, CONFIGURE, START_MS);
  assert(event !== null, "a first configure is an event");
  apply(book, key, event);
}

/**
 * What a process that has nothing to do keeps: a server that idles comes to the same pages within ten
 * seconds by itself. heapSize has extraMemorySize in it: a buffer of 100 MB is 100 MB of each.
 */
async function memoryAtRest(): Promise<{ heapBytes: number; rssBytes: number }> {
  for (let round = 0; round < REST_ROUNDS; round += 1) {
    Bun.gc(true);
    // Freed pages go back to the system by a thread of the allocator's.
    await Bun.sleep(REST_MS);
  }
  return { heapBytes: heapStats().heapSize, rssBytes: process.memoryUsage.rss() };
}

if (import.meta.main) {
  const dimension = DIMENSIONS.find((one) => one === process.argv[2]);
  assert(dimension !== undefined, "a dimension of growth");
  console.log(JSON.stringify(await probe(dimension, Number(process.argv[3]))));
  // What was measured must still be there.
  assert(kept.length > 0, "something was kept");
}
