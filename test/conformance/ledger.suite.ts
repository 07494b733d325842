// What every implementation of the Ledger port does.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import type { Ledger, LedgerRow } from "../../src/core/ports/ledger.ts";

export type LedgerUnderTest = { readonly ledger: Ledger; close(): Promise<void> };

let partitionCount = 0;

/** Partitions that no other test of this file uses. */
function freshPartitions(count: number): number[] {
  return Array.from({ length: count }, () => partitionCount++);
}

function rowOf(partition: number, seq: number): LedgerRow {
  return {
    partition,
    seq,
    claim: 1 + Math.floor(seq / 10),
    atMs: 1_790_000_000_000 + seq,
    skuKeys: seq % 3 === 0 ? ["sale/a", "sale/b.1"] : [`sale/${seq % 2 === 0 ? "a" : "c"}`],
    bytes: `[1,"${"x".repeat(seq % 7)}",{"k":"a\\\\b,'{}'"},"ā☃𝄞"]\n`,
  };
}

function rowsOf(partition: number, from: number, to: number): LedgerRow[] {
  return Array.from({ length: to - from + 1 }, (_, index) => rowOf(partition, from + index));
}

function shuffled<T>(items: readonly T[]): T[] {
  const keyed = items.map((item, index) => ({ item, key: (index * 7_919 + 31) % 1_009 }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

export function ledgerSuite(name: string, open: () => Promise<LedgerUnderTest>): void {
  describe(`the ledger on ${name}`, () => {
    let under: LedgerUnderTest;
    let ledger: Ledger;
    beforeAll(async () => {
      under = await open();
      ledger = under.ledger;
    });
    afterAll(async () => {
      await under.close();
    });

    test("rows are read as they were appended, in order, above the seq asked", async () => {
      const [partition = 0] = freshPartitions(1);
      const rows = rowsOf(partition, 1, 25);
      await ledger.append(rows);
      expect(await ledger.read({ partition, afterSeq: 0, limit: 100 })).toEqual(rows);
      expect(await ledger.read({ partition, afterSeq: 7, limit: 5 })).toEqual(rows.slice(7, 12));
      expect(await ledger.read({ partition, afterSeq: 25, limit: 5 })).toEqual([]);
    });

    test("twice, shuffled, overlapping and at once: the same end state", async () => {
      const [partition = 0] = freshPartitions(1);
      const rows = rowsOf(partition, 1, 60);
      await ledger.append(shuffled(rows.slice(0, 20)));
      await ledger.append(rows.slice(0, 20));
      await Promise.all([
        ledger.append(shuffled(rows.slice(10, 50))),
        ledger.append(rows.slice(15, 60)),
        ledger.append(rows.toReversed()),
        ledger.append([...rows.slice(30, 40), ...rows.slice(35, 45)]),
      ]);
      expect(await ledger.read({ partition, afterSeq: 0, limit: 100 })).toEqual(rows);
      expect(await ledger.highest([partition])).toEqual(new Map([[partition, 60]]));
    });

    test("a row that is there stays as it is", async () => {
      const [partition = 0] = freshPartitions(1);
      const row = rowOf(partition, 1);
      await ledger.append([row]);
      await ledger.append([
        { ...row, claim: 99, bytes: "other", skuKeys: [] },
        rowOf(partition, 2),
      ]);
      expect(await ledger.read({ partition, afterSeq: 0, limit: 9 })).toEqual(
        rowsOf(partition, 1, 2),
      );
    });

    test("rows of many partitions go to their places; the highest are known for each", async () => {
      const partitions = freshPartitions(9);
      const rows = partitions.flatMap((partition, index) => rowsOf(partition, 1, index));
      await ledger.append(shuffled(rows));
      const highest = await ledger.highest([...partitions, ...partitions]);
      expect(highest).toEqual(
        new Map(partitions.map((p, index) => [p, index] as const).filter(([, seq]) => seq > 0)),
      );
      for (const [index, partition] of partitions.entries()) {
        const read = await ledger.read({ partition, afterSeq: 0, limit: 100 });
        expect(read).toEqual(rowsOf(partition, 1, index));
      }
    });

    test("with a SKU, only the rows that name it are read", async () => {
      const [partition = 0] = freshPartitions(1);
      const rows = rowsOf(partition, 1, 30);
      await ledger.append(rows);
      for (const skuKey of ["sale/a", "sale/b.1", "sale/c"]) {
        const own = rows.filter((row) => row.skuKeys.includes(skuKey));
        expect(own.length).toBeGreaterThan(0);
        expect(await ledger.read({ partition, afterSeq: 0, limit: 99, skuKey })).toEqual(own);
        const page = await ledger.read({ partition, afterSeq: 9, limit: 2, skuKey });
        expect(page).toEqual(own.filter((row) => row.seq > 9).slice(0, 2));
      }
      expect(await ledger.read({ partition, afterSeq: 0, limit: 9, skuKey: "sale" })).toEqual([]);
    });

    test("no rows, no SKUs, no partitions: nothing breaks", async () => {
      const [partition = 0] = freshPartitions(1);
      await ledger.append([]);
      const row = { ...rowOf(partition, 1), skuKeys: [], bytes: "" };
      await ledger.append([row]);
      expect(await ledger.read({ partition, afterSeq: 0, limit: 1 })).toEqual([row]);
      expect(await ledger.highest([])).toEqual(new Map());
    });

    test("a large batch of large rows is one append", async () => {
      const [partition = 0] = freshPartitions(1);
      const rows = rowsOf(partition, 1, 200).map((row) => ({ ...row, bytes: "y".repeat(20_000) }));
      await ledger.append(rows);
      expect(await ledger.highest([partition])).toEqual(new Map([[partition, 200]]));
    });
  });
}
