// L1 and L2 of ledger-projection.ts, on the model journal and a ledger in the test's hands.

import { describe, expect, test } from "bun:test";

import { hear, START_MS } from "../../test/support/actors.ts";
import { HandJournal } from "../../test/support/hand-journal.ts";
import { HandRuntime } from "../../test/support/hand-runtime.ts";
import { LogLines } from "../../test/support/http-fakes.ts";
import { MemoryLedger } from "../../test/support/memory-ledger.ts";
import { ModelJournal } from "../../test/support/model-journal.ts";
import { Fault } from "../core/errors.ts";
import type { Term } from "../core/ports/journal.ts";
import type { LedgerRow } from "../core/ports/ledger.ts";
import { LedgerProjection, type LedgerProjectionOptions } from "./ledger-projection.ts";

type Bed = {
  readonly runtime: HandRuntime;
  readonly journal: ModelJournal;
  readonly hand: HandJournal;
  readonly ledger: MemoryLedger;
  readonly log: LogLines;
  readonly projection: LedgerProjection;
  /** A batch in the journal, and its row. */
  readonly commit: (partition: number) => Promise<LedgerRow>;
  /** The same, told to the projection. */
  readonly told: (partition: number) => Promise<LedgerRow>;
  readonly next: () => LedgerProjection;
};

async function projectionBed(
  options: Partial<LedgerProjectionOptions> = {},
  count = 2,
): Promise<Bed> {
  const runtime = new HandRuntime(START_MS);
  const journal = new ModelJournal({ clock: runtime.clock });
  const hand = new HandJournal(journal);
  const ledger = new MemoryLedger();
  const log = new LogLines();
  const terms: Term[] = [];
  const seqs: number[] = [];
  for (let partition = 0; partition < count; partition++) {
    await journal.create(partition, "g");
    await journal.claim({ partition, view: 1, owner: "n" });
    terms.push({ partition, view: 1, owner: "n", claim: 1 });
    seqs.push(0);
  }
  const next = (): LedgerProjection =>
    new LedgerProjection({ ledger, journal: hand.journal, runtime, log, ...options });
  const projection = next();
  const commit = async (partition: number): Promise<LedgerRow> => {
    const seq = ++seqs[partition]!;
    const bytes = `1\t${START_MS + seq}\ns/a\ng\t0\tshopper${seq}`;
    const term = terms[partition]!;
    await journal.commit({ term, seq, batchId: `b${seq}`, bytes, deltas: [] });
    return { partition, seq, claim: 1, atMs: START_MS + seq, skuKeys: ["s/a"], bytes };
  };
  const told = async (partition: number): Promise<LedgerRow> => {
    const row = await commit(partition);
    projection.committed(row);
    return row;
  };
  return { runtime, journal, hand, ledger, log, projection, commit, told, next };
}

const AWAY = new Fault("store_unavailable", "gone");

describe("the ledger projection", () => {
  test("stores every batch in order, many in one call (L2)", async () => {
    const { runtime, ledger, projection, told } = await projectionBed();
    projection.serving(0, 0);
    projection.serving(1, 0);
    await runtime.settle();
    const rows: LedgerRow[] = [];
    for (let i = 0; i < 10; i++) rows.push(await told(i % 2));
    await runtime.settle();
    expect(ledger.all()).toEqual(rows.toSorted(inOrder));
    expect(ledger.appends).toBeLessThan(10);
    expect([projection.lag, projection.backlogBytes, projection.storedCount]).toEqual([0, 0, 10]);
    expect(projection.known(0)).toBe(5);
  });

  test("every partition's cursor is learned, also of those served while others are", async () => {
    const { runtime, ledger, projection, commit } = await projectionBed({}, 4);
    for (let partition = 0; partition < 4; partition++) await commit(partition);
    projection.serving(0, 1);
    await Promise.resolve();
    for (let partition = 1; partition < 4; partition++) projection.serving(partition, 1);
    await runtime.settle();
    expect(ledger.all().map(({ partition, seq }) => [partition, seq])).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
  });

  test("a batch that comes while a step ends is stored without another one", async () => {
    const { runtime, ledger, projection, told } = await projectionBed();
    projection.serving(0, 0);
    await runtime.settle();
    // Told at every microtask of a whole run, once each: no moment may lose it.
    for (let moment = 0; moment < 12; moment++) {
      await told(0);
      for (let i = 0; i < moment; i++) await Promise.resolve();
      await told(0);
      await runtime.settle();
      expect(projection.lag).toBe(0);
    }
    expect(ledger.all().length).toBe(24);
  });

  test("while the ledger is away nothing is lost; back again, it gets all, in order", async () => {
    const { runtime, ledger, projection, told, log } = await projectionBed();
    projection.serving(0, 0);
    await runtime.settle();
    await told(0);
    await runtime.settle();
    ledger.fault = AWAY;
    for (let i = 0; i < 5; i++) await told(0);
    await runtime.advance(10_000);
    expect([ledger.all().length, projection.lag]).toEqual([1, 5]);
    expect(projection.known(0)).toBe(1);
    expect(log.lines.length).toBeWithin(3, 20);
    ledger.fault = null;
    await runtime.advance(2_000);
    expect(ledger.all().map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(projection.backlogBytes).toBe(0);
  });

  test("a reply that was lost stores nothing twice and moves no cursor too far (L1)", async () => {
    const { runtime, ledger, projection, told } = await projectionBed();
    projection.serving(0, 0);
    await runtime.settle();
    ledger.isCut = true;
    await told(0);
    await runtime.settle();
    expect([ledger.all().length, projection.known(0)]).toEqual([1, 0]);
    ledger.isCut = false;
    await told(0);
    await runtime.advance(100);
    expect(ledger.all().map(({ seq }) => seq)).toEqual([1, 2]);
    expect(projection.known(0)).toBe(2);
  });

  test("what does not fit in memory is read back from the journal", async () => {
    const { runtime, hand, ledger, projection, told } = await projectionBed({ queueBytesMax: 100 });
    projection.serving(0, 0);
    await runtime.settle();
    ledger.fault = AWAY;
    const rows: LedgerRow[] = [];
    for (let i = 0; i < 20; i++) rows.push(await told(0));
    await runtime.advance(100);
    ledger.fault = null;
    await runtime.advance(5_000);
    expect(ledger.all()).toEqual(rows);
    expect(hand.count("read")).toBeGreaterThan(0);
    expect([projection.lag, projection.backlogBytes]).toEqual([0, 0]);
  });

  test("after a restart it goes on from the ledger's cursor", async () => {
    const bed = await projectionBed();
    bed.projection.serving(0, 0);
    await bed.runtime.settle();
    await bed.told(0);
    await bed.runtime.settle();
    await bed.commit(0);
    await bed.commit(0);
    const next = bed.next();
    next.serving(0, 3);
    await bed.runtime.settle();
    expect(bed.ledger.all().map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(bed.ledger.stored).toBe(3);
    next.committed(await bed.commit(0));
    await bed.runtime.settle();
    expect(bed.ledger.all().length).toBe(4);
  });

  test("dropped and served again, in the middle of a call", async () => {
    const { runtime, ledger, projection, told, commit } = await projectionBed();
    projection.serving(0, 0);
    await runtime.settle();
    ledger.hold();
    await told(0);
    await told(0);
    await runtime.settle();
    projection.dropped(0);
    expect([projection.lag, projection.backlogBytes]).toEqual([0, 0]);
    await commit(0);
    projection.serving(0, 3);
    ledger.release();
    await runtime.settle();
    projection.committed(await commit(0));
    await runtime.settle();
    expect(ledger.all().map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect([projection.lag, projection.known(0)]).toEqual([0, 4]);
  });

  test("a batch of a partition that is not served here is not counted", async () => {
    const { runtime, ledger, projection, told } = await projectionBed();
    await told(0);
    await runtime.settle();
    expect([ledger.all().length, projection.backlogBytes]).toEqual([0, 0]);
  });
});

describe("the bound of what the ledger lacks", () => {
  test("full at its bytes, free again once they are stored or no longer ours", async () => {
    const { runtime, ledger, projection, told } = await projectionBed({ backlogBytesMax: 100 });
    projection.serving(0, 0);
    projection.serving(1, 0);
    await runtime.settle();
    ledger.fault = AWAY;
    await told(0);
    await told(1);
    await told(0);
    expect(projection.isFull()).toBe(false);
    await told(1);
    expect(projection.isFull()).toBe(true);
    expect(projection.backlogBytes).toBeGreaterThanOrEqual(100);
    // A partition that another owner took is that owner's backlog: it must not fill ours for good.
    projection.dropped(1);
    expect(projection.isFull()).toBe(false);
    ledger.fault = null;
    await runtime.advance(5_000);
    expect(projection.backlogBytes).toBe(0);
  });

  test("what an earlier life left behind is not taken off what this one counted", async () => {
    const { runtime, ledger, projection, told, commit } = await projectionBed();
    for (let i = 0; i < 3; i++) await commit(0);
    ledger.fault = AWAY;
    projection.serving(0, 3);
    projection.serving(1, 0);
    const row = await told(1);
    await runtime.settle();
    ledger.fault = null;
    ledger.hold();
    await runtime.advance(3_000);
    expect(projection.backlogBytes).toBe(row.bytes.length);
    ledger.release();
    await runtime.settle();
    expect([projection.backlogBytes, projection.lag]).toEqual([0, 0]);
  });

  test("what a partition had counted before its memory was dropped still counts", async () => {
    const { runtime, ledger, projection, told } = await projectionBed();
    projection.serving(0, 0);
    await runtime.settle();
    ledger.fault = AWAY;
    await told(0);
    await told(0);
    const bytes = projection.backlogBytes;
    projection.serving(0, 2);
    expect(projection.backlogBytes).toBe(bytes);
    ledger.fault = null;
    await runtime.advance(5_000);
    expect([projection.backlogBytes, ledger.all().length]).toEqual([0, 2]);
  });
});

describe("a journal that lacks what the ledger lacks", () => {
  test("nothing is stored behind the gap, it is said, and the others go on (L2)", async () => {
    const bed = await projectionBed();
    for (let i = 0; i < 4; i++) await bed.commit(0);
    const term = { partition: 0, view: 1, owner: "n", claim: 1 };
    await bed.journal.writeSnapshot(term, { seq: 2, pieces: ["1\t0"] });
    await bed.journal.trim(term, 2);
    bed.projection.serving(0, 4);
    bed.projection.serving(1, 0);
    await bed.told(1);
    await bed.runtime.settle();
    expect(bed.ledger.all().map(({ partition }) => partition)).toEqual([1]);
    expect(bed.projection.known(0)).toBe(0);
    expect(bed.log.lines).toMatchObject([{ level: "error", fields: { partition: 0 } }]);
  });

  test("a batch that cannot be read is such a gap", async () => {
    const bed = await projectionBed();
    const term = { partition: 0, view: 1, owner: "n", claim: 1 };
    await bed.journal.commit({ term, seq: 1, batchId: "x", bytes: "9\t1\ns/a", deltas: [] });
    bed.projection.serving(0, 1);
    bed.projection.serving(1, 0);
    await bed.told(1);
    await bed.runtime.settle();
    expect(bed.ledger.all().map(({ partition }) => partition)).toEqual([1]);
    expect(bed.log.lines.length).toBe(1);
  });
});

describe("stop", () => {
  test("stores what is left first", async () => {
    const { runtime, ledger, projection, told } = await projectionBed();
    projection.serving(0, 0);
    await runtime.settle();
    ledger.hold();
    await told(0);
    await told(0);
    const stopped = hear(projection.stop(5_000).then(() => "stopped"));
    await runtime.settle();
    expect(stopped.isSettled).toBe(false);
    ledger.release();
    await runtime.settle();
    expect(stopped.value).toBe("stopped");
    expect(ledger.all().length).toBe(2);
  });

  test("waits no longer than it was given", async () => {
    const { runtime, ledger, projection, told } = await projectionBed();
    projection.serving(0, 0);
    await runtime.settle();
    ledger.fault = AWAY;
    await told(0);
    const stopped = hear(projection.stop(5_000).then(() => "stopped"));
    await runtime.advance(4_999);
    expect(stopped.isSettled).toBe(false);
    await runtime.advance(1);
    expect(stopped.value).toBe("stopped");
    ledger.fault = null;
    await runtime.advance(60_000);
    expect(ledger.all()).toEqual([]);
  });
});

function inOrder(left: LedgerRow, right: LedgerRow): number {
  return left.partition - right.partition || left.seq - right.seq;
}
