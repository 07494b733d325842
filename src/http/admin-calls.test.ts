import { afterAll, describe, expect, test } from "bun:test";

import { callerOf } from "../../test/support/http-client.ts";
import {
  fakeApp,
  MERCHANT_KEY,
  OPERATOR_KEY,
  OTHER_KEY,
  SHOPPER,
} from "../../test/support/http-fakes.ts";
import type { Order } from "../core/order/order.ts";
import type { ApplyResult } from "../shop/shop.ts";
import { serve } from "./serve.ts";

const fakes = fakeApp();
const { shop, directory } = fakes;
const served = serve(fakes.app, { host: "127.0.0.1", port: 0 });
afterAll(() => served.stop({ graceMs: 1_000 }));
const { accessToken } = await fakes.tokens.sign(SHOPPER);

const call = callerOf(served.url, MERCHANT_KEY);

const FILE = {
  sale: "drop",
  title: "The Drop",
  currency: "INR",
  timeZone: "Asia/Kolkata",
  startsAt: "2035-01-01T00:00:00",
  endsAt: "2036-01-01T00:00:00",
  holdFor: "5m",
  payWithin: "10m",
  skus: [{ sku: "phone", title: "Phone", price: "19999.00", stock: 100, limitPerShopper: 2 }],
};

function published() {
  const sale = directory.sale("drop");
  if (sale === null) throw new Error("the fixture's sale is published");
  return sale;
}

const ORDER: Order = {
  orderId: `ord_${"0".repeat(34)}`,
  shopperId: SHOPPER,
  merchantId: "m1",
  saleId: "drop",
  idempotencyKey: "k",
  fingerprint: "f",
  status: "paid",
  lines: [{ sku: "phone", quantity: 2, unitPriceMinor: 500 }],
  currency: "INR",
  totalMinor: 1_000,
  refundedMinor: 0,
  failure: null,
  paymentToken: "tok_secret",
  contact: null,
  delivery: null,
  createdAtMs: 1_790_000_000_000,
  updatedAtMs: 1_790_000_000_001,
  payUntilMs: 0,
  settled: true,
};
const RENDERED = {
  sale: "drop",
  title: "The Drop",
  state: "open",
  startsAt: "2026-01-01T00:00:00.000Z",
  endsAt: "2036-01-01T00:00:00.000Z",
  version: 3,
  currency: "INR",
  timeZone: "Asia/Kolkata",
  holdMs: 300_000,
  payMs: 600_000,
  groups: {},
};

const PLAN = {
  isNew: false,
  baseVersion: 3,
  fields: [{ field: "title", from: "a", to: "b" }],
  skus: { added: [], removed: [], changed: [], total: 1 },
  units: 100,
};
const APPLY: [ApplyResult, number, object][] = [
  [{ kind: "applied", isNew: true, sale: published() }, 201, RENDERED],
  [{ kind: "applied", isNew: false, sale: published() }, 200, RENDERED],
  [{ kind: "unchanged", sale: published() }, 200, RENDERED],
  [{ kind: "applying", applied: 1, total: 2 }, 202, { applied: 1, total: 2 }],
  [{ kind: "planned", plan: { saleId: "drop", ...PLAN } }, 200, { sale: "drop", ...PLAN }],
  [
    { kind: "invalid", errors: [{ field: "endsAt", message: "is in the past" }] },
    400,
    { code: "invalid_request", errors: [{ field: "endsAt", message: "is in the past" }] },
  ],
  [{ kind: "not_found" }, 404, { code: "not_found" }],
  [{ kind: "changed_meanwhile", version: 4 }, 412, { code: "changed_meanwhile" }],
  [
    { kind: "below_committed", skus: ["phone"], minimum: 9 },
    409,
    { code: "below_committed", skus: ["phone"], minimum: 9 },
  ],
  [
    { kind: "not_changeable", fields: ["price"] },
    409,
    { code: "not_changeable", fields: ["price"] },
  ],
  [{ kind: "idempotency_mismatch" }, 422, { code: "idempotency_mismatch" }],
];

describe("PUT /v1/admin/sales/:sale", () => {
  const path = "/v1/admin/sales/drop";
  test.each(APPLY)("%o", async (outcome, status, expected) => {
    shop.applySale = () => Promise.resolve(outcome);
    const answer = await call("PUT", path, { body: FILE });
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject(expected);
    if ("sale" in outcome) expect(answer.headers.get("etag")).toBe('"3"');
  });

  test("the file, dryRun and If-Match reach the use case", async () => {
    const seen: unknown[] = [];
    shop.applySale = ({ merchant, file, ...rest }) => {
      seen.push([merchant.merchantId, file.header.saleId, file.skus[0]?.priceMinor, rest]);
      return Promise.resolve({ kind: "unchanged", sale: published() });
    };
    await call("PUT", path, { body: FILE });
    await call("PUT", `${path}?dryRun=true`, { body: FILE, headers: { "if-match": '"3"' } });
    await call("PUT", `${path}?dryRun=false`, { body: FILE, headers: { "if-match": "*" } });
    expect(seen).toEqual([
      ["m1", "drop", 1_999_900, { dryRun: false }],
      ["m1", "drop", 1_999_900, { dryRun: true, expectedVersion: 3 }],
      ["m1", "drop", 1_999_900, { dryRun: false }],
    ]);
  });

  const bad: [string, string, unknown, Record<string, string>][] = [
    ["sale", "/v1/admin/sales/other-id", FILE, {}],
    ["skus[0].price", path, { ...FILE, skus: [{ ...FILE.skus[0], price: 5 }] }, {}],
    ["colour", path, { ...FILE, colour: "marker" }, {}],
    ["dryRun", `${path}?dryRun=yes`, FILE, {}],
    ["If-Match", path, FILE, { "if-match": "marker" }],
  ];
  test.each(bad)("a bad %s is named and not repeated", async (field, to, body, headers) => {
    const answer = await call("PUT", to, { body, headers });
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    expect(answer.body.errors[0].field).toBe(field);
    expect(answer.text).not.toContain("marker");
  });

  test("another merchant's sale is 404, also with a bad file; If-Match: * of none is 412", async () => {
    const others = await call("PUT", path, { body: "{}", token: OTHER_KEY });
    expect([others.status, others.body.code]).toEqual([404, "not_found"]);
    const none = await call("PUT", "/v1/admin/sales/none", {
      body: { ...FILE, sale: "none" },
      headers: { "if-match": "*" },
    });
    expect([none.status, none.body.code]).toEqual([412, "changed_meanwhile"]);
  });

  test("If-Match is compared strongly: a weak tag is never the version; another's sale is 404", async () => {
    shop.applySale = () => Promise.resolve({ kind: "unchanged", sale: published() });
    for (const tag of ['W/"3"', 'W/"x"']) {
      const headers = { "if-match": tag };
      const weak = await call("PUT", path, { body: FILE, headers });
      expect([weak.status, weak.body.code]).toEqual([412, "changed_meanwhile"]);
      expect(weak.headers.get("etag")).toBe('"3"');
    }
    for (const tag of ["*", 'W/"3"']) {
      const others = { headers: { "if-match": tag }, token: OTHER_KEY };
      const answer = await call("PUT", path, { body: FILE, ...others });
      expect([answer.status, answer.body.code]).toEqual([404, "not_found"]);
    }
  });

  test("a file of more than 64 KiB is read; one of more than 16 MiB is 413", async () => {
    shop.applySale = ({ file }) =>
      Promise.resolve({ kind: "applying", applied: 0, total: file.skus.length });
    const skus = Array.from({ length: 2_000 }, (_, index) => ({
      ...FILE.skus[0],
      sku: `phone-${index}`,
    }));
    const big = await call("PUT", path, { body: { ...FILE, skus } });
    expect(big.body).toEqual({ applied: 0, total: 2_000 });
    const tooBig = await call("PUT", path, { body: `"${"x".repeat(16 * 1_024 * 1_024)}"` });
    expect([tooBig.status, tooBig.body.code]).toEqual([413, "body_too_large"]);
  });
});

describe("changes of a sale", () => {
  const path = "/v1/admin/sales/drop";
  const changes: [string, unknown, unknown][] = [
    ["pause", undefined, { kind: "pause" }],
    ["resume", undefined, { kind: "resume" }],
    ["end", undefined, { kind: "end" }],
    ["cancel", undefined, { kind: "cancel" }],
    [
      "extend",
      { endsAt: "2037-01-01T05:30:00+05:30" },
      { kind: "extend", endsAtMs: Date.UTC(2037, 0, 1) },
    ],
    ["skus/phone/stock", { delta: -5 }, { kind: "stock", sku: "phone", delta: -5 }],
  ];
  test.each(changes)("%s reaches the use case with its key", async (name, body, change) => {
    const seen: unknown[] = [];
    shop.changeSale = (request) => {
      seen.push([request.merchant.merchantId, request.saleId, request.change]);
      seen.push(request.idempotencyKey);
      return Promise.resolve({ kind: "applied", isNew: false, sale: published() });
    };
    const headers = { "idempotency-key": "k1" };
    const answer = await call("POST", `${path}/${name}`, { headers, ...(body ? { body } : {}) });
    expect([answer.status, answer.body]).toEqual([200, RENDERED]);
    expect(seen).toEqual([["m1", "drop", change], "k1"]);
  });

  test.each(APPLY)("a change that came to %o", async (outcome, status, expected) => {
    shop.changeSale = () => Promise.resolve(outcome);
    const answer = await call("POST", `${path}/pause`);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject(expected);
  });

  test("a stock change needs a key, the others make one", async () => {
    const keys: string[] = [];
    shop.changeSale = ({ idempotencyKey }) => {
      keys.push(idempotencyKey);
      return Promise.resolve({ kind: "applying", applied: 0, total: 1 });
    };
    const stock = await call("POST", `${path}/skus/phone/stock`, { body: { delta: 1 } });
    expect([stock.status, stock.body.code]).toEqual([400, "idempotency_key_required"]);
    await call("POST", `${path}/pause`);
    await call("POST", `${path}/pause`);
    expect(new Set(keys).size).toBe(2);
  });

  const bad: [string, unknown, string, string][] = [
    ["extend", { endsAt: "tomorrow" }, "endsAt", MERCHANT_KEY],
    ["extend", { endsAt: "2037-01-01T00:00:00" }, "endsAt", MERCHANT_KEY],
    // A year of five digits is no RFC 3339, and no sale file could say it.
    ["extend", { endsAt: "9999-12-31T23:59:59-23:59" }, "endsAt", MERCHANT_KEY],
    ["skus/phone/stock", { delta: 0 }, "delta", MERCHANT_KEY],
    ["skus/phone/stock", { delta: 1.5 }, "delta", MERCHANT_KEY],
    ["skus/phone/stock", { delta: 1, sku: "x" }, "sku", MERCHANT_KEY],
  ];
  test.each(bad)("%s with a bad body is 400, of another's sale 404", async (name, body, field) => {
    const answer = await call("POST", `${path}/${name}`, { body });
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    expect(answer.body.errors[0].field).toBe(field);
    const others = await call("POST", `${path}/${name}`, { body, token: OTHER_KEY });
    expect([others.status, others.body.code]).toEqual([404, "not_found"]);
  });
});

describe("views", () => {
  test("sales, report, explain and orders", async () => {
    const sale = { ...published(), state: "open" as const };
    shop.salesOf = () => Promise.resolve({ items: [sale], next: null });
    expect((await call("GET", "/v1/admin/sales")).body).toEqual({ items: [RENDERED], next: null });

    const counts = { skuKey: "drop/phone", released: 9, available: 4, held: 3, paying: 1, sold: 2 };
    const { skuKey: _, ...shown } = counts;
    shop.report = () =>
      Promise.resolve({
        saleId: "drop",
        asOfMs: 1_790_000_000_000,
        skus: [{ ...counts, sku: "phone" }],
        orders: { paid: 2 },
      });
    expect((await call("GET", "/v1/admin/sales/drop/report")).body).toEqual({
      sale: "drop",
      asOf: "2026-09-21T14:13:20.000Z",
      skus: [{ sku: "phone", ...shown }],
      orders: { paid: 2 },
    });

    const event = { kind: "held" as const, shopper: "s", number: 1, quantity: 1, priceMinor: 5 };
    shop.explain = (_merchant, request) => {
      expect(request).toEqual({ saleId: "drop", sku: "phone", afterSeq: 4, limit: 100 });
      const at = { partition: 1, seq: 5, claim: 2, atMs: 1_790_000_000_000 };
      return Promise.resolve({
        counts,
        events: [{ ...at, event: { ...event, deadlineMs: 1_790_000_000_000 } }],
        next: 5,
      });
    };
    const explained = await call("GET", "/v1/admin/sales/drop/skus/phone/explain?after=4");
    expect(explained.body).toMatchObject({ sale: "drop", sku: "phone", counts: shown, next: 5 });
    expect(explained.body.events[0]).toEqual({
      partition: 1,
      seq: 5,
      claim: 2,
      at: "2026-09-21T14:13:20.000Z",
      event: {
        kind: "held",
        shopper: "s",
        holdId: expect.stringMatching(/^hold_/),
        quantity: 1,
        unitPrice: { amountMinor: 5, currency: "INR" },
        expiresAt: "2026-09-21T14:13:20.000Z",
      },
    });

    shop.ordersOfSale = (_merchant, request) => {
      expect(request).toEqual({ saleId: "drop", status: "paid", limit: 100 });
      return Promise.resolve({ items: [], next: null });
    };
    const orders = await call("GET", "/v1/admin/orders?sale=drop&status=paid");
    expect(orders.body).toEqual({ items: [], next: null });
    expect((await call("GET", "/v1/admin/orders")).body.errors[0].field).toBe("sale");
  });

  test("orders say to a merchant, and no one else, who bought and where to ship", async () => {
    const contact = { email: "ada@example.com", name: "Ada" };
    const delivery = { street: { no: [1] } };
    shop.ordersOfSale = () =>
      Promise.resolve({ items: [{ ...ORDER, contact, delivery }, ORDER], next: null });
    const answer = await call("GET", "/v1/admin/orders?sale=drop");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.body.items).toMatchObject([
      { orderId: ORDER.orderId, shopper: ORDER.shopperId, contact, delivery },
      { contact: null, delivery: null },
    ]);
    expect(answer.text).not.toContain(ORDER.paymentToken);
    shop.order = () => Promise.resolve({ ...ORDER, contact, delivery });
    const mine = await call("GET", `/v1/orders/${ORDER.orderId}`, { token: accessToken });
    for (const name of ["shopper", "contact", "delivery"])
      expect(mine.body).not.toHaveProperty(name);
    expect(mine.body.orderId).toBe(ORDER.orderId);
  });

  test("an `after` that no page gave is 400, as in every list", async () => {
    shop.salesOf = () => Promise.resolve("unknown_after");
    shop.ordersOfSale = () => Promise.resolve("unknown_after");
    for (const path of ["sales?after=x", "orders?sale=drop&after=x"]) {
      const answer = await call("GET", `/v1/admin/${path}`);
      expect([answer.status, answer.body.errors[0].field]).toEqual([400, "after"]);
    }
  });

  test("what is not this merchant's is 404", async () => {
    shop.report = () => Promise.resolve(null);
    shop.explain = () => Promise.resolve(null);
    shop.ordersOfSale = () => Promise.resolve(null);
    for (const path of ["sales/drop/report", "sales/drop/skus/phone/explain", "orders?sale=drop"]) {
      expect((await call("GET", `/v1/admin/${path}`)).body.code).toBe("not_found");
    }
  });
});

describe("who may", () => {
  const paths: [string, string][] = [
    ["GET", "/v1/admin/sales"],
    ["GET", "/v1/admin/sales/drop/report"],
    ["POST", "/v1/admin/sales/drop/pause"],
    ["GET", "/v1/admin/orders"],
    ["GET", "/v1/admin/nodes"],
    ["POST", "/v1/admin/nodes/n1/drain"],
  ];
  test.each(paths)("%s %s: 401 without a good key, 403 for a shopper", async (method, path) => {
    for (const key of [null, "nobody", "a.b.c", "x".repeat(300)]) {
      const answer = await call(method, path, { token: key });
      expect([answer.status, answer.body.code]).toEqual([401, "unauthenticated"]);
      expect(answer.headers.get("www-authenticate")).toStartWith("Bearer");
    }
    const shopper = await call(method, path, { token: accessToken });
    expect([shopper.status, shopper.body.code]).toEqual([403, "forbidden"]);
  });

  test("nodes are for operators", async () => {
    expect((await call("GET", "/v1/admin/nodes")).status).toBe(403);
    const nodes = await call("GET", "/v1/admin/nodes", { token: OPERATOR_KEY });
    expect(nodes.body.items).toEqual([{ nodeId: "n1", state: "up", address: null, partitions: 8 }]);
    const drained = await call("POST", "/v1/admin/nodes/n1/drain", { token: OPERATOR_KEY });
    expect([drained.status, drained.body]).toEqual([202, { nodeId: "n1", state: "draining" }]);
    const none = await call("POST", "/v1/admin/nodes/n2/drain", { token: OPERATOR_KEY });
    expect(none.status).toBe(404);
  });
});
