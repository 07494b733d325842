import { afterAll, describe, expect, test } from "bun:test";

import { callerOf } from "../../test/support/http-client.ts";
import { fakeApp, MERCHANT_KEY, SHOPPER } from "../../test/support/http-fakes.ts";
import type { Order } from "../core/order/order.ts";
import type { CancelResult, CheckoutResult } from "../shop/shop.ts";
import { serve } from "./serve.ts";

const fakes = fakeApp();
const { shop, webhook } = fakes;
const served = serve(fakes.app, { host: "127.0.0.1", port: 0 });
afterAll(() => served.stop({ graceMs: 1_000 }));
const { accessToken } = await fakes.tokens.sign(SHOPPER);

const call = callerOf(served.url, accessToken);

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
  contact: { email: "private@example.com" },
  delivery: null,
  createdAtMs: 1_790_000_000_000,
  updatedAtMs: 1_790_000_000_001,
  payUntilMs: 0,
  settled: true,
};
const RENDERED_CHECKOUT = {
  orderId: ORDER.orderId,
  sale: "drop",
  status: "paid",
  lines: [
    {
      sku: "phone",
      quantity: 2,
      unitPrice: { amountMinor: 500, currency: "INR" },
      amount: { amountMinor: 1_000, currency: "INR" },
    },
  ],
  total: { amountMinor: 1_000, currency: "INR" },
  createdAt: "2026-09-21T14:13:20.000Z",
};
const RENDERED = {
  ...RENDERED_CHECKOUT,
  refunded: { amountMinor: 0, currency: "INR" },
  updatedAt: "2026-09-21T14:13:20.001Z",
};

test("the cart adds up, and says when it is not complete", async () => {
  const hold = {
    number: 1,
    quantity: 2,
    priceMinor: 500,
    deadlineMs: 1_790_000_000_000,
    paying: false,
  };
  shop.cart = () => Promise.resolve({ holds: [{ skuKey: "drop/phone", hold }], complete: true });
  const cart = await call("GET", "/v1/cart");
  expect(cart.body.total).toEqual({ amountMinor: 1_000, currency: "INR" });
  expect(cart.body.holds[0]).toMatchObject({
    sale: "drop",
    sku: "phone",
    quantity: 2,
    state: "open",
  });
  expect(cart.body.complete).toBe(true);

  shop.cart = () => Promise.resolve({ holds: [{ skuKey: "new/phone", hold }], complete: true });
  expect((await call("GET", "/v1/cart")).body).toEqual({ holds: [], total: null, complete: false });
  shop.cart = () => Promise.resolve({ holds: [], complete: true });
  expect((await call("GET", "/v1/cart")).body).toEqual({ holds: [], total: null, complete: true });
});

describe("checkout", () => {
  const body = {
    sale: "drop",
    lines: [{ sku: "phone", quantity: 2 }],
    payment: { method: "card", token: "tok_ok" },
  };
  const headers = { "idempotency-key": "key-1" };

  const outcomes: [CheckoutResult, number, unknown][] = [
    [{ kind: "paid", order: ORDER }, 201, RENDERED_CHECKOUT],
    [
      { kind: "pending", order: { ...ORDER, status: "awaiting_payment" } },
      202,
      { ...RENDERED_CHECKOUT, status: "awaiting_payment" },
    ],
    [
      { kind: "settled", order: { ...ORDER, status: "refunded" } },
      200,
      { ...RENDERED, status: "refunded" },
    ],
    [
      { kind: "payment_declined", order: ORDER },
      402,
      { code: "payment_declined", orderId: ORDER.orderId },
    ],
    [{ kind: "hold_lapsed", skus: ["phone"] }, 409, { code: "hold_lapsed", skus: ["phone"] }],
    [{ kind: "hold_changed", skus: ["phone"] }, 409, { code: "hold_changed", skus: ["phone"] }],
    [{ kind: "in_checkout", skus: ["phone"] }, 409, { code: "in_checkout", skus: ["phone"] }],
    [{ kind: "idempotency_mismatch" }, 422, { code: "idempotency_mismatch" }],
    [{ kind: "rate_limited", retryAfterMs: 41_001 }, 429, { code: "rate_limited" }],
    [{ kind: "not_found" }, 404, { code: "not_found" }],
  ];
  const waits: Readonly<Record<string, string>> = { pending: "1", rate_limited: "42" };
  test.each(outcomes)("%o", async (outcome, status, expected) => {
    shop.checkout = () => Promise.resolve(outcome);
    const answer = await call("POST", "/v1/checkout", { body, headers });
    expect(answer.status).toBe(status);
    if (status < 400) expect(answer.body).toEqual(expected);
    else expect(answer.body).toMatchObject(expected as object);
    expect(answer.text).not.toContain("tok_secret");
    expect(answer.text).not.toContain("private@");
    const isPending = outcome.kind === "pending";
    expect(answer.headers.get("retry-after")).toBe(waits[outcome.kind] ?? null);
    if (isPending) expect(answer.headers.get("location")).toBe(`/v1/orders/${ORDER.orderId}`);
  });

  test("what was sent reaches the use case, what was left out does not", async () => {
    const seen: unknown[] = [];
    shop.checkout = (request) => {
      seen.push(request);
      return Promise.resolve({ kind: "paid", order: ORDER });
    };
    const more = { contact: { email: "a@example.com" }, delivery: { street: { no: [1] } } };
    await call("POST", "/v1/checkout", { body, headers });
    await call("POST", "/v1/checkout", { body: { ...body, ...more }, headers });
    const { sale, ...rest } = body;
    const request = { saleId: sale, ...rest };
    expect(seen).toStrictEqual([
      { shopper: SHOPPER, idempotencyKey: "key-1", request },
      { shopper: SHOPPER, idempotencyKey: "key-1", request: { ...request, ...more } },
    ]);
  });

  test("the Idempotency-Key is required and has a form", async () => {
    const none = await call("POST", "/v1/checkout", { body });
    expect([none.status, none.body.code]).toEqual([400, "idempotency_key_required"]);
    for (const key of ["with space", "x".repeat(256), "é"]) {
      const bad = await call("POST", "/v1/checkout", { body, headers: { "idempotency-key": key } });
      expect([bad.status, bad.body.code]).toEqual([400, "invalid_request"]);
      expect(bad.body.errors[0].field).toBe("Idempotency-Key");
    }
  });

  const deep = JSON.parse(`${'{"a":'.repeat(40)}1${"}".repeat(40)}`) as object;
  const bad: [string, unknown][] = [
    ["lines", { ...body, lines: [] }],
    ["lines", { ...body, lines: [body.lines[0], body.lines[0]] }],
    ["lines[0].quantity", { ...body, lines: [{ sku: "phone", quantity: 0 }] }],
    ["lines[0].price", { ...body, lines: [{ sku: "phone", quantity: 1, price: 1 }] }],
    ["payment.method", { ...body, payment: { method: "cash", token: "t" } }],
    ["payment.token", { ...body, payment: { method: "card", token: "a\nb" } }],
    ["contact.email", { ...body, contact: { email: "x" } }],
    ["contact.name", { ...body, contact: { name: "a\u0000" } }],
    ["delivery", { ...body, delivery: [] }],
    ["delivery", { ...body, delivery: { note: "x".repeat(4_096) } }],
    ["delivery", { ...body, delivery: { note: "a\u0000b" } }],
    ["delivery", { ...body, delivery: { "a\ud800": 1 } }],
    ["delivery", { ...body, delivery: deep }],
    ["delivery", JSON.stringify({ ...body, delivery: 0 }).replace("0}", '{"__proto__":{"x":1}}}')],
  ];
  test.each(bad)("a bad %s is named", async (field, sent) => {
    const answer = await call("POST", "/v1/checkout", { body: sent, headers });
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    expect(answer.body.errors[0].field).toBe(field);
  });

  test("bytes that are no UTF-8 are malformed_json", async () => {
    const response = await fetch(`${served.url}/v1/checkout`, {
      method: "POST",
      headers: {
        ...headers,
        authorization: `Bearer ${accessToken}`,
        "content-type": "application/json",
      },
      body: new Uint8Array([0x22, 0xff, 0x22]),
    });
    expect(await response.json()).toMatchObject({ status: 400, code: "malformed_json" });
  });
});

describe("orders", () => {
  test("one, with its failure; another's is 404 like a random id", async () => {
    shop.order = (shopper) => Promise.resolve(shopper === SHOPPER ? ORDER : null);
    expect((await call("GET", `/v1/orders/${ORDER.orderId}`)).body).toEqual(RENDERED);
    const failure = { code: "hold_lapsed" as const, skus: ["phone"] };
    shop.order = () => Promise.resolve({ ...ORDER, status: "failed", failure });
    expect((await call("GET", `/v1/orders/${ORDER.orderId}`)).body.failure).toEqual(failure);
    shop.order = () => Promise.resolve(null);
    expect((await call("GET", `/v1/orders/${ORDER.orderId}`)).status).toBe(404);
    expect((await call("GET", "/v1/orders/x%27--")).status).toBe(404);
  });

  test("mine come in pages", async () => {
    shop.ordersOf = (shopper, page) => {
      expect([shopper, page]).toEqual([SHOPPER, { after: "ord_x", limit: 100 }]);
      return Promise.resolve({ items: [ORDER], next: null });
    };
    const page = await call("GET", "/v1/orders?after=ord_x");
    expect(page.body).toEqual({ items: [RENDERED], next: null });
    shop.ordersOf = () => Promise.resolve("unknown_after");
    const unknown = await call("GET", "/v1/orders?after=ord_x");
    expect([unknown.status, unknown.body.errors[0].field]).toEqual([400, "after"]);
  });

  const cancels: [CancelResult, number, string | null][] = [
    [{ kind: "cancelled", order: { ...ORDER, status: "cancelled" } }, 200, null],
    [{ kind: "refunding", order: { ...ORDER, status: "refunding" } }, 202, null],
    [{ kind: "payment_pending" }, 409, "payment_pending"],
    [{ kind: "not_cancellable" }, 409, "not_cancellable"],
    [{ kind: "not_found" }, 404, "not_found"],
  ];
  test.each(cancels)("a cancel: %o", async (outcome, status, code) => {
    shop.cancelOrder = () => Promise.resolve(outcome);
    const answer = await call("POST", `/v1/orders/${ORDER.orderId}/cancel`);
    expect(answer.status).toBe(status);
    expect(answer.body.code ?? null).toBe(code);
    if (code === null) expect(answer.body.status).toBe(outcome.kind);
  });
});

describe("payment events", () => {
  test("a good signature is taken over the very bytes, a bad one is 401", async () => {
    const events: unknown[] = [];
    shop.paymentEvent = (event) => {
      events.push(event);
      return Promise.resolve();
    };
    webhook.verify = (headers, rawBody) =>
      headers.get("webhook-id") === "e1" && rawBody === '{ "a": 1 }'
        ? { eventId: "e1", orderId: "o1" }
        : null;
    const headers = { "webhook-id": "e1" };
    const taken = await call("POST", "/v1/payments/events", {
      body: '{ "a": 1 }',
      headers,
      token: null,
    });
    expect([taken.status, events]).toEqual([204, [{ eventId: "e1", orderId: "o1" }]]);
    const bad = await call("POST", "/v1/payments/events", {
      body: '{"a":1}',
      headers,
      token: null,
    });
    expect([bad.status, bad.body.code, events.length]).toEqual([401, "unauthenticated", 1]);
    expect(bad.headers.has("www-authenticate")).toBe(true);
  });
});

describe("what every shopper's call does", () => {
  const calls: [string, string][] = [
    ["GET", "/v1/cart"],
    ["POST", "/v1/checkout"],
    ["GET", "/v1/orders"],
    ["GET", `/v1/orders/${ORDER.orderId}`],
    ["POST", `/v1/orders/${ORDER.orderId}/cancel`],
  ];
  test.each(calls)(
    "%s %s is 401 without a token, with a bad one and with a key",
    async (method, path) => {
      const body = method === "POST" && path.endsWith("checkout") ? "{" : undefined;
      for (const token of [null, "x.y.z", MERCHANT_KEY, ""]) {
        const answer = await call(method, path, { token, ...(body === undefined ? {} : { body }) });
        expect([answer.status, answer.body.code]).toEqual([401, "unauthenticated"]);
        expect(answer.headers.get("www-authenticate")).toStartWith("Bearer");
      }
    },
  );

  test("an unknown path is 404, a known one with another method 405 with Allow", async () => {
    expect((await call("GET", "/v1/nothing")).body.code).toBe("not_found");
    const rows: [string, string, string][] = [
      ["DELETE", "/v1/sales", "GET, HEAD"],
      ["GET", "/v1/checkout", "POST"],
      ["GET", "/v1/sales/drop/skus/phone/hold", "PUT, DELETE"],
      ["POST", "/v1/admin/sales/drop", "PUT"],
    ];
    for (const [method, path, allow] of rows) {
      const answer = await call(method, path);
      expect([answer.status, answer.body.code]).toEqual([405, "method_not_allowed"]);
      expect(answer.headers.get("allow")).toBe(allow);
    }
  });
});
