import { A, nodeBed, Z } from "../support/actors.ts";
import { type RouterBed, routerBed, skuIn } from "../support/router-bed.ts";
import { stockSuite } from "./stock.suite.ts";

stockSuite("StockNode", async () => {
  const bed = await nodeBed({ count: 2 });
  return {
    stock: bed.node,
    one: A,
    other: Z,
    told: async (asked) => {
      await bed.runtime.settle();
      return asked;
    },
    pass: (passedMs) => bed.runtime.advance(passedMs),
  };
});

stockSuite("Router, three nodes on the in-process bus", async () => {
  const bed = await routerBed();
  return {
    stock: bed.node("n0").router,
    one: skuIn(1),
    other: skuIn(2),
    told: bed.told,
    pass: (passedMs) => bed.runtime.advance(passedMs),
  };
});

stockSuite("Router at the owner", async () => {
  const bed = await routerBed();
  return {
    stock: bed.node("n1").router,
    one: skuIn(1),
    other: skuIn(2),
    told: bed.told,
    pass: (passedMs) => bed.runtime.advance(passedMs),
  };
});

/** Every message comes twice, the second time after later ones, and neighbours change places. */
function unruly(bed: RouterBed): void {
  for (const { bus } of bed.nodes) {
    const deliver = bus.deliver.bind(bus);
    let turn = 0;
    bus.deliver = (text, topic) => {
      const again = (turns: number): void => {
        if (turns === 0) deliver(text, topic);
        else bed.runtime.soon(() => again(turns - 1));
      };
      again(turn++ % 3);
      again(4);
    };
  }
}

stockSuite("Router, on a bus that doubles and reorders", async () => {
  const bed = await routerBed();
  unruly(bed);
  return {
    stock: bed.node("n0").router,
    one: skuIn(1),
    other: skuIn(2),
    told: bed.told,
    pass: (passedMs) => bed.runtime.advance(passedMs),
  };
});
