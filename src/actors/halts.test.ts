// A partition that halts because its state lies, and one that dies of our own bug and replays.

import { describe, expect, test } from "bun:test";

import {
  A,
  batchesOf,
  holdOf,
  inFlight,
  type NodeBed,
  nodeBed,
  rulesOf,
  START_MS,
} from "../../test/support/actors.ts";
import { Fault } from "../core/errors.ts";

describe("halted, and says so", () => {
  const halts = async (bed: NodeBed, reason: string): Promise<void> => {
    const [partition] = bed.node.partitions;
    expect(partition!.state).toBe("halted");
    expect(partition!.haltReason).toContain(reason);
    expect(bed.log.lines.at(-1)).toMatchObject({ level: "error", fields: { partition: 0 } });
    const heard = bed.ask(holdOf("s9"));
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("halted: ");
    expect(bed.node.stats.halted).toBe(1);
  };

  test("when the backup would go below zero (I1)", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    call.answer({ kind: "below_zero", skuKey: A.key, available: 0 });
    await bed.runtime.settle();
    expect(heard.error).toBeInstanceOf(Fault);
    await halts(bed, A.key);
  });

  test("when the fence is gone under it", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    call.answer({ kind: "no_state" });
    await bed.runtime.settle();
    expect(heard.error).toBeInstanceOf(Fault);
    await halts(bed, "its fence is gone");
  });

  test("when what is stored lies, so that no batch can ever be written", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    call.fail(new Fault("journal_corrupt", "the journal is ahead of its fence"));
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("unknown: ");
    expect(bed.hand.count("claim")).toBe(1);
    await halts(bed, "the journal is ahead of its fence");
  });

  test("when there is no fence to claim", async () => {
    const bed = await nodeBed({ serve: false });
    bed.hand.through(async (method, _, work) =>
      method === "claim" ? { kind: "no_state" } : await work(),
    );
    bed.node.own(0, 1);
    await bed.runtime.settle();
    await halts(bed, "its fence is missing");
  });

  test("when the fence is of another generation", async () => {
    const bed = await nodeBed({ serve: false });
    bed.hand.hold("claim");
    bed.node.own(0, 1);
    await bed.runtime.settle();
    const nowMs = START_MS;
    bed.hand.take().answer({
      kind: "claimed",
      claim: 1,
      seq: 0,
      batchId: "",
      generation: "generation-2",
      nowMs,
    });
    await bed.runtime.settle();
    await halts(bed, "generation-2");
  });

  test("when the journal went back behind what this node has committed", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    bed.hand.hold("claim");
    // Fenced by an older claim of our own: that cannot be another engine.
    call.answer({ kind: "fenced", view: 1, claim: 0, owner: "node-1/a" });
    await bed.runtime.settle();
    expect(bed.lost).toEqual([]);
    const { generation } = bed.model.dump()[0]!;
    const answer = { kind: "claimed", claim: 1, seq: 0, batchId: "", generation, nowMs: START_MS };
    bed.hand.take().answer(answer);
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("unknown: ");
    await halts(bed, "the journal is at 0, this node has committed 1");
  });

  test("when the ledger is ahead of the journal: the store came back older", async () => {
    const bed = await nodeBed({ serve: false });
    bed.ledger.storedSeq = 1;
    bed.node.own(0, 1);
    await bed.runtime.settle();
    await halts(bed, "the ledger already has 1");
  });
});

describe("a bug of ours kills the partition, which replays", () => {
  test("in a decision: who was taken hears unknown, the others are served", async () => {
    const bed = await nodeBed({ count: 2 });
    await bed.open();
    await bed.told(holdOf("s1"));
    // No edge lets such a quantity through: decide asserts it.
    const before = bed.ask(holdOf("s2"));
    const poison = bed.ask(holdOf("s3", 101));
    const behind = bed.ask(holdOf("s4"));
    const elsewhere = bed.ask(rulesOf(), { key: "sale/z", partition: 1 });
    await bed.runtime.settle();
    expect(before.error?.message).toStartWith("unknown: ");
    expect(poison.error?.message).toStartWith("unknown: ");
    expect(elsewhere.value?.kind).toBe("configured");
    await bed.runtime.advance(200);
    expect(behind.value).toMatchObject({ kind: "held", isNew: true });
    // Nothing of the crashed turn was written, nothing before it was lost.
    expect(batchesOf(bed.model)).toEqual([["configured"], ["held"], ["held"]]);
    expect(await bed.told(holdOf("s1"))).toMatchObject({ kind: "held", isNew: false });
  });

  test("in a request that the journal must never get", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    bed.hand.hold();
    call.fail(new Error("a batch is within its limit"));
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("unknown: ");
    expect(bed.node.partitions[0]!.state).toBe("loading");
    await bed.runtime.advance(200);
    expect(await bed.told(holdOf("s1"))).toMatchObject({ kind: "held", isNew: true });
  });

  test("behind a commit: it is known to be written after the replay", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    bed.hand.hold();
    bed.ledger.fault = new Error("a batch was committed out of order");
    await call.release();
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("unknown: ");
    bed.ledger.fault = null;
    await bed.runtime.advance(200);
    expect(await bed.told(holdOf("s1"))).toMatchObject({ kind: "held", isNew: false });
  });

  test("a question that throws takes no other partition's turn away", async () => {
    const bed = await nodeBed({ count: 2 });
    await bed.open();
    bed.node.partitions[0]!.read({
      arrivedMs: 0,
      deadlineMs: Number.POSITIVE_INFINITY,
      isStrict: false,
      answer: () => {
        throw new Error("a bug in a reading");
      },
      reject: () => {},
    });
    const elsewhere = bed.ask(rulesOf(), { key: "sale/z", partition: 1 });
    await bed.runtime.settle();
    expect(elsewhere.value?.kind).toBe("configured");
    await bed.runtime.advance(200);
    expect((await bed.told(holdOf("s1"))).kind).toBe("held");
  });

  test("a bug in every load is tried again in peace, not in a loop", async () => {
    const bed = await nodeBed({ serve: false });
    bed.hand.through((method, _, work) =>
      method === "claim" ? Promise.reject(new Error("a driver's own error")) : work(),
    );
    bed.node.own(0, 1);
    await bed.runtime.advance(1_000);
    expect(bed.hand.count("claim")).toBeWithin(5, 15);
    bed.hand.through(null);
    await bed.runtime.advance(200);
    expect((await bed.told(rulesOf())).kind).toBe("configured");
  });
});
