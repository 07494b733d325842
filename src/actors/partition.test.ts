// P1, P2, P3 of partition.ts, its bounds and its deadlines, with every journal call held by hand.

import { describe, expect, test } from "bun:test";

import {
  A,
  B,
  batchesOf,
  hear,
  HOLD_MS,
  holdOf,
  nodeBed,
  rulesOf,
} from "../../test/support/actors.ts";
import {
  BATCH_BYTES_MAX,
  BATCH_EVENTS_MAX,
  MAILBOX_HOLDS_MAX,
  MAILBOX_RESERVE_MAX,
  REFUSAL_FRESH_MS,
  REQUEST_DEADLINE_MS,
} from "../core/limits.ts";
import type { Commit } from "../core/ports/journal.ts";
import { decodeBatch } from "../core/stock/codec.ts";

describe("P1: nothing is decided while a call is in flight", () => {
  test("what arrives during a commit is the next batch, in order of arrival (I6)", async () => {
    const bed = await nodeBed();
    await bed.open({ released: 3, limit: 1 });
    bed.hand.hold("commit");
    const first = bed.ask(holdOf("s1"));
    await bed.runtime.settle();
    const later = ["s2", "s3", "s4", "s5"].map((shopper) => bed.ask(holdOf(shopper)));
    await bed.runtime.settle();
    expect(bed.hand.held.length).toBe(1);
    expect(bed.node.partitions[0]!.queueDepth).toBe(4);

    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(first.value).toMatchObject({ kind: "held", isNew: true });
    expect(bed.hand.held.length).toBe(1);
    const second = bed.hand.held[0]!.given[0] as Commit;
    expect(decodeBatch(second.bytes).events.map(({ event }) => event)).toMatchObject([
      { kind: "held", shopper: "s2", number: 2 },
      { kind: "held", shopper: "s3", number: 3 },
    ]);
    expect(later.some((heard) => heard.isSettled)).toBe(false);
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(later.map((heard) => heard.value?.kind)).toEqual([
      "held",
      "held",
      "all_held",
      "all_held",
    ]);
  });

  test("nor while a check is", async () => {
    const bed = await nodeBed();
    await bed.open();
    await bed.told(holdOf("s1"));
    bed.hand.hold("check", "commit");
    const again = bed.ask(holdOf("s1"));
    await bed.runtime.settle();
    const other = bed.ask(holdOf("s2"));
    await bed.runtime.settle();
    await bed.runtime.advance(500);
    expect(bed.hand.held.map((call) => call.method)).toEqual(["check"]);
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(again.value).toMatchObject({ kind: "held", isNew: false });
    expect(bed.hand.held.map((call) => call.method)).toEqual(["commit"]);
    expect(other.isSettled).toBe(false);
  });
});

describe("P2: nobody hears a grant before the journal has it (I2)", () => {
  test("a grant waits for its commit", async () => {
    const bed = await nodeBed();
    await bed.open();
    bed.hand.hold("commit");
    const heard = bed.ask(holdOf("s1"));
    await bed.runtime.advance(1_000);
    expect(heard.isSettled).toBe(false);
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(heard.value?.kind).toBe("held");
  });

  test("refusals decided with a grant wait for its commit", async () => {
    const bed = await nodeBed();
    await bed.open({ released: 1 });
    bed.hand.hold("commit");
    const granted = bed.ask(holdOf("s1"));
    const refused = bed.ask(holdOf("s2"));
    await bed.runtime.settle();
    expect([granted.isSettled, refused.isSettled]).toEqual([false, false]);
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(refused.value?.kind).toBe("all_held");
  });

  test("every event of a turn is in its one batch, with each SKU's net change", async () => {
    const bed = await nodeBed();
    await bed.open({ version: 1 });
    await bed.open({ version: 1 }, B);
    bed.hand.hold("commit");
    bed.ask(holdOf("s1", 3));
    bed.ask(holdOf("s2", 1), B);
    bed.ask({ kind: "give_back", shopper: "s1" });
    bed.ask(holdOf("s1", 2));
    await bed.runtime.settle();
    const commit = bed.hand.held[0]!.given[0] as Commit;
    expect(commit.deltas).toEqual([
      { skuKey: A.key, delta: -2 },
      { skuKey: B.key, delta: -1 },
    ]);
    expect(bed.hand.held.length).toBe(1);
  });
});

describe("P3: answers without a commit (I8)", () => {
  test("a refusal leaves at once under a confirmation sent less than a second ago", async () => {
    const bed = await nodeBed();
    await bed.open({ released: 0 });
    const calls = bed.hand.log.length;
    bed.runtime.jump(REFUSAL_FRESH_MS - 1);
    expect((await bed.told(holdOf("s1"))).kind).toBe("sold_out");
    expect(bed.hand.log.length).toBe(calls);
  });

  test("under an older one, one check serves all that wait", async () => {
    const bed = await nodeBed();
    await bed.open({ released: 0 });
    bed.runtime.jump(REFUSAL_FRESH_MS);
    const heard = Array.from({ length: 50 }, (_, i) => bed.ask(holdOf(`s${i}`)));
    await bed.runtime.settle();
    expect(heard.map((one) => one.value?.kind)).toEqual(heard.map(() => "sold_out"));
    expect(bed.hand.count("check")).toBe(1);
    // And confirms the claim for the next second: counted from its sending, not from its reply.
    expect((await bed.told(holdOf("t"))).kind).toBe("sold_out");
    expect(bed.hand.count("check")).toBe(1);
  });

  test("the second is counted from the sending of the confirming call", async () => {
    const bed = await nodeBed();
    await bed.open({ released: 0 });
    bed.hand.hold("commit");
    const configured = bed.ask(rulesOf({ version: 2, released: 0 }));
    await bed.runtime.settle();
    bed.runtime.jump(900);
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(configured.value?.kind).toBe("configured");
    bed.runtime.jump(100);
    expect((await bed.told(holdOf("s1"))).kind).toBe("sold_out");
    expect(bed.hand.count("check")).toBe(1);
  });

  test.each([
    ["the same PUT again", holdOf("s1"), "held"],
    ["a DELETE of nothing", { kind: "give_back", shopper: "s9" } as const, "given_back"],
    ["the same configure again", rulesOf(), "unchanged"],
  ] as const)("%s needs a check of its own, sent after it arrived", async (_, command, kind) => {
    const bed = await nodeBed();
    await bed.open();
    await bed.told(holdOf("s1"));
    bed.hand.hold("check");
    const heard = bed.ask(command);
    await bed.runtime.settle();
    expect(heard.isSettled).toBe(false);
    // Another repeat that arrives now is not covered by the check under way.
    const second = bed.ask(command);
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(heard.value?.kind).toBe(kind);
    expect(second.isSettled).toBe(false);
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(second.value?.kind).toBe(kind);
  });

  test("a cart needs a check too, counts only a fresh claim", async () => {
    const bed = await nodeBed();
    await bed.open();
    await bed.told(holdOf("s1", 2));
    const counts = hear(bed.node.counts([A]));
    await bed.runtime.settle();
    expect(counts.value).toMatchObject([{ released: 10, available: 8, held: 2, sold: 0 }]);
    expect(bed.hand.count("check")).toBe(0);
    bed.hand.hold("check");
    const cart = hear(bed.node.cart("s1"));
    await bed.runtime.settle();
    expect(cart.isSettled).toBe(false);
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(cart.value?.complete).toBe(true);
    expect(cart.value?.holds).toMatchObject([{ skuKey: A.key, hold: { quantity: 2 } }]);
  });

  test("a check that finds another seq answers nobody from memory", async () => {
    const bed = await nodeBed();
    await bed.open();
    await bed.told(holdOf("s1"));
    bed.hand.hold("check");
    const heard = bed.ask(holdOf("s1"));
    await bed.runtime.settle();
    bed.hand.take().answer({ kind: "confirmed", seq: 1, nowMs: bed.runtime.clock.wallMs() });
    bed.hand.hold();
    await bed.runtime.settle();
    // The claim says that memory was right after all: then one more check, and the answer.
    expect(heard.value).toMatchObject({ kind: "held", isNew: false });
    expect([bed.hand.count("claim"), bed.hand.count("check")]).toEqual([2, 2]);
  });

  test("an early refusal is told only without holds, under a fresh claim, with nothing waiting", async () => {
    const bed = await nodeBed();
    await bed.open({ released: 0 });
    expect(bed.node.refuseEarly(A)).toEqual({ kind: "sold_out" });
    bed.runtime.jump(REFUSAL_FRESH_MS);
    expect(bed.node.refuseEarly(A)).toBeNull();
    await bed.open({ version: 2, released: 1, startsAtMs: bed.runtime.clock.wallMs() + 5 });
    expect(bed.node.refuseEarly(A)).toEqual({ kind: "not_open" });
    bed.runtime.jump(5);
    expect(bed.node.refuseEarly(A)).toBeNull();
    await bed.told(holdOf("s1"));
    expect(bed.node.refuseEarly(A)).toBeNull();
  });
});

describe("bounds", () => {
  test("holds are refused with busy while money, returns and configures still get in", async () => {
    const bed = await nodeBed();
    await bed.open({ released: 1_000_000 });
    bed.hand.hold("commit");
    bed.ask(holdOf("first"));
    await bed.runtime.settle();
    const holds = Array.from({ length: MAILBOX_HOLDS_MAX }, (_, i) => bed.ask(holdOf(`s${i}`)));
    const over = bed.ask(holdOf("over"));
    const order = { shopper: "p", orderId: "o1" };
    const others = [
      bed.ask({ kind: "confirm", ...order, quantity: 1 }),
      bed.ask({ kind: "return", ...order, quantity: 1 }),
      bed.ask({ kind: "unpin", ...order }),
      bed.ask({ kind: "give_back", shopper: "p" }),
      bed.ask(rulesOf({ version: 2, released: 1_000_000 })),
    ];
    await bed.runtime.settle();
    expect(over.error?.message).toStartWith("busy: ");
    expect(holds.some((heard) => heard.isSettled)).toBe(false);
    bed.hand.hold();
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(others.map((heard) => heard.value?.kind)).toEqual([
      "sold",
      "returned",
      "returned",
      "given_back",
      "configured",
    ]);
    expect(holds.every((heard) => heard.value?.kind === "held")).toBe(true);
    const sizes = batchesOf(bed.model).map((kinds) => kinds.length);
    expect(Math.max(...sizes)).toBe(BATCH_EVENTS_MAX);
  });

  test("the reserve has its bound too", async () => {
    const bed = await nodeBed({ serve: false });
    bed.hand.hold("claim");
    bed.node.own(0, 1);
    for (let i = 0; i < MAILBOX_RESERVE_MAX; i++) bed.ask({ kind: "give_back", shopper: "s" });
    const over = bed.ask({ kind: "give_back", shopper: "s" });
    await bed.runtime.settle();
    expect(over.error?.message).toStartWith("busy: ");
    const hold = bed.ask(holdOf("s"));
    await bed.runtime.settle();
    expect(hold.isSettled).toBe(false);
  });

  test("a batch of many SKUs with long names stays within its bytes", async () => {
    const bed = await nodeBed();
    const name = "s".repeat(60);
    const heard = Array.from({ length: 5_000 }, (_, i) =>
      bed.ask(rulesOf(), { key: `${name}/${name}-${i}`, partition: 0 }),
    );
    await bed.runtime.settle();
    expect(heard.filter((one) => one.value?.kind === "configured").length).toBe(5_000);
    const sizes = bed.model.dump()[0]!.entries.map(({ bytes }) => bytes.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(BATCH_BYTES_MAX);
  });

  test("while the ledger is full only a holder may hold", async () => {
    const bed = await nodeBed();
    await bed.open();
    await bed.told(holdOf("s1"));
    bed.ledger.full = true;
    const other = bed.ask(holdOf("s2"));
    await bed.runtime.settle();
    expect(other.error?.message).toStartWith("busy: ");
    expect(await bed.told(holdOf("s1", 2))).toMatchObject({ kind: "held", isNew: false });
    expect((await bed.told({ kind: "give_back", shopper: "s1" })).kind).toBe("given_back");
  });
});

describe("deadlines", () => {
  test("a hold lapses at its deadline: not a millisecond early, none late (I5)", async () => {
    const bed = await nodeBed();
    await bed.open({ released: 1 });
    const held = await bed.told(holdOf("s1"));
    if (held.kind !== "held") throw new Error(held.kind);
    const leftMs = held.hold.deadlineMs - bed.runtime.clock.wallMs();
    expect(leftMs).toBe(HOLD_MS);
    bed.runtime.jump(leftMs - 1);
    expect((await bed.told(holdOf("s2"))).kind).toBe("all_held");
    bed.runtime.jump(1);
    expect(await bed.told(holdOf("s2"))).toMatchObject({ kind: "held", isNew: true });
    expect(batchesOf(bed.model).at(-1)).toEqual(["lapsed", "held"]);
  });

  test("without a command the tick lapses it, within a second", async () => {
    const bed = await nodeBed();
    await bed.open({ released: 1 });
    await bed.told(holdOf("s1"));
    await bed.runtime.advance(HOLD_MS - 1);
    expect(batchesOf(bed.model).at(-1)).toEqual(["held"]);
    await bed.runtime.advance(1_000);
    expect(batchesOf(bed.model).at(-1)).toEqual(["lapsed"]);
    expect(bed.model.dump()[0]!.stock).toEqual({ [A.key]: 1 });
  });

  test("more lapses than fit a batch are all written before anything is decided", async () => {
    const bed = await nodeBed();
    const count = BATCH_EVENTS_MAX + 10;
    await bed.open({ released: count });
    for (let i = 0; i < count; i++) bed.ask(holdOf(`s${i}`));
    await bed.runtime.settle();
    const seq = bed.node.partitions[0]!.seq;
    bed.runtime.jump(HOLD_MS);
    const heard = bed.ask(holdOf("t", 4));
    await bed.runtime.settle();
    const batches = batchesOf(bed.model).slice(seq);
    expect(batches.map((kinds) => kinds.length)).toEqual([BATCH_EVENTS_MAX, 11]);
    expect(new Set(batches[0])).toEqual(new Set(["lapsed"]));
    expect(batches[1]!.slice(-2)).toEqual(["lapsed", "held"]);
    expect(heard.value).toMatchObject({ kind: "held", isNew: true });
  });

  test("nor before the others when lapses are cut by their bytes", async () => {
    const bed = await nodeBed();
    const count = 2_500;
    const shopperOf = (i: number): string => `${"s".repeat(120)}${i}`;
    await bed.open({ released: count });
    for (let i = 0; i < count; i++) bed.ask(holdOf(shopperOf(i)));
    await bed.runtime.settle();
    const seq = bed.node.partitions[0]!.seq;
    bed.runtime.jump(HOLD_MS);
    // An old holder asks for more: while the old hold is there, the deadline would be the old one.
    const heard = bed.ask(holdOf(shopperOf(count - 1), 2));
    await bed.runtime.settle();
    const batches = batchesOf(bed.model).slice(seq);
    expect(batches.length).toBe(2);
    expect(batches.map((kinds) => kinds.includes("held"))).toEqual([false, true]);
    expect(heard.value).toMatchObject({ kind: "held", isNew: true });
  });

  test("who waits in the mailbox hears deadline, who was decided hears unknown (I9)", async () => {
    const bed = await nodeBed();
    await bed.open();
    bed.hand.hold("commit");
    const decided = bed.ask(holdOf("s1"));
    await bed.runtime.settle();
    const waiting = bed.ask(holdOf("s2"));
    const cart = hear(bed.node.cart("s1"));
    await bed.runtime.advance(REQUEST_DEADLINE_MS - 1);
    expect(cart.value).toEqual({ holds: [], complete: false });
    expect([decided.isSettled, waiting.isSettled]).toEqual([false, false]);
    await bed.runtime.advance(200);
    expect(decided.error?.message).toStartWith("unknown: ");
    expect(waiting.error?.message).toStartWith("deadline: ");
    // The batch is written all the same, and what comes next sees it.
    bed.hand.hold();
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(await bed.told(holdOf("s1"))).toMatchObject({ kind: "held", isNew: false });
    expect(batchesOf(bed.model)).toEqual([["configured"], ["held"]]);
  });

  test("what is over its deadline is never decided", async () => {
    const bed = await nodeBed();
    await bed.open();
    bed.hand.hold("commit");
    bed.ask(holdOf("s1"));
    await bed.runtime.settle();
    const late = bed.ask(holdOf("s2"));
    bed.runtime.jump(REQUEST_DEADLINE_MS);
    await bed.hand.take().release();
    await bed.runtime.settle();
    expect(late.error?.message).toStartWith("deadline: ");
    expect(batchesOf(bed.model).length).toBe(2);
  });
});
