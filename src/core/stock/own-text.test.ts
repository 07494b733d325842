// An id that was cut out of a text keeps the whole text in memory, as long as the id lives.

import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";

import { decodeBook } from "./snapshot.ts";
import type { StockBook } from "./state.ts";

const BOOKS = 30;
const LINES = 4_000;

/** Of a text of its own, as one that came from a store. */
function snapshotOf(lineOf: (index: number) => string): string[] {
  const lines = Array.from({ length: LINES }, (_, index) => lineOf(index));
  return [Buffer.from(["1\t5", ...lines].join("\n")).toString()];
}

function heapMb(): number {
  Bun.gc(true);
  return heapStats().heapSize / 1e6;
}

/** Longer than what JSC copies anyway. */
const ID = `sale/${"x".repeat(40)}`;
const RULES = "1800000000000\t1800000003600";

test.each([
  [
    "an idle SKU",
    (index: number) => `S\t${ID}${index}\t1\tlive\t${RULES}\t300\t600\t2\t10\t100\t0\t`,
    (book: StockBook) => book.skus,
  ],
  [
    "an archived SKU",
    (index: number) => `A\t${ID}${index}\tdigest-of-${index}\t1\tended\t${RULES}\t100\t9\tsale/g`,
    (book: StockBook) => book.archived,
  ],
  ["a group", (index: number) => `G\t${ID}${index}\t1\t3`, (book: StockBook) => book.groups],
])("%s that is left of a snapshot keeps nothing of its text", (_what, lineOf, kindOf) => {
  const textMb = (snapshotOf(lineOf)[0]!.length * BOOKS) / 1e6;
  const kept: unknown[] = [];
  const emptyMb = heapMb();
  for (let count = 0; count < BOOKS; count += 1) {
    const { book } = decodeBook(snapshotOf(lineOf));
    kept.push([...kindOf(book).values()][0]);
  }
  expect(heapMb() - emptyMb).toBeLessThan(textMb / 4);
  expect(kept).not.toContain(undefined);
});
