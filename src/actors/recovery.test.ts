// Recovery: claim, snapshot, replay; what a life of the engine leaves to the next one.

import { describe, expect, test } from "bun:test";

import { bookOf, restart, someHistory } from "../../test/support/actor-lives.ts";
import {
  A,
  B,
  batchesOf,
  hear,
  HOLD_MS,
  holdOf,
  nodeBed,
  START_MS,
} from "../../test/support/actors.ts";
import { Fault } from "../core/errors.ts";
import type { Journal, Term } from "../core/ports/journal.ts";
import { recover } from "./recovery.ts";

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
