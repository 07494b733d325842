// E1–E3 of edge-levels.ts, L1–L3 of level-publisher.ts and V1–V3 of actors/announcements.ts.

import { describe, expect, test } from "bun:test";

import { rulesOf, START_MS } from "../../test/support/actors.ts";
import { type RouterBed, routerBed, skuIn } from "../../test/support/router-bed.ts";
import { EDGE_BOUND_MS, EDGE_LEVEL_FRESH_MS } from "../core/limits.ts";
import type { LevelChange } from "../core/ports/level-feed.ts";

const ONE = skuIn(1);
const ORDER = { shopper: "buyer", orderId: `ord_${"0".repeat(34)}` };

function hold(shopper: string) {
  return { kind: "hold", shopper, quantity: 1 } as const;
}

/** One unit, sold: sold out with nothing held. */
async function soldOutBed(): Promise<RouterBed> {
  const bed = await routerBed();
  await bed.open(ONE, { released: 1 });
  const { stock } = bed.node("n1");
  await bed.told(stock.ask(ONE, hold("buyer")));
  await bed.told(stock.ask(ONE, { kind: "pin", ...ORDER, quantity: 1, priceMinor: 100 }));
  await bed.told(stock.ask(ONE, { kind: "confirm", ...ORDER, quantity: 1 }));
  return bed;
}

/** A shopper at n0 every 10 ms, as the HTTP edge asks. */
async function stampede(bed: RouterBed, forMs: number): Promise<Record<string, number>> {
  const heard: Record<string, number> = { early: 0 };
  const { router } = bed.node("n0");
  for (let passedMs = 0; passedMs < forMs; passedMs += 10) {
    if (router.refuseEarly(ONE) !== null) {
      heard["early"]!++;
    } else {
      const shopper = `s${Math.round(bed.runtime.clock.monotonicMs())}`;
      const asked = await bed.heard(router.ask(ONE, hold(shopper)));
      const kind = asked.value?.kind ?? "fault";
      heard[kind] = (heard[kind] ?? 0) + 1;
    }
    await bed.runtime.advance(10);
  }
  return heard;
}

/** Does n0 refuse by itself? One ask in a while goes through, so it is tried twice. */
function refusesEarly(bed: RouterBed): boolean {
  const { router } = bed.node("n0");
  return (router.refuseEarly(ONE) ?? router.refuseEarly(ONE))?.kind === "sold_out";
}

describe("sold out at the edge", () => {
  test("after a second of asking, nearly all are refused without a message", async () => {
    const bed = await soldOutBed();
    await stampede(bed, 1_500);
    const heard = await stampede(bed, 2_000);
    expect(heard["early"]).toBeGreaterThan(180);
    expect(heard["sold_out"]).toBeLessThanOrEqual(12);
    expect(heard["early"]! + heard["sold_out"]!).toBe(200);
  });

  test("it ends by itself when the owner says so no more", async () => {
    const bed = await soldOutBed();
    await stampede(bed, 1_500);
    bed.node("n1").bus.setConnected(false);
    expect(refusesEarly(bed)).toBe(true);
    await bed.runtime.advance(EDGE_LEVEL_FRESH_MS);
    expect(refusesEarly(bed)).toBe(false);
  });

  test("a word that was long on its way is not believed", async () => {
    const bed = await soldOutBed();
    await stampede(bed, 1_500);
    const { bus } = bed.node("n0");
    const late: string[] = [];
    const deliver = bus.deliver.bind(bus);
    bus.deliver = (text, topic) => {
      if (topic === "levels") late.push(text);
      else deliver(text, topic);
    };
    await stampede(bed, 1_000);
    expect(late.length).toBeGreaterThan(1);
    expect(refusesEarly(bed)).toBe(false);
    for (const text of late.slice(0, 1)) deliver(text, "levels");
    await bed.runtime.settle();
    expect(refusesEarly(bed)).toBe(false);
  });

  test("with units that are only held it is never said", async () => {
    const bed = await routerBed();
    await bed.open(ONE, { released: 1 });
    await bed.told(bed.node("n1").stock.ask(ONE, hold("buyer")));
    const heard = await stampede(bed, 2_000);
    expect(heard).toEqual({ early: 0, all_held: 200 });
  });
});

describe("units that come back bind their owner", () => {
  test("nobody gets them while an edge may refuse, and they sell within a second (I5)", async () => {
    const bed = await soldOutBed();
    await stampede(bed, 1_500);
    const { stock } = bed.node("n1");
    await bed.told(stock.ask(ONE, { kind: "return", ...ORDER, quantity: 1 }));
    const returnedMs = bed.runtime.clock.monotonicMs();
    let soldMs = 0;
    let lastRefusalMs = 0;
    for (let step = 0; soldMs === 0 && step < 200; step++) {
      const nowMs = bed.runtime.clock.monotonicMs();
      if (refusesEarly(bed)) lastRefusalMs = nowMs;
      const asked = await bed.told(stock.ask(ONE, hold(`w${step}`)));
      if (asked.kind === "held") soldMs = nowMs;
      else expect(asked).toEqual({ kind: "sold_out" });
      await bed.runtime.advance(10);
    }
    expect(soldMs - returnedMs).toBeLessThanOrEqual(EDGE_BOUND_MS);
    expect(soldMs - returnedMs).toBeGreaterThan(300);
    expect(lastRefusalMs).toBeGreaterThan(returnedMs);
    expect(lastRefusalMs).toBeLessThan(soldMs);
  });

  test("units that were never announced away are granted at once", async () => {
    const bed = await soldOutBed();
    await bed.runtime.advance(2_000);
    const { stock } = bed.node("n1");
    await bed.told(stock.ask(ONE, { kind: "return", ...ORDER, quantity: 1 }));
    expect(await bed.told(stock.ask(ONE, hold("w")))).toMatchObject({ kind: "held" });
  });

  test("a paid order takes what is free all the same", async () => {
    const bed = await soldOutBed();
    await stampede(bed, 1_500);
    const { stock } = bed.node("n1");
    await bed.told(stock.ask(ONE, { kind: "return", ...ORDER, quantity: 1 }));
    const other = { shopper: "late", orderId: `ord_${"1".repeat(34)}` };
    const paid = await bed.told(stock.ask(ONE, { kind: "confirm", ...other, quantity: 1 }));
    expect(paid).toEqual({ kind: "sold" });
  });

  test("the next owner is bound by what the one before announced, and by no more", async () => {
    for (const way of ["hand-off", "crash"] as const) {
      const bed = await soldOutBed();
      const other = skuIn(1, "y");
      await bed.open(other, { released: 5 });
      await stampede(bed, 1_500);
      const old = bed.node("n1").stock;
      await bed.told(old.ask(ONE, { kind: "return", ...ORDER, quantity: 1 }));
      if (way === "hand-off") await bed.told(old.disown(1));
      const { stock } = bed.node("n2");
      stock.own(1, 2);
      await bed.runtime.settle();
      expect(await bed.told(stock.ask(other, hold("w")))).toMatchObject({ kind: "held" });
      expect(await bed.told(stock.ask(ONE, hold("w")))).toEqual({ kind: "sold_out" });
      await bed.runtime.advance(EDGE_BOUND_MS);
      expect(refusesEarly(bed)).toBe(false);
      expect(await bed.told(stock.ask(ONE, hold("w")))).toMatchObject({ kind: "held" });
    }
  });

  test("units returned to the next owner right after its claim wait too", async () => {
    const bed = await soldOutBed();
    await stampede(bed, 1_500);
    const { stock } = bed.node("n2");
    stock.own(1, 2);
    await bed.runtime.settle();
    await bed.told(stock.ask(ONE, { kind: "return", ...ORDER, quantity: 1 }));
    expect(await bed.told(stock.ask(ONE, hold("w")))).toEqual({ kind: "sold_out" });
    await bed.runtime.advance(EDGE_BOUND_MS);
    expect(await bed.told(stock.ask(ONE, hold("w")))).toMatchObject({ kind: "held" });
  });
});

describe("before the start", () => {
  test("an edge refuses by its directory, and asks in the last two seconds", async () => {
    const opensAtMs = START_MS + 10_000;
    const bed = await routerBed({ opensAtMs: () => opensAtMs });
    await bed.open(ONE, { startsAtMs: opensAtMs });
    const { router } = bed.node("n0");
    expect(router.refuseEarly(ONE)).toEqual({ kind: "not_open" });
    await bed.runtime.advance(8_100);
    expect(router.refuseEarly(ONE)).toBeNull();
    expect(await bed.told(router.ask(ONE, hold("s")))).toEqual({ kind: "not_open" });
    await bed.runtime.advance(2_000);
    expect(await bed.told(router.ask(ONE, hold("s")))).toMatchObject({ kind: "held" });
  });
});

describe("the feed", () => {
  test("every node hears each change once, in order", async () => {
    const bed = await routerBed();
    const heard = bed.nodes.map(({ levels }) => {
      const changes: LevelChange[] = [];
      levels.onLevels((more) => void changes.push(...more));
      return changes;
    });
    await bed.open(ONE, { released: 2, limit: 1 });
    await bed.runtime.advance(400);
    const { router } = bed.node("n0");
    await bed.told(router.ask(ONE, hold("a")));
    await bed.runtime.advance(400);
    await bed.told(router.ask(ONE, hold("b")));
    await bed.runtime.advance(400);
    await bed.told(router.ask(ONE, rulesOf({ version: 2, released: 50 })));
    await bed.runtime.advance(400);
    for (const changes of heard) {
      expect(changes.map(({ level }) => level)).toEqual([
        "available",
        "low",
        "all_held",
        "available",
      ]);
    }
  });

  test("garbage on the topic is ignored", async () => {
    const bed = await routerBed();
    for (const text of ["", "l", "l\tn1\tx\t1\t1\nZ\t1", "l\tn1\tx\t1\t1\nL\t1\t1\t1\ta\tfull"]) {
      bed.node("n0").bus.deliver(`1\tcluster-1\n${text}`, "levels");
    }
    await bed.runtime.settle();
    expect(bed.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});
