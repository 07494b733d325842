// What every journal does and refuses beside claims and commits: check, release, snapshots, trimming,
// reading, closing.

import { describe, expect, test } from "bun:test";

import { SNAPSHOT_PIECE_BYTES_MAX } from "../../src/core/limits.ts";
import type { Term } from "../../src/core/ports/journal.ts";
import type { JournalHarness } from "./journal.harness.ts";
import { batch, claimed, expectCommitted, journalTestbed, NO_STATE, P } from "./journal.testbed.ts";

export function journalUpkeepSuite(harness: JournalHarness): void {
  describe(`journal upkeep: ${harness.name}`, () => {
    const bed = journalTestbed(harness);

    describe("check and release", () => {
      test("the present term is confirmed with its seq", async () => {
        const term = await bed.prepared(3);
        const check = await bed.journal.check(term);
        expect(check).toMatchObject({ kind: "confirmed", seq: 3 });
      });

      test("a clean hand-off is marked and the next claim clears it", async () => {
        const term = await bed.prepared(1);
        expect(await bed.journal.release(term)).toEqual({ kind: "done" });
        expect((await bed.open.dump())[P]?.released).toBe(1);
        await claimed(bed.journal, { view: 2, owner: "node-2" });
        expect((await bed.open.dump())[P]?.released).toBeNull();
      });

      test("a stale term is fenced", async () => {
        const stale = await bed.prepared(1);
        await claimed(bed.journal, { view: 2, owner: "node-2" });
        const answer = { kind: "fenced", view: 2, claim: 2, owner: "node-2" } as const;
        await bed.refuses(() => bed.journal.check(stale), answer);
        await bed.refuses(() => bed.journal.release(stale), answer);
      });

      test("an unknown partition has no state", async () => {
        const term = { partition: 0, view: 1, owner: "node-1", claim: 1 };
        await bed.refuses(() => bed.journal.check(term), NO_STATE);
        await bed.refuses(() => bed.journal.release(term), NO_STATE);
      });
    });

    describe("snapshot", () => {
      const OLD = { seq: 1, pieces: ["old"] };

      /** So many batches, and a snapshot of the first. */
      async function snapshotted(batches: number): Promise<Term> {
        const term = await bed.prepared(batches);
        await bed.journal.writeSnapshot(term, OLD);
        return term;
      }

      test("is read as it was written, and the next one takes its place", async () => {
        const term = await bed.prepared(3);
        expect(await bed.journal.snapshotOf(P)).toBeNull();
        const first = { seq: 2, pieces: ["one", "two", "three"] };
        expect(await bed.journal.writeSnapshot(term, first)).toEqual({ kind: "done" });
        expect(await bed.journal.snapshotOf(P)).toEqual(first);
        const next = { seq: 3, pieces: ["y".repeat(SNAPSHOT_PIECE_BYTES_MAX), ""] };
        expect(await bed.journal.writeSnapshot(term, next)).toEqual({ kind: "done" });
        expect(await bed.journal.snapshotOf(P)).toEqual(next);
      });

      test("is stored as it is made: commits go between, and a part of it is never read", async () => {
        const term = await snapshotted(2);
        const { journal } = bed;
        async function* pieces() {
          yield "one";
          expect(await journal.commit(batch(term, 3))).toMatchObject({ kind: "committed" });
          yield "two";
          expect(await journal.snapshotOf(P)).toEqual(OLD);
          yield "three";
        }
        const made = { seq: 2, pieces: pieces() };
        expect(await journal.writeSnapshot(term, made)).toEqual({ kind: "done" });
        const stored = { seq: 2, pieces: ["one", "two", "three"] };
        expect(await journal.snapshotOf(P)).toEqual(stored);
      });

      test("one that is fenced on its way leaves the old one, and nothing to the next", async () => {
        const term = await snapshotted(3);
        const { journal } = bed;
        async function* pieces() {
          yield "one";
          yield "two";
          await claimed(journal, { view: 2, owner: "node-2" });
          yield "three";
          yield "four";
        }
        const answer = { kind: "fenced", view: 2, claim: 2, owner: "node-2" } as const;
        expect(await journal.writeSnapshot(term, { seq: 2, pieces: pieces() })).toEqual(answer);
        expect(await journal.snapshotOf(P)).toEqual(OLD);
        const next = { ...term, view: 2, claim: 2, owner: "node-2" };
        const whole = { seq: 2, pieces: ["whole"] };
        expect(await journal.writeSnapshot(next, whole)).toEqual({ kind: "done" });
        expect(await journal.snapshotOf(P)).toEqual(whole);
        expect((await bed.open.dump())[P]?.snapshot).toEqual(whole);
      });

      test("a seq not above the stored one is stale", async () => {
        const term = await bed.prepared(3);
        await bed.journal.writeSnapshot(term, { seq: 2, pieces: ["two"] });
        const answer = { kind: "stale", seq: 2 } as const;
        await bed.refuses(() => bed.journal.writeSnapshot(term, { seq: 2, pieces: ["x"] }), answer);
        await bed.refuses(
          () => bed.journal.writeSnapshot(term, { seq: 1, pieces: ["x", "y"] }),
          answer,
        );
      });

      test("a seq above the fence's is stale", async () => {
        const term = await bed.prepared(3);
        const answer = { kind: "stale", seq: 3 } as const;
        await bed.refuses(() => bed.journal.writeSnapshot(term, { seq: 4, pieces: ["x"] }), answer);
      });

      test("a stale term is fenced and an unknown partition has no state", async () => {
        const stale = await bed.prepared(1);
        await claimed(bed.journal, { view: 2, owner: "node-2" });
        const answer = { kind: "fenced", view: 2, claim: 2, owner: "node-2" } as const;
        await bed.refuses(
          () => bed.journal.writeSnapshot(stale, { seq: 1, pieces: ["x"] }),
          answer,
        );
        const nowhere = { ...stale, partition: 0 };
        await bed.refuses(
          () => bed.journal.writeSnapshot(nowhere, { seq: 1, pieces: ["x"] }),
          NO_STATE,
        );
      });
    });

    describe("trim", () => {
      const cases = [
        { snapshot: 3, ledger: 2, left: [3, 4, 5] },
        { snapshot: 2, ledger: 4, left: [3, 4, 5] },
        { snapshot: 5, ledger: 5, left: [] },
        { snapshot: null, ledger: 5, left: [1, 2, 3, 4, 5] },
        { snapshot: 3, ledger: 0, left: [1, 2, 3, 4, 5] },
      ];
      test.each(cases)("drops up to the lower of snapshot and ledger: %j", async (one) => {
        const term = await bed.prepared(5);
        if (one.snapshot !== null) {
          await bed.journal.writeSnapshot(term, { seq: one.snapshot, pieces: ["x"] });
        }
        expect(await bed.journal.trim(term, one.ledger)).toEqual({ kind: "done" });
        const entries = await bed.journal.read(P, 1, 1_000_000);
        expect(entries.map(({ seq }) => seq)).toEqual(one.left);
        expect(await bed.journal.trim(term, one.ledger)).toEqual({ kind: "done" });
      });

      test("batches go on with the next seq after everything was dropped", async () => {
        const term = await bed.prepared(2);
        await bed.journal.writeSnapshot(term, { seq: 2, pieces: ["x"] });
        await bed.journal.trim(term, 2);
        await expectCommitted(bed.journal, batch(term, 3));
        expect((await bed.journal.read(P, 1, 1_000)).map(({ seq }) => seq)).toEqual([3]);
      });

      test("a ledger ahead of the fence is stale", async () => {
        const term = await bed.prepared(2);
        await bed.journal.writeSnapshot(term, { seq: 2, pieces: ["x"] });
        await bed.refuses(() => bed.journal.trim(term, 3), { kind: "stale", seq: 2 });
      });

      test("a stale term is fenced and an unknown partition has no state", async () => {
        const stale = await bed.prepared(2);
        await bed.journal.writeSnapshot(stale, { seq: 2, pieces: ["x"] });
        await claimed(bed.journal, { view: 2, owner: "node-2" });
        const answer = { kind: "fenced", view: 2, claim: 2, owner: "node-2" } as const;
        await bed.refuses(() => bed.journal.trim(stale, 2), answer);
        await bed.refuses(() => bed.journal.trim({ ...stale, partition: 0 }, 2), NO_STATE);
      });
    });

    describe("read", () => {
      test("begins where asked and stops at the bytes asked, with at least one entry", async () => {
        const term = await bed.prepared();
        for (let seq = 1; seq <= 40; seq++) {
          await expectCommitted(bed.journal, { ...batch(term, seq), bytes: "z".repeat(100) });
        }
        const seqs = async (fromSeq: number, bytesMax: number): Promise<number[]> =>
          (await bed.journal.read(P, fromSeq, bytesMax)).map(({ seq }) => seq);
        expect(await seqs(1, 1)).toEqual([1]);
        expect(await seqs(39, 1_000_000)).toEqual([39, 40]);
        expect(await seqs(41, 1_000_000)).toEqual([]);
        expect(await seqs(11, 350)).toEqual([11, 12, 13]);
        expect(await seqs(1, 1_000_000)).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
        expect((await seqs(1, 2_500)).length).toBe(25);
      });

      test("an unknown partition has nothing to read", async () => {
        expect(await bed.journal.read(0, 1, 1_000)).toEqual([]);
        expect(await bed.journal.snapshotOf(0)).toBeNull();
        expect(await bed.journal.stockOf(0)).toEqual(new Map());
      });
    });

    test("after close every call is store_unavailable", async () => {
      const term = await bed.prepared(1);
      await bed.journal.close();
      const calls: (() => Promise<unknown>)[] = [
        () => bed.journal.timeMs(),
        () => bed.journal.create(0, "generation-1"),
        () => bed.journal.claim({ partition: P, view: 1, owner: "node-1" }),
        () => bed.journal.commit(batch(term, 2)),
        () => bed.journal.check(term),
        () => bed.journal.highestView(1),
        () => bed.journal.read(P, 1, 1),
        () => bed.journal.snapshotOf(P),
        () => bed.journal.writeSnapshot(term, { seq: 1, pieces: ["x"] }),
        () => bed.journal.trim(term, 1),
        () => bed.journal.release(term),
        () => bed.journal.stockOf(P),
      ];
      for (const call of calls) {
        const error = await call().catch((fault: unknown) => fault);
        expect(error).toMatchObject({ name: "Fault", code: "store_unavailable" });
      }
    });

    test("what breaks the port's rules is a bug", async () => {
      const term = await bed.prepared(1);
      const twice = [
        { skuKey: "s/a", delta: 1 },
        { skuKey: "s/a", delta: 1 },
      ];
      const bugs: (() => Promise<unknown>)[] = [
        () => bed.journal.commit(batch(term, 2, twice)),
        () => bed.journal.commit(batch(term, 2, [{ skuKey: "s/a", delta: 0.5 }])),
        () => bed.journal.commit({ ...batch(term, 2), batchId: "" }),
        () => bed.journal.commit(batch(term, 0)),
        () => bed.journal.create(1_024, "generation-1"),
        () => bed.journal.writeSnapshot(term, { seq: 1, pieces: [] }),
        () => bed.journal.claim({ partition: P, view: 1, owner: "" }),
      ];
      const before = await bed.open.dump();
      for (const bug of bugs) {
        const error = await bug().catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ name: "AssertionError" });
      }
      expect(await bed.open.dump()).toEqual(before);
    });
  });
}
