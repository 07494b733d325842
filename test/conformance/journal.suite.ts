// What every journal does and refuses: creation, claims, commits. Each refusal has its own answer
// and writes nothing.

import { describe, expect, test } from "bun:test";

import { type JournalHarness, PARTITIONS } from "./journal.harness.ts";
import { batch, claimed, expectCommitted, journalTestbed, NO_STATE, P } from "./journal.testbed.ts";

const EDGE = PARTITIONS[2];

export function journalSuite(harness: JournalHarness): void {
  describe(`journal: ${harness.name}`, () => {
    const bed = journalTestbed(harness);

    describe("create", () => {
      test("a new partition has a fence with its generation and nothing else", async () => {
        expect(await bed.journal.create(EDGE, "generation-1")).toBe(true);
        expect(await bed.open.dump()).toEqual({
          [EDGE]: {
            view: 0,
            claim: 0,
            owner: "",
            seq: 0,
            batchId: "",
            generation: "generation-1",
            released: null,
            stock: {},
            entries: [],
            snapshot: null,
          },
        });
      });

      test("an existing partition is not made again", async () => {
        await bed.prepared(2);
        await bed.refuses(() => bed.journal.create(P, "generation-2"), false);
      });
    });

    describe("claim", () => {
      test("hands out growing claims with the last batch and the generation", async () => {
        const term = await bed.prepared(2);
        expect(term.claim).toBe(1);
        const second = await bed.journal.claim({ partition: P, view: 2, owner: "node-2" });
        expect(second).toMatchObject({
          kind: "claimed",
          claim: 2,
          seq: 2,
          batchId: "batch-2",
          generation: "generation-1",
        });
      });

      test("the same owner may claim again under its view", async () => {
        await bed.prepared();
        const again = await bed.journal.claim({ partition: P, view: 1, owner: "node-1" });
        expect(again).toMatchObject({ kind: "claimed", claim: 2, seq: 0, batchId: "" });
      });

      test("an unknown partition has no state", async () => {
        await bed.refuses(
          () => bed.journal.claim({ partition: 0, view: 1, owner: "node-1" }),
          NO_STATE,
        );
      });

      test("a lower view is fenced", async () => {
        await bed.prepared(1, 5);
        const answer = { kind: "fenced", view: 5, claim: 1, owner: "node-1" } as const;
        await bed.refuses(
          () => bed.journal.claim({ partition: P, view: 4, owner: "node-1" }),
          answer,
        );
      });

      test("views are compared as numbers: 9 is below 10", async () => {
        await bed.prepared(0, 10);
        const answer = { kind: "fenced", view: 10, claim: 1, owner: "node-1" } as const;
        await bed.refuses(
          () => bed.journal.claim({ partition: P, view: 9, owner: "node-1" }),
          answer,
        );
      });

      test("the same view of another owner is fenced", async () => {
        await bed.prepared(1, 5);
        const answer = { kind: "fenced", view: 5, claim: 1, owner: "node-1" } as const;
        await bed.refuses(
          () => bed.journal.claim({ partition: P, view: 5, owner: "node-2" }),
          answer,
        );
      });

      test("its clock is the one that timeMs tells", async () => {
        await bed.prepared();
        const beforeMs = await bed.journal.timeMs();
        const claim = await bed.journal.claim({ partition: P, view: 1, owner: "node-1" });
        const afterMs = await bed.journal.timeMs();
        if (claim.kind !== "claimed") throw new Error(claim.kind);
        expect(Number.isInteger(claim.nowMs)).toBe(true);
        expect(claim.nowMs).toBeGreaterThanOrEqual(beforeMs);
        expect(claim.nowMs).toBeLessThanOrEqual(afterMs);
      });

      test("highestView looks at all the partitions asked and no others", async () => {
        expect(await bed.journal.highestView(8)).toBe(0);
        await bed.prepared(0, 3);
        await bed.journal.create(0, "generation-1");
        await claimed(bed.journal, { partition: 0, view: 9, owner: "node-1" });
        expect(await bed.journal.highestView(1_024)).toBe(9);
        await claimed(bed.journal, { view: 12, owner: "node-1" });
        expect(await bed.journal.highestView(7)).toBe(9);
        expect(await bed.journal.highestView(8)).toBe(12);
      });
    });

    describe("commit", () => {
      test("appends the batch and moves the stock", async () => {
        const term = await bed.prepared();
        const deltas = [
          { skuKey: "s/a", delta: 100 },
          { skuKey: "s/{b}", delta: 0 },
        ];
        await expectCommitted(bed.journal, batch(term, 1, deltas));
        await expectCommitted(bed.journal, batch(term, 2, [{ skuKey: "s/a", delta: -100 }]));
        expect(await bed.journal.stockOf(P)).toEqual(
          new Map([
            ["s/a", 0],
            ["s/{b}", 0],
          ]),
        );
        expect(await bed.journal.read(P, 1, 1_000)).toEqual([
          { seq: 1, claim: 1, bytes: "bytes 1" },
          { seq: 2, claim: 1, bytes: "bytes 2" },
        ]);
      });

      test("a batch may be as large as batches get, on as many SKUs", async () => {
        const term = await bed.prepared();
        const deltas = Array.from({ length: 4_096 }, (_, n) => ({ skuKey: `s/${n}`, delta: n }));
        const bytes = "x".repeat(512 * 1_024);
        await expectCommitted(bed.journal, { ...batch(term, 1, deltas), bytes });
        const stock = await bed.journal.stockOf(P);
        expect(stock.size).toBe(4_096);
        expect(deltas.every(({ skuKey, delta }) => stock.get(skuKey) === delta)).toBe(true);
        expect((await bed.journal.read(P, 1, 1))[0]?.bytes).toBe(bytes);
      });

      test("bytes come back as they went in", async () => {
        const term = await bed.prepared();
        const bytes = 'a\u0000b\n"é€😀"\r\n';
        await expectCommitted(bed.journal, { ...batch(term, 1), bytes });
        expect((await bed.journal.read(P, 1, 1_000))[0]?.bytes).toBe(bytes);
      });

      test("stock of large counts stays exact", async () => {
        const term = await bed.prepared();
        for (let seq = 1; seq <= 3; seq++) {
          const deltas = [{ skuKey: "s/a", delta: 999_999_999 }];
          await expectCommitted(bed.journal, batch(term, seq, deltas));
        }
        expect((await bed.journal.stockOf(P)).get("s/a")).toBe(2_999_999_997);
      });

      test("an unknown partition has no state", async () => {
        const term = { partition: 0, view: 1, owner: "node-1", claim: 1 };
        await bed.refuses(() => bed.journal.commit(batch(term, 1)), NO_STATE);
      });

      test("a stale claim is fenced, also for the batch that is there", async () => {
        const stale = await bed.prepared(1);
        await claimed(bed.journal, { view: 1, owner: "node-1" });
        const answer = { kind: "fenced", view: 1, claim: 2, owner: "node-1" } as const;
        await bed.refuses(() => bed.journal.commit(batch(stale, 2)), answer);
        await bed.refuses(() => bed.journal.commit(batch(stale, 1)), answer);
      });

      test("the right claim under another view is fenced", async () => {
        const term = await bed.prepared(1, 3);
        const answer = { kind: "fenced", view: 3, claim: 1, owner: "node-1" } as const;
        await bed.refuses(() => bed.journal.commit(batch({ ...term, view: 2 }, 2)), answer);
      });

      test("the same batch again is a duplicate, under a later claim too", async () => {
        const term = await bed.prepared(2);
        const deltas = [{ skuKey: "s/a", delta: 10 }];
        const before = await bed.open.dump();
        const again = await bed.journal.commit(batch(term, 2, deltas));
        expect(again).toMatchObject({ kind: "committed", duplicate: true });
        expect(await bed.open.dump()).toEqual(before);

        const later = await claimed(bed.journal, { view: 1, owner: "node-1" });
        const claimedDump = await bed.open.dump();
        const underLater = await bed.journal.commit(batch(later, 2, deltas));
        expect(underLater).toMatchObject({ kind: "committed", duplicate: true });
        expect(await bed.open.dump()).toEqual(claimedDump);
      });

      test("a gap, an older seq and another batch of the same seq are out of sequence", async () => {
        const term = await bed.prepared(2);
        const answer = { kind: "out_of_sequence", seq: 2 } as const;
        await bed.refuses(() => bed.journal.commit(batch(term, 4)), answer);
        await bed.refuses(() => bed.journal.commit(batch(term, 1)), answer);
        await bed.refuses(
          () => bed.journal.commit({ ...batch(term, 2), batchId: "other" }),
          answer,
        );
      });

      test("below zero names the SKU, and no SKU of the batch moves", async () => {
        const term = await bed.prepared(1);
        const deltas = [
          { skuKey: "s/b", delta: 5 },
          { skuKey: "s/a", delta: -11 },
        ];
        const answer = { kind: "below_zero", skuKey: "s/a", available: 10 } as const;
        await bed.refuses(() => bed.journal.commit(batch(term, 2, deltas)), answer);
      });

      test("below zero in the last slice of a large batch moves nothing", async () => {
        const term = await bed.prepared();
        const deltas = Array.from({ length: 2_500 }, (_, n) => ({
          skuKey: `s/${n}`,
          delta: n === 2_499 ? -1 : 1,
        }));
        const answer = { kind: "below_zero", skuKey: "s/2499", available: 0 } as const;
        await bed.refuses(() => bed.journal.commit(batch(term, 1, deltas)), answer);
      });

      test("an unknown SKU counts as zero", async () => {
        const term = await bed.prepared();
        const answer = { kind: "below_zero", skuKey: "s/new", available: 0 } as const;
        const deltas = [{ skuKey: "s/new", delta: -1 }];
        await bed.refuses(() => bed.journal.commit(batch(term, 1, deltas)), answer);
      });

      test("what is wrong in several ways is refused in the order of the checks", async () => {
        const stale = await bed.prepared(1);
        const term = await claimed(bed.journal, { view: 1, owner: "node-1" });
        const deltas = [{ skuKey: "s/a", delta: -99 }];
        const fenced = { kind: "fenced", view: 1, claim: 2, owner: "node-1" } as const;
        await bed.refuses(() => bed.journal.commit(batch(stale, 7, deltas)), fenced);
        const gap = { kind: "out_of_sequence", seq: 1 } as const;
        await bed.refuses(() => bed.journal.commit(batch(term, 7, deltas)), gap);
      });

      test("of commits made at once a refused one leaves the others alone", async () => {
        const term = await bed.prepared(1);
        await bed.journal.create(0, "generation-1");
        const other = await claimed(bed.journal, { partition: 0, view: 1, owner: "node-1" });
        const results = await Promise.all([
          bed.journal.commit(batch(term, 2, [{ skuKey: "s/a", delta: -11 }])),
          bed.journal.commit(batch(other, 1, [{ skuKey: "t/a", delta: 3 }])),
        ]);
        expect(results.map(({ kind }) => kind)).toEqual(["below_zero", "committed"]);
        expect(await bed.journal.stockOf(0)).toEqual(new Map([["t/a", 3]]));
        expect(await bed.journal.stockOf(P)).toEqual(new Map([["s/a", 10]]));
      });
    });
  });
}
