import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { intercepted } from "../../test/support/intercept.ts";
import {
  fileOf,
  MERCHANT,
  openSale,
  skuOf,
  startTestShop,
  type TestShop,
} from "../../test/support/test-shop.ts";
import { Fault } from "../core/errors.ts";
import { createShop } from "./create-shop.ts";

let shop: TestShop;
beforeAll(async () => {
  shop = await startTestShop();
});
afterAll(() => shop.close());

const codeOf = (fault: unknown): unknown => (fault instanceof Fault ? fault.code : fault);

/** An open sale at version 1, with a change of its title that lost its request on its way. */
async function saleOnItsWay(saleId: string) {
  await openSale(shop, saleId, [skuOf("shoe")]);
  const file = fileOf(shop, saleId, [skuOf("shoe")]);
  const ports = intercepted(shop.ports, async (name, call) => {
    if (name === "catalogue.publish") throw new Fault("store_unavailable", "away");
    return call();
  });
  const titled = { ...file, header: { ...file.header, title: "Another" } };
  const lost = createShop(ports).applySale({ merchant: MERCHANT, file: titled, dryRun: false });
  expect(await lost.catch(codeOf)).toBe("store_unavailable");
  const third = { ...file, header: { ...file.header, title: "A third" } };
  return (expectedVersion?: number) =>
    shop.shop
      .applySale({
        merchant: MERCHANT,
        file: third,
        dryRun: false,
        ...(expectedVersion === undefined ? {} : { expectedVersion }),
      })
      .catch(codeOf);
}

describe("while another version is on its way", () => {
  test("a named change is busy after its wait, and done once the other one has ended", async () => {
    await saleOnItsWay("named");
    const change = { kind: "pause" } as const;
    const asked = { merchant: MERCHANT, saleId: "named", change, idempotencyKey: "p" };
    const paused = shop.shop.changeSale(asked).catch(codeOf);
    shop.pass(2_500);
    expect(await paused).toBe("busy");
    shop.pass(5_000);
    await shop.shop.sweepSales(shop.nowMs());
    expect(await shop.shop.changeSale(asked)).toMatchObject({ kind: "applied" });
    expect(shop.shop.directory.sale("named")).toMatchObject({ title: "Another", phase: "paused" });
  });

  test("a file is busy unless its If-Match is not true: then the version is another one", async () => {
    const put = await saleOnItsWay("filed");
    expect(await put()).toBe("busy");
    expect(await put(1)).toBe("busy");
    expect(await put(2)).toEqual({ kind: "changed_meanwhile", version: 1 });
    shop.pass(5_000);
    await shop.shop.sweepSales(shop.nowMs());
    expect(await put(1)).toEqual({ kind: "changed_meanwhile", version: 2 });
    expect(await put()).toMatchObject({ kind: "applied", sale: { version: 3 } });
  });
});
