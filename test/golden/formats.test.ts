// What this build writes and reads, against files that are kept: a changed byte is a new format.
// A node reads N and N − 1, so the files of an older format stay for as long as it is read.

import { expect, test } from "bun:test";
import { join } from "node:path";

import { applyBatch } from "../../src/actors/recovery.ts";
import { FORMAT, FORMAT_OLDEST_READ } from "../../src/core/formats.ts";
import { decodeBatch } from "../../src/core/stock/codec.ts";
import { decodeBook, encodeBook } from "../../src/core/stock/snapshot.ts";
import { emptyBook, type StockBook } from "../../src/core/stock/state.ts";
import { AT_MS, EVENTS, history } from "./history.ts";

const kept = (name: string): Promise<string> => Bun.file(join(import.meta.dir, name)).text();

test("a batch is written byte for byte as the file of this format", async () => {
  expect(history().batch).toBe(await kept(`batch-${FORMAT}.txt`));
});

test("a snapshot is written byte for byte as the file of this format", async () => {
  expect(history().pieces).toEqual([await kept(`snapshot-${FORMAT}.txt`)]);
});

for (let format = FORMAT_OLDEST_READ; format <= FORMAT; format++) {
  test(`format ${format}: a batch is read back event for event`, async () => {
    const { atMs, skuKeys, events } = decodeBatch(await kept(`batch-${format}.txt`));
    expect(atMs).toBe(AT_MS);
    expect(events.map(({ skuIndex, event }) => [skuKeys[skuIndex]!, event] as const)).toEqual([
      ...EVENTS,
    ]);
  });

  test(`format ${format}: a batch's replay and a snapshot give the book`, async () => {
    const replayed = emptyBook();
    expect(applyBatch(replayed, await kept(`batch-${format}.txt`))).toBe(AT_MS);
    const { book, atMs } = decodeBook([await kept(`snapshot-${format}.txt`)]);
    expect(atMs).toBe(AT_MS);
    expect(linesOf(replayed)).toEqual(linesOf(history().book));
    expect(linesOf(book)).toEqual(linesOf(history().book));
    expect(encodeBook(book, atMs)).toEqual(history().pieces);
  });
}

test("a format that is not known yet is refused, not guessed", () => {
  expect(() => decodeBatch(`${FORMAT + 1}\t1\ns/a`)).toThrow("journal_corrupt: format");
  expect(() => decodeBook([`${FORMAT + 1}\t1`])).toThrow("journal_corrupt: format");
  expect(() => decodeBook(["1"])).toThrow("journal_corrupt");
  expect(() => decodeBook(["1\t1\nH\ts"])).toThrow("journal_corrupt");
});

function linesOf(book: StockBook): string[] {
  return encodeBook(book, AT_MS).join("\n").split("\n").sort();
}
