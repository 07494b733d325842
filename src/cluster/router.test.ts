// R1–R4 of remote-asks.ts and S1–S3 of responder.ts, on real partitions over the in-process bus.

import { describe, expect, test } from "bun:test";

import { CLUSTER_ID, type RouterBed, routerBed, skuIn } from "../../test/support/router-bed.ts";
import { Fault } from "../core/errors.ts";
import { PEER_HOLDS_MAX, REQUEST_DEADLINE_MS } from "../core/limits.ts";

const ONE = skuIn(1);

function hold(shopper: string, quantity = 1) {
  return { kind: "hold", shopper, quantity } as const;
}

function codeOf(error: Error | undefined): string | undefined {
  return error instanceof Fault ? error.code : undefined;
}

/** Every message to a node from now on, as sent; delivered unless `isLost`. */
function tap(bed: RouterBed, nodeId: string, isLost = false): string[] {
  const { bus } = bed.node(nodeId);
  const texts: string[] = [];
  const deliver = bus.deliver.bind(bus);
  bus.deliver = (text, topic) => {
    if (topic === undefined || topic === null) texts.push(text);
    if (!isLost) deliver(text, topic);
  };
  return texts;
}

describe("messages", () => {
  test("what one tick has for a node is one message, and so are its answers", async () => {
    const bed = await routerBed();
    await bed.open(ONE, { released: 100 });
    const requests = tap(bed, "n1");
    const answers = tap(bed, "n0");
    const asked = Array.from({ length: 50 }, (_, index) =>
      bed.node("n0").router.ask(ONE, hold(`s${index}`)),
    );
    const outcomes = await bed.told(Promise.all(asked));
    expect(outcomes.every(({ kind }) => kind === "held")).toBe(true);
    expect(requests.length).toBe(1);
    expect(answers.length).toBe(1);
  });

  test("a message that comes twice is done once, also after what its shopper did since", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    const requests = tap(bed, "n1");
    const { router } = bed.node("n0");
    await bed.told(router.ask(ONE, hold("s1")));
    await bed.told(router.ask(ONE, { kind: "give_back", shopper: "s1" }));
    bed.node("n1").bus.deliver(requests[0]!);
    await bed.runtime.settle();
    const [counts] = await bed.told(router.counts([ONE]));
    expect(counts?.held).toBe(0);
  });

  test("a message that was longer on its way than it had time is not done", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    const { router } = bed.node("n0");
    await bed.told(router.ask(ONE, hold("s0")));
    const late = tap(bed, "n1", true);
    const asked = await bed.heard(router.ask(ONE, hold("s1")));
    await bed.runtime.advance(REQUEST_DEADLINE_MS + 100);
    expect(codeOf(asked.error)).toBe("deadline");
    const { bus } = bed.node("n1");
    Object.getPrototypeOf(bus).deliver.call(bus, late[0]!);
    await bed.runtime.settle();
    const { stock } = bed.node("n1");
    const [counts] = await bed.told(stock.counts([ONE]));
    expect(counts?.held).toBe(1);
  });

  test("who waited here first, for a partition that went away, is ended at its own deadline", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    tap(bed, "n1", true);
    tap(bed, "n2", true);
    const { router, stock } = bed.node("n0");
    stock.own(ONE.partition, 1, new Promise<void>(() => {}));
    const older = await bed.heard(router.ask(ONE, hold("s1")));
    await bed.runtime.advance(REQUEST_DEADLINE_MS / 2);
    const younger = await bed.heard(router.ask(skuIn(2), hold("s1")));
    void stock.disown(ONE.partition);
    await bed.runtime.advance(REQUEST_DEADLINE_MS / 2 + 100);
    expect(codeOf(older.error)).toBe("deadline");
    expect(younger.error).toBeUndefined();
    await bed.runtime.advance(REQUEST_DEADLINE_MS / 2);
    expect(codeOf(younger.error)).toBe("deadline");
  });

  test("answers that come twice, late or to an earlier life are ignored", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    const answers = tap(bed, "n0");
    const { router, bus } = bed.node("n0");
    const first = await bed.told(router.ask(ONE, hold("s1")));
    const asked = await bed.heard(router.ask(ONE, { kind: "give_back", shopper: "s1" }));
    bus.deliver(answers[0]!);
    bus.deliver(answers[1]!.replace("\tfirst\n", "\tanother\n"));
    await bed.runtime.settle();
    expect(first.kind).toBe("held");
    expect(asked.value).toEqual({ kind: "given_back" });
    expect(router.pendingCount).toBe(0);
  });

  test("garbage, another format, another cluster: ignored, with one line a minute", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    const { bus, router } = bed.node("n1");
    const garbage = ["", "x", "\n\n\n", "9\tc\n", "99\tcluster-1\nq\t", "1\tcluster-2\nq\tn0"];
    const broken = [
      "q\tn0\tfirst\t900\t1",
      "q\t../..\tfirst\t900\t1\n1\tsale/x1\n16\t3000\th\t0\ts1\t1",
      "q\tn0\tfirst\t900\t1\n1\tsale/x1\n16\t3000\th\t7\ts1\t1",
      "q\tn0\tfirst\t900\t1\n1\tsale/x1\n16\t3000\th\t0\ts1\t1000",
      "q\tn0\tfirst\t900\t1\n5000\tsale/x1\n16\t3000\th\t0\ts1\t1",
      "q\tn0\tfirst\t900\t1\n1\tsale/x1\n16\t3000\th\t0\ts1\t1\n17\t3000\tv\t0\t0",
      "a\tn0\tfirst\t900\t1\tfirst\n\nx\theld",
    ];
    for (let round = 0; round < 3; round++) {
      for (const text of garbage) bus.deliver(text);
      for (const text of broken) bus.deliver(`1\t${CLUSTER_ID}\n${text}`);
    }
    await bed.runtime.settle();
    const [counts] = await bed.told(router.counts([ONE]));
    expect(counts?.held).toBe(0);
    const lines = bed.log.lines.filter(({ message }) => message === "messages ignored");
    const reasons = new Set(lines.map(({ fields }) => fields["reason"]));
    const expected = ["double", "garbage", "garbled", "other_cluster", "other_format"];
    expect(lines.length).toBe(expected.length);
    expect(reasons).toEqual(new Set(expected));
  });
});

describe("owners that move", () => {
  test("nobody listens: the ask goes to the new owner once there is one", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    await bed.node("n1").bus.close();
    const asked = await bed.heard(bed.node("n0").router.ask(ONE, hold("s1")));
    expect(asked.isSettled).toBe(false);
    bed.node("n2").stock.own(1, 2);
    await bed.runtime.settle();
    bed.announce(1, "n2");
    await bed.runtime.settle();
    expect(asked.value).toMatchObject({ kind: "held", isNew: true });
  });

  test("moved: followed to where the old owner says, and once only", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    await bed.told(bed.node("n1").stock.disown(1));
    bed.node("n2").stock.own(1, 2);
    await bed.runtime.settle();
    bed.node("n1").owners.change(1, "n2");
    const asked = await bed.heard(bed.node("n0").router.ask(ONE, hold("s1")));
    expect(asked.value).toMatchObject({ kind: "held", isNew: true });
    const [counts] = await bed.told(bed.node("n2").stock.counts([ONE]));
    expect(counts?.held).toBe(1);
  });

  test("a partition that comes here meanwhile is asked here", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    await bed.told(bed.node("n1").stock.disown(1));
    const asked = await bed.heard(bed.node("n0").router.ask(ONE, hold("s1")));
    expect(asked.isSettled).toBe(false);
    bed.node("n0").stock.own(1, 2);
    bed.announce(1, "n0");
    await bed.runtime.settle();
    expect(asked.value).toMatchObject({ kind: "held" });
  });

  test("an ask here that was not decided before a hand-off is followed too", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    const { stock, router } = bed.node("n1");
    const leaving = stock.disown(1);
    const asked = await bed.heard(router.ask(ONE, hold("s1")));
    await bed.told(leaving);
    bed.node("n2").stock.own(1, 2);
    bed.announce(1, "n2");
    await bed.runtime.advance(300);
    expect(asked.value).toMatchObject({ kind: "held" });
  });

  test("two that send each other's asks on end: busy within the deadline", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    await bed.told(bed.node("n1").stock.disown(1));
    bed.node("n1").owners.change(1, "n2");
    bed.node("n2").owners.change(1, "n1");
    const requests = tap(bed, "n1");
    const asked = await bed.heard(bed.node("n0").router.ask(ONE, hold("s1")));
    await bed.runtime.advance(REQUEST_DEADLINE_MS + 100);
    expect(codeOf(asked.error)).toBe("busy");
    expect(requests.length).toBeLessThan(16);
  });

  test("what is on its way to a node waits there", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    await bed.told(bed.node("n1").stock.disown(1));
    bed.announce(1, "n2");
    bed.node("n2").owners.parkables.add(1);
    const asked = await bed.heard(bed.node("n0").router.ask(ONE, hold("s1")));
    expect(asked.isSettled).toBe(false);
    expect(bed.node("n0").router.stats.moved).toBe(0);
    bed.node("n2").stock.own(1, 2);
    await bed.runtime.advance(50);
    expect(asked.value).toMatchObject({ kind: "held" });
  });
});

describe("time and bounds", () => {
  test("an ask without an answer is never sent again and ends at its deadline", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    const lost = tap(bed, "n1", true);
    const asked = await bed.heard(bed.node("n0").router.ask(ONE, hold("s1")));
    await bed.runtime.advance(REQUEST_DEADLINE_MS - 100);
    expect(asked.isSettled).toBe(false);
    await bed.runtime.advance(200);
    expect(codeOf(asked.error)).toBe("deadline");
    expect(lost.length).toBe(1);
    expect(bed.node("n0").router.pendingCount).toBe(0);
  });

  test("an ask to a node that is evicted ends at once: unknown; others wait on", async () => {
    const bed = await routerBed();
    const [one, two] = [ONE, { key: "sale/x2", partition: 2 }];
    await bed.open(one);
    await bed.open(two);
    tap(bed, "n1", true);
    tap(bed, "n2", true);
    const { router, owners } = bed.node("n0");
    const gone = await bed.heard(router.ask(one, hold("s1")));
    const waits = await bed.heard(router.ask(two, hold("s1")));
    owners.evict("n1");
    await bed.runtime.settle();
    expect([codeOf(gone.error), waits.error]).toEqual(["unknown", undefined]);
    expect(router.pendingCount).toBe(1);
  });

  test("cut off: what was sent is unknown, what is new is refused, what is here goes on", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    await bed.open(skuIn(0));
    tap(bed, "n1", true);
    const { router, bus } = bed.node("n0");
    const sent = await bed.heard(router.ask(ONE, hold("s1")));
    bus.setConnected(false);
    const fresh = await bed.heard(router.ask(ONE, hold("s2")));
    const here = await bed.heard(router.ask(skuIn(0), hold("s1")));
    expect(codeOf(sent.error)).toBe("unknown");
    expect(codeOf(fresh.error)).toBe("store_unavailable");
    expect(here.value).toMatchObject({ kind: "held" });
    const cart = await bed.told(router.cart("s1"));
    expect(cart.complete).toBe(false);
    expect(cart.holds.length).toBe(1);
    bus.setConnected(true);
    const back = await bed.heard(router.counts([skuIn(2)]));
    expect(back.isSettled).toBe(true);
  });

  test("a full window refuses new holds, and money still has its reserve", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    tap(bed, "n1", true);
    const { router } = bed.node("n0");
    const waiting: Promise<unknown>[] = [];
    for (let index = 0; index < PEER_HOLDS_MAX; index++) {
      waiting.push(router.ask(ONE, hold(`s${index}`)).catch(() => null));
    }
    const refused = await bed.heard(router.ask(ONE, hold("more")));
    const money = await bed.heard(router.ask(ONE, { kind: "give_back", shopper: "s1" }));
    expect(codeOf(refused.error)).toBe("busy");
    expect(money.isSettled).toBe(false);
    await bed.runtime.advance(REQUEST_DEADLINE_MS + 100);
    await Promise.all(waiting);
    expect(router.pendingCount).toBe(0);
  });

  test("an owner that does not answer makes the cart incomplete and counts null", async () => {
    const bed = await routerBed();
    await bed.open(ONE);
    await bed.open(skuIn(2));
    const { router } = bed.node("n0");
    await bed.told(router.ask(skuIn(2), hold("s1")));
    tap(bed, "n1", true);
    const cart = await bed.heard(router.cart("s1"));
    const counts = await bed.heard(router.counts([ONE, skuIn(2)]));
    // Before the request's own deadline: it hears what is known, and no 504.
    await bed.runtime.advance(REQUEST_DEADLINE_MS - 200);
    expect(cart.value).toMatchObject({ complete: false, holds: [{ skuKey: "sale/x2" }] });
    expect(counts.value?.map((count) => count?.skuKey ?? null)).toEqual([null, "sale/x2"]);
  });
});
