import { A, nodeBed, Z } from "../support/actors.ts";
import { routerBed, skuIn } from "../support/router-bed.ts";
import { stockSuite } from "./stock.suite.ts";

stockSuite("StockNode", async () => {
  const bed = await nodeBed({ count: 2 });
  return {
    stock: bed.node,
    one: A,
    other: Z,
    async told(asked) {
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
