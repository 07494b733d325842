// P4 and P5 of partition.ts: outcomes that are not known, owners that are gone, states that lie.

import { describe, expect, test } from "bun:test";

import {
  A,
  batchesOf,
  HOLD_MS,
  holdOf,
  inFlight,
  nodeBed,
  rulesOf,
  START_MS,
} from "../../test/support/actors.ts";
import { Fault } from "../core/errors.ts";
import { REQUEST_DEADLINE_MS } from "../core/limits.ts";
import type { Commit } from "../core/ports/journal.ts";

const UNKNOWN = new Fault("unknown", "no answer");
const AWAY = new Fault("store_unavailable", "not reached");

describe("P4: an unknown outcome is never guessed", () => {
  test("the claim shows my batch: it is written, and answered so", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    await call.cut();
    await bed.runtime.settle();
    expect(heard.value).toMatchObject({ kind: "held", isNew: true });
    expect([bed.hand.count("claim"), bed.hand.count("commit")]).toEqual([2, 2]);
    expect(batchesOf(bed.model)).toEqual([["configured"], ["held"]]);
    expect(bed.ledger.rows.at(-1)).toMatchObject({ seq: 2, claim: 1 });
    expect(bed.node.partitions[0]!.term?.claim).toBe(2);
    expect(bed.node.stats.unknown).toBe(1);
  });

  test("the claim shows the seq before: the same batch is sent once more, with its id", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    const first = call.given[0] as Commit;
    call.fail(UNKNOWN);
    await bed.runtime.settle();
    expect(heard.isSettled).toBe(false);
    const again = bed.hand.take();
    const second = again.given[0] as Commit;
    expect(second).toEqual({ ...first, term: { ...first.term, claim: 2 } });
    await again.release();
    await bed.runtime.settle();
    expect(heard.value).toMatchObject({ kind: "held", isNew: true });
    expect(batchesOf(bed.model)).toEqual([["configured"], ["held"]]);
    // The ledger names the claim that the journal names.
    expect(bed.model.dump()[0]!.entries.at(-1)!.claim).toBe(2);
    expect(bed.ledger.rows.at(-1)).toMatchObject({ seq: 2, claim: 2 });
  });

  test("a commit that never goes well is sent again with pauses, though each claim does", async () => {
    const bed = await nodeBed();
    const { call } = await inFlight(bed);
    bed.hand.hold();
    let failures = 0;
    bed.hand.through(async (method, _, work) => {
      // Without pauses no time would pass, and the test would not end.
      if (method === "commit" && ++failures < 100) throw UNKNOWN;
      return work();
    });
    call.fail(UNKNOWN);
    await bed.runtime.advance(10);
    expect(bed.hand.count("claim")).toBe(2);
    // 20, 40, 80 ms and so on, at most 500.
    await bed.runtime.advance(5_000);
    expect(bed.hand.count("claim")).toBeGreaterThan(8);
    expect(bed.hand.count("claim")).toBeLessThan(18);
    bed.hand.through(async (_method, _number, work) => work());
    await bed.runtime.advance(500);
    expect(bed.node.partitions[0]!.state).toBe("serving");
    expect(batchesOf(bed.model)).toEqual([["configured"], ["held"]]);
  });

  test("anything else: memory is dropped and recovered, who waited hears unknown", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    // Another engine under the same name, as after a clone of a machine: only the journal can tell.
    await bed.model.claim({ partition: 0, view: 1, owner: "node-1/a" });
    const term = { partition: 0, view: 1, owner: "node-1/a", claim: 2 };
    const bytes = `1\t${START_MS + 7}\n${A.key}\nh\t0\tother\t1\t3\t100\t${HOLD_MS}`;
    const deltas = [{ skuKey: A.key, delta: -3 }];
    await bed.model.commit({ term, seq: 2, batchId: "other", bytes, deltas });
    bed.hand.hold();
    call.fail(UNKNOWN);
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("unknown: ");
    expect(bed.ledger.served.at(-1)).toEqual({ partition: 0, seq: 2 });
    expect(await bed.told(holdOf("s2", 4))).toEqual({ kind: "too_few", available: 2 });
  });

  test("the seq before, but somebody else claimed: memory is dropped all the same", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    await bed.model.claim({ partition: 0, view: 1, owner: "node-1/a" });
    bed.hand.hold();
    call.fail(UNKNOWN);
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("unknown: ");
    expect(bed.hand.count("commit")).toBe(2);
    expect(await bed.told(holdOf("s1"))).toMatchObject({ kind: "held", isNew: true });
  });

  test("a claim that shows another batch is never taken for the seq before", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    bed.hand.hold("claim");
    call.fail(UNKNOWN);
    await bed.runtime.settle();
    bed.hand.hold();
    const nowMs = bed.runtime.clock.wallMs();
    const { generation, batchId } = bed.model.dump()[0]!;
    const answer = { kind: "claimed", claim: 2, seq: 1, generation, nowMs };
    bed.hand.take().answer({ ...answer, batchId: `${batchId} of another` });
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("unknown: ");
    expect(bed.hand.count("commit")).toBe(2);
  });

  test("a gap that the journal reports is looked into, not believed", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    bed.hand.hold();
    call.answer({ kind: "out_of_sequence", seq: 9 });
    await bed.runtime.settle();
    expect(heard.value?.kind).toBe("held");
    expect(bed.hand.count("claim")).toBe(2);
  });

  test("what arrives in doubt is decided after it, not before", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    bed.hand.hold("claim");
    call.fail(UNKNOWN);
    await bed.runtime.settle();
    expect(bed.node.partitions[0]!.state).toBe("doubt");
    const other = bed.ask(holdOf("s2"));
    await bed.runtime.advance(500);
    expect([heard.isSettled, other.isSettled]).toEqual([false, false]);
    expect(bed.node.refuseEarly(A)).toBeNull();
    bed.hand.hold();
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect([heard.value?.kind, other.value?.kind]).toEqual(["held", "held"]);
    expect(batchesOf(bed.model)).toEqual([["configured"], ["held"], ["held"]]);
  });

  test("claims whose replies are lost count, and are not taken for another's", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    bed.hand.hold("claim");
    call.fail(UNKNOWN);
    await bed.runtime.settle();
    await bed.hand.take().cut();
    await bed.runtime.advance(20);
    await bed.hand.take().cut();
    await bed.runtime.advance(40);
    bed.hand.hold();
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(heard.value).toMatchObject({ kind: "held", isNew: true });
    expect(bed.node.partitions[0]!.term?.claim).toBe(4);
  });

  test("a check in doubt is asked again under the new claim", async () => {
    const bed = await nodeBed();
    await bed.open();
    await bed.told(holdOf("s1"));
    bed.hand.hold("check");
    const heard = bed.ask(holdOf("s1"));
    await bed.runtime.settle();
    bed.hand.take().fail(UNKNOWN);
    await bed.runtime.settle();
    expect(bed.hand.held[0]!.given[0]).toMatchObject({ claim: 2 });
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(heard.value).toMatchObject({ kind: "held", isNew: false });
  });
});

describe("the store is away", () => {
  test("new ones hear it at once; the one in doubt waits until its deadline (I9)", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    const waiting = bed.ask(holdOf("s2"));
    bed.hand.through(() => Promise.reject(AWAY));
    bed.hand.hold();
    call.fail(AWAY);
    await bed.runtime.settle();
    expect(waiting.error?.message).toStartWith("store_unavailable: ");
    const late = bed.ask(holdOf("s3"));
    await bed.runtime.settle();
    expect(late.error?.message).toStartWith("store_unavailable: ");
    expect(heard.isSettled).toBe(false);
    await bed.runtime.advance(REQUEST_DEADLINE_MS + 100);
    expect(heard.error?.message).toStartWith("unknown: ");

    bed.hand.through(null);
    await bed.runtime.advance(1_000);
    // It was sent again for nobody: the batch was never taken back.
    expect(batchesOf(bed.model)).toEqual([["configured"], ["held"]]);
    expect(await bed.told(holdOf("s1"))).toMatchObject({ kind: "held", isNew: false });
  });

  test("back before the deadline, the one in doubt hears its answer", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    bed.hand.hold();
    bed.hand.through(() => Promise.reject(AWAY));
    call.fail(UNKNOWN);
    await bed.runtime.advance(1_000);
    bed.hand.through(null);
    await bed.runtime.advance(1_000);
    expect(heard.value).toMatchObject({ kind: "held", isNew: true });
  });

  test("a node whose clock is not the store's claims nothing and says so", async () => {
    const bed = await nodeBed({ serve: false });
    bed.node.clockSkewMs = -2_001;
    bed.node.own(0, 1);
    await bed.runtime.settle();
    const heard = bed.ask(rulesOf());
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("store_unavailable: ");
    expect(bed.hand.log).toEqual([]);
    bed.node.clockSkewMs = 2_000;
    await bed.runtime.advance(1_000);
    expect((await bed.told(rulesOf())).kind).toBe("configured");
  });
});

describe("P5: fenced", () => {
  test("nothing is answered from memory again, and the engine hears who has it (I3)", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    const waiting = bed.ask(holdOf("s2"));
    await bed.model.claim({ partition: 0, view: 2, owner: "node-2/b" });
    bed.hand.hold();
    await call.release();
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("unknown: ");
    expect(waiting.error?.message).toStartWith("fenced: ");
    expect(bed.lost).toEqual([{ partition: 0, owner: "node-2/b" }]);
    expect(bed.ledger.droppedPartitions).toEqual([0]);
    expect(bed.node.partitions[0]!.state).toBe("idle");
    expect(bed.node.refuseEarly(A)).toBeNull();
    const later = bed.ask(holdOf("s1"));
    await bed.runtime.settle();
    expect(later.error?.message).toStartWith("not_owner: ");
    expect(await bed.node.cart("s1")).toEqual({ holds: [], complete: false });
    expect(await bed.node.counts([A])).toEqual([null]);
  });

  test("a check tells it as well as a commit", async () => {
    const bed = await nodeBed();
    await bed.open();
    await bed.told(holdOf("s1"));
    await bed.model.claim({ partition: 0, view: 2, owner: "node-2/b" });
    const repeat = bed.ask(holdOf("s1"));
    await bed.runtime.settle();
    expect(repeat.error?.message).toStartWith("unknown: ");
    expect(bed.lost.length).toBe(1);
  });

  test("so does the claim out of a doubt", async () => {
    const bed = await nodeBed();
    const { heard, call } = await inFlight(bed);
    await bed.model.claim({ partition: 0, view: 2, owner: "node-2/b" });
    call.fail(UNKNOWN);
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("unknown: ");
    expect(bed.lost).toEqual([{ partition: 0, owner: "node-2/b" }]);
  });

  test("a load that was given up claims nothing any more", async () => {
    const bed = await nodeBed({ count: 9, serve: false });
    bed.hand.hold("claim");
    for (let partition = 0; partition < 9; partition++) bed.node.own(partition, 1);
    await bed.runtime.settle();
    expect(bed.hand.held.length).toBe(8);
    await bed.node.disown(8);
    bed.hand.hold();
    for (const call of bed.hand.held.splice(0)) await call.release();
    await bed.runtime.settle();
    expect(bed.model.dump()[8]!.claim).toBe(0);
  });
});
