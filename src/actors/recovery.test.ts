// Recovery: claim, snapshot, replay; what a life of the engine leaves to the next one.

import { describe, expect, test } from "bun:test";

import {
  A,
  B,
  batchesOf,
  hear,
  HOLD_MS,
  holdOf,
  type NodeBed,
  nodeBed,
  rulesOf,
  START_MS,
} from "../../test/support/actors.ts";
import { Fault } from "../core/errors.ts";
import { SNAPSHOT_AFTER_BYTES } from "../core/limits.ts";
import type { Journal, Term } from "../core/ports/journal.ts";
import { decodeBook, encodeBook } from "../core/stock/snapshot.ts";
import { recover } from "./recovery.ts";

/** The next life of the engine on the same journal. */
async function restart(bed: NodeBed, owner = "node-1/b", view = 2): Promise<void> {
  bed.node = bed.newNode(owner);
  bed.node.own(0, view);
  await bed.runtime.settle();
}

/** What is in memory, as text; a question first, so that the claim is confirmed. */
async function bookOf(bed: NodeBed): Promise<string[]> {
  await bed.told(holdOf("nobody"), { key: "sale/nothing", partition: 0 });
  const pieces = encodeBook(bed.node.partitions[0]!.freshBook()!, 0);
  return pieces.join("\n").split("\n").sort();
}

async function someHistory(bed: NodeBed): Promise<void> {
  await bed.open({ released: 20 });
  await bed.open({ released: 5, group: "g", groupLimit: 3 }, B);
  await bed.told(holdOf("s1", 2));
  await bed.told(holdOf("s2", 3), B);
  const order = { shopper: "s1", orderId: "ord1" };
  await bed.told({ kind: "pin", ...order, quantity: 2, priceMinor: 100 });
  await bed.told({ kind: "confirm", ...order, quantity: 2 });
  await bed.told({ kind: "give_back", shopper: "s2" }, B);
  await bed.told(holdOf("s3", 1));
  await bed.told({ kind: "pin", shopper: "s3", orderId: "ord3", quantity: 1, priceMinor: 100 });
}

describe("recovery", () => {
  test("replay of the whole journal equals memory", async () => {
    const bed = await nodeBed();
    await someHistory(bed);
    const before = await bookOf(bed);
    await restart(bed);
    expect(await bookOf(bed)).toEqual(before);
    expect(bed.node.partitions[0]!.seq).toBe(9);
    expect(bed.ledger.served.at(-1)).toEqual({ partition: 0, seq: 9 });
  });

  test("stop answers all, takes a snapshot and releases; the next life reads no journal", async () => {
    const bed = await nodeBed();
    await someHistory(bed);
    const before = await bookOf(bed);
    bed.hand.hold("commit");
    const last = bed.ask(holdOf("s9"));
    await bed.runtime.settle();
    const waiting = bed.ask(holdOf("s9", 2));
    const stopped = hear(bed.node.stop().then(() => "stopped"));
    const late = bed.ask(holdOf("s8"));
    await bed.runtime.settle();
    expect(late.error?.message).toStartWith("not_owner: ");
    expect(stopped.isSettled).toBe(false);
    bed.hand.hold();
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect([last.value?.kind, waiting.value?.kind, stopped.value]).toEqual([
      "held",
      "held",
      "stopped",
    ]);
    expect(bed.runtime.tickCount).toBe(0);
    expect(bed.model.dump()[0]).toMatchObject({ seq: 11, snapshot: { seq: 11 }, released: 1 });
    // The feed keeps its cursors: what is not in the ledger yet is stored in its own stop.
    expect(bed.ledger.droppedPartitions).toEqual([]);
    const reads = bed.hand.count("read");
    await restart(bed);
    expect(bed.hand.count("read")).toBe(reads);
    await bed.told({ kind: "give_back", shopper: "s9" });
    expect((await bookOf(bed)).filter((line) => !line.startsWith("S\t"))).toEqual(
      before.filter((line) => !line.startsWith("S\t")),
    );
  });

  test("no lapse commits behind the last snapshot of a partition that is given up", async () => {
    const bed = await nodeBed();
    await bed.open();
    await bed.told(holdOf("s1"));
    bed.hand.hold("writeSnapshot");
    const stopped = hear(bed.node.stop().then(() => "stopped"));
    await bed.runtime.settle();
    await bed.runtime.advance(HOLD_MS + 1_000);
    expect(bed.hand.log.at(-1)).toBe("writeSnapshot");
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(stopped.value).toBe("stopped");
    expect(bed.hand.log.at(-1)).toBe("release");
    expect(batchesOf(bed.model)).toEqual([["configured"], ["held"]]);
  });

  test("a stop while the store is away ends once all have been answered (I9)", async () => {
    const bed = await nodeBed();
    await bed.open();
    bed.hand.through(() => Promise.reject(new Fault("store_unavailable", "gone")));
    const heard = bed.ask(holdOf("s1"));
    await bed.runtime.settle();
    const stopped = hear(bed.node.stop().then(() => "stopped"));
    await bed.runtime.advance(2_000);
    expect([heard.isSettled, stopped.isSettled]).toEqual([false, false]);
    await bed.runtime.advance(1_200);
    expect(heard.error?.message).toStartWith("unknown: ");
    expect(stopped.value).toBe("stopped");
    const calls = bed.hand.log.length;
    await bed.runtime.advance(5_000);
    expect(bed.hand.log.length).toBe(calls);
  });

  test("a partition can be given up and owned again", async () => {
    const bed = await nodeBed();
    await bed.open();
    await bed.told(holdOf("s1", 2));
    await bed.node.disown(0);
    expect(bed.ledger.droppedPartitions).toEqual([0]);
    expect(bed.model.dump()[0]!.released).toBe(1);
    bed.node.own(0, 2);
    await bed.runtime.settle();
    expect(await bed.told(holdOf("s1", 2))).toMatchObject({ kind: "held", isNew: false });
  });
});

/** A partition whose journal is worth a snapshot, which the next turn begins. */
async function bigBook() {
  const bed = await nodeBed();
  const name = "n".repeat(64);
  const refs = Array.from({ length: 48_000 }, (_, i) => ({
    key: `sale-${name.slice(5)}/${name.slice(6)}${i}`,
    partition: 0,
  }));
  for (let from = 0; from < refs.length; from += 8_000) {
    const heard = refs.slice(from, from + 8_000).map((ref) => bed.ask(rulesOf(), ref));
    await bed.runtime.settle();
    expect(heard.every((one) => one.value?.kind === "configured")).toBe(true);
  }
  const bytes = bed.ledger.rows.reduce((sum, row) => sum + row.bytes.length, 0);
  expect(bytes).toBeGreaterThan(SNAPSHOT_AFTER_BYTES);
  return { bed, ref: refs[0]!, skuCount: refs.length };
}

describe("snapshots and trims", () => {
  test("a big journal gets a snapshot in the background, and is cut behind the ledger", async () => {
    const { bed, ref, skuCount } = await bigBook();
    // The text is made in slices with pauses, in which the book goes on.
    await bed.told(holdOf("s1"), ref);
    await bed.told(holdOf("s2"), ref);
    await bed.told({ kind: "give_back", shopper: "s2" }, ref);
    const { seq } = bed.node.partitions[0]!;
    bed.ledger.storedSeq = seq - 4;
    expect(bed.model.dump()[0]!.snapshot).toBeNull();
    await bed.runtime.advance(400);
    const snapshot = bed.model.dump()[0]!.snapshot!;
    expect(snapshot.seq).toBe(seq - 3);
    const { book } = decodeBook(snapshot.pieces);
    expect([book.skus.size, book.holds.size]).toEqual([skuCount, 0]);
    const first = () => bed.model.dump()[0]!.entries[0]!.seq;
    expect(first()).toBe(seq - 3);
    // The ledger goes on, and the journal is cut behind it, never before it, nor the snapshot.
    bed.ledger.storedSeq = seq;
    await bed.runtime.advance(5_100);
    expect(first()).toBe(seq - 2);
    const before = await bookOf(bed);
    await restart(bed);
    expect(await bookOf(bed)).toEqual(before);
  });

  test("a stop waits for the snapshot under way, which makes no more pauses, and takes its own", async () => {
    const { bed, ref } = await bigBook();
    await bed.told(holdOf("s1"), ref);
    await bed.told(holdOf("s2"), ref);
    const stopped = hear(bed.node.stop().then(() => "stopped"));
    await bed.runtime.advance(10);
    expect(stopped.value).toBe("stopped");
    const { seq, snapshot, released } = bed.model.dump()[0]!;
    expect([snapshot?.seq, released]).toEqual([seq, 1]);
    const written = bed.log.lines.filter(({ message }) => message === "snapshot written");
    expect(written.map(({ fields }) => fields["result"])).toEqual(["done", "done"]);
  });

  test("a snapshot is never taken with a batch in flight", async () => {
    const bed = await nodeBed();
    await bed.open();
    bed.hand.hold("commit", "writeSnapshot");
    bed.ask(holdOf("s1"));
    await bed.runtime.settle();
    const stopped = hear(bed.node.stop().then(() => "stopped"));
    await bed.runtime.advance(500);
    expect(bed.hand.held.map((call) => call.method)).toEqual(["commit"]);
    await bed.hand.take().release();
    await bed.runtime.settle();
    const snapshot = bed.hand.take();
    expect(snapshot.given[1]).toMatchObject({ seq: 2 });
    await snapshot.release();
    await bed.runtime.settle();
    expect(bed.model.dump()[0]!.snapshot!.pieces.join()).toContain("\nH\ts1\t");
    expect(stopped.value).toBe("stopped");
  });

  test("a snapshot that cannot be written harms nobody", async () => {
    const bed = await nodeBed();
    await someHistory(bed);
    const before = await bookOf(bed);
    bed.hand.through((method, _, work) =>
      method === "writeSnapshot" ? Promise.reject(new Fault("unknown", "cut")) : work(),
    );
    await bed.node.stop();
    bed.hand.through(null);
    expect(bed.model.dump()[0]!.snapshot).toBeNull();
    await restart(bed);
    expect(await bookOf(bed)).toEqual(before);
  });
});

describe("a journal that lies halts the partition", () => {
  const ok: Term = { partition: 0, view: 2, owner: "x", claim: 9 };

  async function recovered(change: (journal: Journal) => Partial<Journal>): Promise<string> {
    const bed = await nodeBed();
    await someHistory(bed);
    const { model } = bed;
    const journal: Journal = new Proxy(model, {
      get: (target, name) => {
        const changed: unknown = Reflect.get(change(model), name);
        const value: unknown = changed ?? Reflect.get(target, name, target);
        return typeof value === "function" && changed === undefined ? value.bind(target) : value;
      },
    });
    const error: unknown = await recover({ journal, archive: bed.archive }, ok, 9).catch(
      (cause: unknown) => cause,
    );
    if (error instanceof Fault) return error.message;
    throw new Error("it recovered");
  }

  test("an entry is missing", async () => {
    const message = await recovered((journal) => ({
      read: async (...given) => (await journal.read(...given)).filter(({ seq }) => seq !== 4),
    }));
    expect(message).toBe("journal_corrupt: partition 0: expected entry 4, found 5");
  });

  test("the last entries are missing", async () => {
    const message = await recovered((journal) => ({
      read: async (...given) => (await journal.read(...given)).filter(({ seq }) => seq < 8),
    }));
    expect(message).toBe("journal_corrupt: partition 0: entry 8 of 9 is missing");
  });

  test("a snapshot is ahead of the fence", async () => {
    const message = await recovered(() => ({
      snapshotOf: () => Promise.resolve({ seq: 10, pieces: ["1\t0"] }),
    }));
    expect(message).toBe("journal_corrupt: partition 0: the snapshot is at 10, the fence at 9");
  });

  test("an entry contradicts the book", async () => {
    const message = await recovered((journal) => ({
      read: async (...given) =>
        (await journal.read(...given)).map((entry) =>
          entry.seq === 4 ? { ...entry, bytes: `1\t${START_MS}\n${A.key}\ng\t0\tnobody` } : entry,
        ),
    }));
    expect(message).toBe("journal_corrupt: partition 0: an event of a hold that is not there");
  });

  test("an entry is of another format", async () => {
    const message = await recovered((journal) => ({
      read: async (...given) =>
        (await journal.read(...given)).map((entry) => ({ ...entry, bytes: "7\t1\ns/a" })),
    }));
    expect(message).toBe("journal_corrupt: format 7; this build reads 1 to 1");
  });

  test("the stock backup says something else (I1)", async () => {
    const message = await recovered(() => ({
      stockOf: () => Promise.resolve(new Map([[A.key, 18]])),
    }));
    expect(message).toBe(`journal_corrupt: partition 0: ${A.key}: 17 available, backup says 18`);
  });

  test("a SKU has no backup", async () => {
    const message = await recovered((journal) => ({
      stockOf: async (partition) => {
        const stock = new Map(await journal.stockOf(partition));
        stock.delete(B.key);
        return stock;
      },
    }));
    expect(message).toBe(`journal_corrupt: partition 0: ${B.key}: 5 available, backup says 0`);
  });

  test("a trim between the two reads is no lie: it is read once more", async () => {
    const bed = await nodeBed();
    await someHistory(bed);
    await bed.node.stop();
    const snapshots = [null, await bed.model.snapshotOf(0)];
    const journal: Journal = new Proxy(bed.model, {
      get: (target, name) => {
        if (name === "snapshotOf") return () => Promise.resolve(snapshots.shift());
        if (name === "read") return () => Promise.resolve([]);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    expect((await recover({ journal, archive: bed.archive }, ok, 9)).snapshotSeq).toBe(9);
  });

  test("the node halts the partition and goes on with the others", async () => {
    const bed = await nodeBed({ count: 2 });
    await someHistory(bed);
    const { entries } = bed.model.dump()[0]!;
    bed.node = bed.newNode("node-1/b");
    bed.hand.through(async (method, _, work) =>
      method === "read" ? entries.slice(1) : await work(),
    );
    bed.node.own(0, 2);
    bed.node.own(1, 2);
    await bed.runtime.settle();
    expect(bed.node.partitions.map(({ state }) => state)).toEqual(["halted", "serving"]);
    expect(bed.node.partitions[0]!.haltReason).toContain("expected entry 1, found 2");
  });
});

describe("time", () => {
  test("never goes back across claims, even when the store's clock did", async () => {
    const bed = await nodeBed();
    await bed.open();
    await bed.told(holdOf("s1"));
    const before = bed.node.partitions[0]!.nowMs();
    bed.hand.hold("commit");
    const heard = bed.ask(holdOf("s2"));
    await bed.runtime.settle();
    bed.runtime.wallStepMs = -3_600_000;
    bed.hand.hold();
    await bed.hand.take().cut();
    await bed.runtime.settle();
    expect(heard.value?.kind).toBe("held");
    expect(bed.node.partitions[0]!.nowMs()).toBe(before);
    await bed.runtime.advance(HOLD_MS - 1);
    expect(batchesOf(bed.model).flat()).not.toContain("lapsed");
    await bed.runtime.advance(200);
    expect(batchesOf(bed.model).flat()).toContain("lapsed");
  });

  test("nor across lives: batches carry it, and so does a snapshot", async () => {
    for (const isClean of [false, true]) {
      const bed = await nodeBed();
      await bed.open();
      bed.runtime.jump(10_000);
      await bed.told(holdOf("s1"));
      if (isClean) await bed.node.stop();
      bed.runtime.wallStepMs = -3_600_000;
      await restart(bed);
      expect(bed.node.partitions[0]!.nowMs()).toBe(START_MS + 10_000);
      const held = await bed.told(holdOf("s1"));
      expect(held).toMatchObject({ hold: { deadlineMs: START_MS + 10_000 + HOLD_MS } });
    }
  });

  test("a jump of the wall clock moves nothing while the claim lasts", async () => {
    const bed = await nodeBed();
    await bed.open({ startsAtMs: START_MS + 5_000 });
    bed.runtime.wallStepMs = 3_600_000;
    expect((await bed.told(holdOf("s1"))).kind).toBe("not_open");
    expect(bed.node.partitions[0]!.nowMs()).toBe(START_MS);
    bed.runtime.jump(5_000);
    expect(await bed.told(holdOf("s1"))).toMatchObject({ kind: "held" });
    expect(bed.node.stats.driftMs).toBe(3_600_000);
    expect(bed.log.lines.at(-1)!.message).toContain("clock");
  });

  test("a load that takes long does not make the partition late", async () => {
    const bed = await nodeBed();
    await bed.open();
    bed.hand.hold("read");
    await restart(bed);
    await bed.runtime.advance(5_000);
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(bed.node.partitions[0]!.nowMs()).toBe(START_MS + 5_000);
  });
});
