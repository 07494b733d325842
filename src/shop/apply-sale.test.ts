import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { intercepted } from "../../test/support/intercept.ts";
import {
  bodyOf,
  countsOf,
  fileOf,
  hold,
  MERCHANT,
  openSale,
  OTHER,
  skuOf,
  startTestShop,
  type TestShop,
} from "../../test/support/test-shop.ts";
import { Fault } from "../core/errors.ts";
import { createShop } from "./create-shop.ts";
import type { SaleFile } from "./sale-file.ts";
import type { ApplyResult, SaleChange } from "./shop.ts";

let shop: TestShop;
let sales = 0;

beforeAll(async () => {
  shop = await startTestShop();
});

afterAll(async () => {
  await shop.close();
});

const newSale = (): string => `sale-${++sales}`;

function put(file: SaleFile, expectedVersion?: number): Promise<ApplyResult> {
  const asked = { merchant: MERCHANT, file, dryRun: false };
  return shop.shop.applySale(expectedVersion === undefined ? asked : { ...asked, expectedVersion });
}

let keys = 0;

function change(saleId: string, made: SaleChange, key = `key-${++keys}`): Promise<ApplyResult> {
  const asked = { merchant: MERCHANT, saleId, change: made, idempotencyKey: key };
  return shop.shop.changeSale(asked);
}

describe("applying a file", () => {
  test("makes a sale, and changes nothing when it is applied again", async () => {
    const file = fileOf(shop, newSale(), [skuOf("shoe"), skuOf("sock")]);
    const made = await put(file);
    expect(made).toMatchObject({ kind: "applied", isNew: true, sale: { version: 1 } });
    expect(await put(file)).toMatchObject({ kind: "unchanged", sale: { version: 1 } });
    expect(await put(file, 0)).toMatchObject({ kind: "unchanged" });
    const { saleId } = file.header;
    expect(await countsOf(shop, saleId, "shoe")).toMatchObject({ released: 10, available: 10 });
  });

  test("a dry run says what would happen and does nothing", async () => {
    const saleId = newSale();
    const file = fileOf(shop, saleId, [skuOf("shoe"), skuOf("sock")]);
    const asked = { merchant: MERCHANT, file, dryRun: true };
    const planned = await shop.shop.applySale(asked);
    expect(planned).toMatchObject({
      kind: "planned",
      plan: { isNew: true, baseVersion: 0, units: 20, skus: { added: ["shoe", "sock"] } },
    });
    expect(await shop.ports.catalogue.sale(saleId)).toBeNull();
    await put(file);
    const more = { ...file, skus: [skuOf("shoe", { stock: 12 }), skuOf("sock")] };
    expect(await shop.shop.applySale({ ...asked, file: more })).toMatchObject({
      plan: {
        baseVersion: 1,
        units: 22,
        fields: [],
        skus: { changed: [{ sku: "shoe", field: "stock", from: "10", to: "12" }], total: 2 },
      },
    });
    expect(await countsOf(shop, saleId, "shoe")).toMatchObject({ released: 10 });
  });

  test("another merchant's sale is not found, an older If-Match is told the version", async () => {
    const file = fileOf(shop, newSale(), [skuOf("shoe")]);
    await put(file);
    const theirs = { merchant: OTHER, file, dryRun: false };
    expect(await shop.shop.applySale(theirs)).toEqual({ kind: "not_found" });
    const other = { ...file, header: { ...file.header, title: "New" } };
    expect(await put(other, 0)).toEqual({ kind: "changed_meanwhile", version: 1 });
    expect(await put(other, 1)).toMatchObject({ kind: "applied", sale: { version: 2 } });
  });

  test("a SKU left out before the start has nothing released, and may come back", async () => {
    const startsAtMs = Math.floor(shop.nowMs() / 1_000) * 1_000 + 3_600_000;
    const window = { startsAtMs, endsAtMs: startsAtMs + 3_600_000 };
    const saleId = newSale();
    const both = fileOf(shop, saleId, [skuOf("shoe"), skuOf("sock")], window);
    await put(both);
    expect((await put({ ...both, skus: [skuOf("shoe")] })).kind).toBe("applied");
    expect(await countsOf(shop, saleId, "sock")).toMatchObject({ released: 0 });
    expect((await put({ ...both, skus: [skuOf("shoe")] })).kind).toBe("unchanged");
    expect((await put(both)).kind).toBe("applied");
    expect(await countsOf(shop, saleId, "sock")).toMatchObject({ released: 10 });
  });
});

describe("once open", () => {
  const rows: readonly [string, (file: SaleFile) => SaleFile, readonly string[] | "applied"][] = [
    ["its title", (file) => withHeader(file, { title: "New" }), "applied"],
    ["its end", (file) => withHeader(file, { endsAtMs: file.header.endsAtMs + 1_000 }), "applied"],
    [
      "stock",
      (file) => ({ ...file, skus: [skuOf("shoe", { stock: 5 }), file.skus[1]!] }),
      "applied",
    ],
    ["a price nobody holds", (file) => withSock(file, { priceMinor: 1 }), "applied"],
    ["a limit", (file) => withSock(file, { limitPerShopper: 1 }), "applied"],
    [
      "the price of what is held",
      (file) => ({ ...file, skus: [skuOf("shoe", { priceMinor: 1 }), file.skus[1]!] }),
      ["skus[shoe].price"],
    ],
    ["an end in the past", (file) => withHeader(file, { endsAtMs: shop.nowMs() - 1 }), ["endsAt"]],
    ["its currency", (file) => withHeader(file, { currency: "USD" }), ["currency"]],
    ["the hold's time", (file) => withHeader(file, { holdMs: 1_000 }), ["holdFor"]],
    [
      "its start and its zone",
      (file) => withHeader(file, { startsAtMs: 1_000, timeZone: "UTC" }),
      ["timeZone", "startsAt"],
    ],
    ["a group", (file) => withSock(file, { group: "feet" }), ["skus[sock].group"]],
    ["a new SKU", (file) => ({ ...file, skus: [...file.skus, skuOf("hat")] }), ["skus[hat]"]],
    ["a SKU left out", (file) => ({ ...file, skus: [skuOf("shoe")] }), ["skus[sock]"]],
  ];
  test.each(rows)("%s", async (_, changed, expected) => {
    const saleId = newSale();
    const file = fileOf(shop, saleId, [skuOf("shoe"), skuOf("sock")]);
    await put(file);
    await hold(shop, saleId, { shopper: "asha", sku: "shoe", quantity: 1 });
    const result = await put(changed(file));
    if (expected === "applied") expect(result).toMatchObject({ kind: "applied", isNew: false });
    else expect(result).toEqual({ kind: "not_changeable", fields: expected });
  });

  test("an ended or cancelled sale changes nothing", async () => {
    for (const kind of ["end", "cancel"] as const) {
      const file = fileOf(shop, newSale(), [skuOf("shoe")]);
      await put(file);
      await change(file.header.saleId, { kind });
      const result = await put(withHeader(file, { title: "New" }));
      expect(result).toEqual({ kind: "not_changeable", fields: ["title"] });
      expect((await change(file.header.saleId, { kind: "resume" })).kind).toBe("not_changeable");
    }
  });

  test("stock below what is held is refused whole, and says the least that it can be", async () => {
    const saleId = newSale();
    const file = fileOf(shop, saleId, [skuOf("shoe"), skuOf("sock")]);
    await put(file);
    await hold(shop, saleId, { shopper: "asha", sku: "sock", quantity: 2 });
    const less = { ...file, skus: [skuOf("shoe", { stock: 4 }), skuOf("sock", { stock: 1 })] };
    const refused = { kind: "below_committed", skus: ["sock"], minimum: 2 } as const;
    expect(await put(less)).toEqual(refused);
    expect(await change(saleId, { kind: "stock", sku: "sock", delta: -9 })).toEqual(refused);
    expect(await change(saleId, { kind: "stock", sku: "sock", delta: -11 })).toEqual(refused);
    expect(await countsOf(shop, saleId, "shoe")).toMatchObject({ released: 10 });
    // Known before anything was stored or sent.
    expect(await shop.ports.catalogue.sale(saleId)).toMatchObject({ version: 1 });
  });

  test("a hold that slips in takes the whole version back, under a higher one", async () => {
    const saleId = newSale();
    const file = fileOf(shop, saleId, [skuOf("shoe"), skuOf("sock")]);
    await put(file);
    let isTaken = false;
    const ports = intercepted(shop.ports, async (name, call) => {
      if (name === "catalogue.begin" && !isTaken) {
        isTaken = true;
        await hold(shop, saleId, { shopper: "asha", sku: "sock", quantity: 2 });
      }
      return call();
    });
    const less = { ...file, skus: [skuOf("shoe", { stock: 4 }), skuOf("sock", { stock: 1 })] };
    const refused = { kind: "below_committed", skus: ["sock"], minimum: 2 } as const;
    const asked = { merchant: MERCHANT, file: less, dryRun: false };
    expect(await createShop(ports).applySale(asked)).toEqual(refused);
    expect(await countsOf(shop, saleId, "shoe")).toMatchObject({ released: 10 });
    expect(await shop.ports.catalogue.sale(saleId)).toMatchObject({ version: 3 });
    expect(await put(withHeader(file, { title: "After" }))).toMatchObject({ kind: "applied" });
  });
});

test("a crash in the middle of taking a version back is repaired after the start", async () => {
  const saleId = newSale();
  const file = fileOf(shop, saleId, [skuOf("shoe"), skuOf("sock")]);
  await put(file);
  let begins = 0;
  const ports = intercepted(shop.ports, async (name, call) => {
    if (name === "catalogue.begin" && ++begins === 1) {
      await hold(shop, saleId, { shopper: "asha", sku: "sock", quantity: 2 });
    } else if (begins === 1 && name === "catalogue.abandon") {
      await call();
      throw new Fault("unknown", "the process died here");
    }
    return call();
  });
  const less = { ...file, skus: [skuOf("shoe", { stock: 4 }), skuOf("sock", { stock: 1 })] };
  const asked = { merchant: MERCHANT, file: less, dryRun: false };
  await createShop(ports)
    .applySale(asked)
    .catch((fault: Fault) => expect(fault.code).toBe("unknown"));
  expect(await countsOf(shop, saleId, "shoe")).toMatchObject({ released: 4 });
  const started = createShop(shop.ports);
  await started.repairSales();
  expect(await countsOf(shop, saleId, "shoe")).toMatchObject({ released: 10, available: 10 });
  expect(await shop.ports.catalogue.sale(saleId)).toMatchObject({ version: 3 });
  await started.repairSales();
  expect(await shop.ports.catalogue.sale(saleId)).toMatchObject({ version: 3 });
});

describe("a version whose request was lost", () => {
  test("is applying, is not seen before every SKU has it, and is finished by the sweep", async () => {
    const saleId = newSale();
    const file = fileOf(shop, saleId, [skuOf("shoe"), skuOf("sock")]);
    let asks = 0;
    const ports = intercepted(shop.ports, async (name, call) => {
      if (name !== "stock.ask" || ++asks !== 2) return call();
      shop.pass(2_500);
      throw new Fault("unknown", "no answer");
    });
    const asked = { merchant: MERCHANT, file, dryRun: false };
    const lost = await createShop(ports).applySale(asked);
    expect(lost).toEqual({ kind: "applying", applied: 1, total: 2 });
    expect(shop.shop.directory.sale(saleId)).toBeNull();
    expect(await shop.shop.sweepSales(shop.nowMs())).toBe(0);
    shop.pass(5_000);
    expect(await shop.shop.sweepSales(shop.nowMs())).toBe(1);
    expect(shop.shop.directory.sale(saleId)?.version).toBe(1);
    expect(await put(file)).toMatchObject({ kind: "unchanged" });
  });

  test("is joined by its repeat, and refuses another", async () => {
    const saleId = newSale();
    const file = fileOf(shop, saleId, [skuOf("shoe")]);
    const ports = intercepted(shop.ports, async (name, call) => {
      if (name === "catalogue.publish") throw new Fault("store_unavailable", "away");
      return call();
    });
    const asked = { merchant: MERCHANT, file, dryRun: false };
    const lost = createShop(ports).applySale(asked);
    expect(await lost.catch((fault: Fault) => fault.code)).toBe("store_unavailable");
    const other = withHeader(file, { title: "Other" });
    expect(await put(other).catch((fault: Fault) => fault.code)).toBe("busy");
    expect(await put(file)).toMatchObject({ kind: "applied", isNew: true });
  });

  test("is heard of by its repeat that it overtakes", async () => {
    const saleId = newSale();
    const file = fileOf(shop, saleId, [skuOf("shoe")]);
    const asked = { merchant: MERCHANT, file, dryRun: false };
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const slow = intercepted(shop.ports, async (name, call) => {
      if (name !== "catalogue.publish") return call();
      reached.resolve();
      return released.promise.then(call);
    });
    const first = createShop(slow).applySale(asked);
    await reached.promise;
    const overtaken = intercepted(shop.ports, async (name, call) => {
      if (name === "catalogue.pending") {
        released.resolve();
        await first;
      }
      return call();
    });
    expect(await createShop(overtaken).applySale(asked)).toMatchObject({ kind: "unchanged" });
    expect(await first).toMatchObject({ kind: "applied", isNew: true });
  });

  test("ends alike when any one call fails, then repeated and swept", async () => {
    for (let failing = 0; ; failing++) {
      const saleId = newSale();
      await openSale(shop, saleId, [skuOf("shoe"), skuOf("sock")]);
      let count = 0;
      const ports = intercepted(shop.ports, async (name, call) => {
        const isFailing = count++ === failing;
        const result = await call();
        if (isFailing) throw new Fault("unknown", `${name} fails`);
        return result;
      });
      const route = createShop(ports);
      const delta = { kind: "stock", sku: "shoe", delta: 5 } as const;
      const asked = { merchant: MERCHANT, saleId, change: delta, idempotencyKey: "once" };
      await route
        .changeSale(asked)
        .catch((thrown: unknown) => expect(thrown).toBeInstanceOf(Fault));
      shop.pass(6_000);
      await shop.shop.sweepSales(shop.nowMs());
      expect(["applied", "unchanged"]).toContain((await change(saleId, delta, "once")).kind);
      expect(await countsOf(shop, saleId, "shoe")).toMatchObject({ released: 15 });
      expect(shop.shop.directory.sku(saleId, "shoe")?.stock).toBe(15);
      if (count <= failing) break;
    }
  });
});

describe("changes of a sale", () => {
  test("pause refuses new holds, resume takes them again, and a repeat of each does nothing", async () => {
    const saleId = newSale();
    await openSale(shop, saleId, [skuOf("shoe")]);
    const asha = { shopper: "asha", sku: "shoe", quantity: 1 };
    expect(await change(saleId, { kind: "pause" }, "p")).toMatchObject({ kind: "applied" });
    expect(await hold(shop, saleId, asha)).toBe("paused");
    expect(await change(saleId, { kind: "resume" }, "r")).toMatchObject({ kind: "applied" });
    expect(await change(saleId, { kind: "pause" }, "p")).toMatchObject({ kind: "unchanged" });
    expect(await hold(shop, saleId, asha)).toBe("held");
    expect(await change(saleId, { kind: "resume" }, "p")).toEqual({ kind: "idempotency_mismatch" });
  });

  test("a repeat is told so also when the sale has ended since", async () => {
    const saleId = newSale();
    await openSale(shop, saleId, [skuOf("shoe")]);
    const more = { kind: "stock", sku: "shoe", delta: 5 } as const;
    await change(saleId, more, "once");
    await change(saleId, { kind: "end" });
    expect((await change(saleId, more, "once")).kind).toBe("unchanged");
    expect((await change(saleId, more, "twice")).kind).toBe("not_changeable");
  });

  test("extend moves the end later only", async () => {
    const saleId = newSale();
    await openSale(shop, saleId, [skuOf("shoe")]);
    const endsAtMs = shop.shop.directory.sale(saleId)!.endsAtMs;
    const earlier = await change(saleId, { kind: "extend", endsAtMs: endsAtMs - 1 });
    expect(earlier).toEqual({ kind: "not_changeable", fields: ["endsAt"] });
    await change(saleId, { kind: "extend", endsAtMs: endsAtMs + 60_000 });
    shop.pass(endsAtMs - shop.nowMs() + 1_000);
    expect(await hold(shop, saleId, { shopper: "asha", sku: "shoe", quantity: 1 })).toBe("held");
    shop.pass(60_000);
    expect(await hold(shop, saleId, { shopper: "ravi", sku: "shoe", quantity: 1 })).toBe("ended");
    const late = await change(saleId, { kind: "extend", endsAtMs: shop.nowMs() + 60_000 });
    expect(late.kind).toBe("not_changeable");
  });

  test("the same stock change 20 times at once is done once; 8 different ones are all done", async () => {
    const saleId = newSale();
    await openSale(shop, saleId, [skuOf("shoe")]);
    const more = { kind: "stock", sku: "shoe", delta: 5 } as const;
    const same = Array.from({ length: 20 }, () => change(saleId, more, "once"));
    for (const { kind } of await Promise.all(same)) {
      expect(["applied", "unchanged"]).toContain(kind);
    }
    expect(await countsOf(shop, saleId, "shoe")).toMatchObject({ released: 15 });
    const others = Array.from({ length: 8 }, (_, index) => change(saleId, more, `other-${index}`));
    for (const { kind } of await Promise.all(others)) expect(kind).toBe("applied");
    expect(await countsOf(shop, saleId, "shoe")).toMatchObject({ released: 55 });
  });

  test("an unknown sale, SKU or merchant is not found", async () => {
    const saleId = newSale();
    await openSale(shop, saleId, [skuOf("shoe")]);
    expect(await change("nowhere", { kind: "pause" })).toEqual({ kind: "not_found" });
    const hat = { kind: "stock", sku: "hat", delta: 1 } as const;
    expect(await change(saleId, hat)).toEqual({ kind: "not_found" });
    const theirs = {
      merchant: OTHER,
      saleId,
      idempotencyKey: "k",
      change: { kind: "end" },
    } as const;
    expect(await shop.shop.changeSale(theirs)).toEqual({ kind: "not_found" });
  });
});

test("20,000 SKUs are applied, and an order of the last one is paid", async () => {
  const saleId = newSale();
  const skus = Array.from({ length: 20_000 }, (_, index) => skuOf(`sku-${index}`));
  const file = fileOf(shop, saleId, skus);
  const result = await put(file);
  expect(["applied", "applying"]).toContain(result.kind);
  if (result.kind === "applying") {
    shop.pass(5_000);
    expect(await shop.shop.sweepSales(shop.nowMs())).toBe(1);
  }
  const mine = { shopper: "asha", sku: "sku-19999", quantity: 1 };
  expect(await hold(shop, saleId, mine)).toBe("held");
  const request = bodyOf(saleId, "tok_ok", { "sku-19999": 1 });
  const asked = { shopper: "asha", idempotencyKey: "last", request };
  expect((await shop.shop.checkout(asked)).kind).toBe("paid");
  const report = await shop.shop.report(MERCHANT, saleId);
  expect(report?.skus.length).toBe(20_000);
  expect(report?.orders).toEqual({ paid: 1 });
});

function withHeader(file: SaleFile, header: Partial<SaleFile["header"]>): SaleFile {
  return { ...file, header: { ...file.header, ...header } };
}

function withSock(file: SaleFile, sock: Parameters<typeof skuOf>[1]): SaleFile {
  return { ...file, skus: [file.skus[0]!, skuOf("sock", sock)] };
}
