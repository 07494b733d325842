// What is wrong with a request is said in one of the contract's codes; no answer is a 500, and none
// carries a stack, SQL or a secret (design §10).

import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { JWT_SECRET, MODES, saleFileOf, startWorld, until, type World } from "../support/world.ts";

const SECRET = "s3cret-m4rker";
const SALE = "inputs";
const HOLD = `/v1/sales/${SALE}/skus/shoe/hold`;
const LEAKS =
  /\n\s+at |\.ts:\d|node_modules|bun:|sqlite|postgres|ioredis|drizzle|select .* from|insert into/i;
const MANY_SKUS = 100_000;

type Caller = "nobody" | "shopper" | "merchant";
type Row = readonly [
  name: string,
  request: {
    readonly method: string;
    readonly path: string;
    readonly as?: Caller;
    readonly body?: string | Uint8Array;
    readonly type?: string;
    readonly headers?: Record<string, string>;
  },
  answer: string,
];

const json = (value: unknown): string => JSON.stringify(value);
const checkout = (changes: Record<string, unknown>): string =>
  json({
    sale: SALE,
    lines: [{ sku: "shoe", quantity: 1 }],
    payment: { method: "card", token: "tok_ok" },
    ...changes,
  });
const file = (changes: Record<string, unknown>): string =>
  json({ ...saleFileOf({ sale: "bad", skus: [{ sku: "shoe", stock: 1 }] }), ...changes });
const sku = (changes: Record<string, unknown>): string =>
  file({
    skus: [{ sku: "a", title: "A", price: "1.00", stock: 1, limitPerShopper: 1, ...changes }],
  });
const put = (body: string): Row[1] => ({ method: "PUT", path: HOLD, as: "shopper", body });
const buy = (body: string, key = SECRET): Row[1] => ({
  method: "POST",
  path: "/v1/checkout",
  as: "shopper",
  body,
  headers: { "idempotency-key": key },
});
const apply = (body: string): Row[1] => ({
  method: "PUT",
  path: "/v1/admin/sales/bad",
  as: "merchant",
  body,
});
const post = (path: string, body: string): Row[1] => ({ method: "POST", path, body });

const SHOPPERS: readonly Row[] = [
  ["no JSON", put(`{"quantity":${SECRET}`), "400 malformed_json"],
  ["no body", put(""), "400 malformed_json"],
  ["a text for a number", put(`{"quantity":"${SECRET}"}`), "400 invalid_request"],
  ["zero units", put('{"quantity":0}'), "400 invalid_request"],
  ["101 units", put('{"quantity":101}'), "400 invalid_request"],
  ["half a unit", put('{"quantity":1.5}'), "400 invalid_request"],
  ["1e400 units", put('{"quantity":1e400}'), "400 invalid_request"],
  ["an unknown field", put(`{"quantity":1,"colour":"${SECRET}"}`), "400 invalid_request"],
  ["an array", put("[]"), "400 invalid_request"],
  ["another type", { ...put("quantity=1"), type: "text/plain" }, "415 unsupported_media_type"],
  ["no UTF-8", { ...put(""), body: new Uint8Array([0x7b, 0xff, 0xfe]) }, "400 malformed_json"],
  ["64 KiB and more", put(json({ quantity: 1, x: SECRET.repeat(8_000) })), "413 body_too_large"],
  ["no token", { ...put('{"quantity":1}'), as: "nobody" }, "401 unauthenticated"],
  ["an API key", { ...put('{"quantity":1}'), as: "merchant" }, "401 unauthenticated"],
  [
    "a forged token",
    { ...put('{"quantity":1}'), as: "nobody", headers: { authorization: `Bearer a.${SECRET}.c` } },
    "401 unauthenticated",
  ],
  [
    "an unknown SKU",
    { ...put('{"quantity":1}'), path: `/v1/sales/${SALE}/skus/${SECRET}/hold` },
    "404 not_found",
  ],
  ["an unknown sale", { method: "GET", path: `/v1/sales/${SECRET}` }, "404 not_found"],
  ["a sale with a quote", { method: "GET", path: "/v1/sales/a'--" }, "404 not_found"],
  ["a broken escape", { method: "GET", path: "/v1/sales/%E0%A4%A" }, "404 not_found"],
  [
    "another's order",
    { method: "GET", path: `/v1/orders/${SECRET}`, as: "shopper" },
    "404 not_found",
  ],
  ["an unknown path", { method: "GET", path: `/v1/${SECRET}` }, "404 not_found"],
  ["another method", { method: "POST", path: HOLD, as: "shopper" }, "405 method_not_allowed"],
  [
    "a bad page",
    { method: "GET", path: "/v1/orders?limit=0", as: "shopper" },
    "400 invalid_request",
  ],
  [
    "a cursor with NUL",
    { method: "GET", path: "/v1/orders?after=%00", as: "shopper" },
    "400 invalid_request",
  ],
  [
    "a checkout without a key",
    { ...buy(checkout({})), headers: {} },
    "400 idempotency_key_required",
  ],
  ["a key with a space", buy(checkout({}), "a b"), "400 invalid_request"],
  ["a key of 256", buy(checkout({}), "k".repeat(256)), "400 invalid_request"],
  ["no lines", buy(checkout({ lines: [] })), "400 invalid_request"],
  [
    "a SKU twice",
    buy(checkout({ lines: [1, 2].map((quantity) => ({ sku: "shoe", quantity })) })),
    "400 invalid_request",
  ],
  ["cash", buy(checkout({ payment: { method: "cash", token: SECRET } })), "400 invalid_request"],
  [
    "a card token with NUL",
    buy(checkout({ payment: { method: "card", token: `${SECRET}\0` } })),
    "400 invalid_request",
  ],
  [
    "a delivery with NUL",
    buy(checkout({ delivery: { street: `\0${SECRET}` } })),
    "400 invalid_request",
  ],
  [
    "a delivery with half a pair",
    buy(checkout({ delivery: { a: "\ud800" } })),
    "400 invalid_request",
  ],
  [
    "a delivery of 5 KiB",
    buy(checkout({ delivery: { a: "x".repeat(5_000) } })),
    "400 invalid_request",
  ],
  ["nothing held", buy(checkout({}), "fine"), "409 hold_lapsed"],
  [
    "no e-mail",
    post("/v1/accounts", json({ email: SECRET, password: SECRET })),
    "400 invalid_request",
  ],
  [
    "a wrong password",
    post("/v1/sessions", json({ email: "a@example.com", password: SECRET })),
    "401 unauthenticated",
  ],
  [
    "an e-mail with NUL",
    post("/v1/sessions", json({ email: "a\0@example.com", password: SECRET })),
    "400 invalid_request",
  ],
  ["an unsigned event", post("/v1/payments/events", json({ type: SECRET })), "401 unauthenticated"],
];

const MERCHANTS: readonly Row[] = [
  ["no key", { ...apply(file({})), as: "nobody" }, "401 unauthenticated"],
  ["a shopper's token", { ...apply(file({})), as: "shopper" }, "403 forbidden"],
  ["no JSON", apply(`sale: ${SECRET}`), "400 malformed_json"],
  ["another sale than the path's", apply(file({ sale: "other" })), "400 invalid_request"],
  ["an unknown field", apply(file({ colour: SECRET })), "400 invalid_request"],
  ["an unknown currency", apply(file({ currency: "XXQ" })), "400 invalid_request"],
  ["an unknown zone", apply(file({ timeZone: "Mars/Base" })), "400 invalid_request"],
  [
    "an end before the start",
    apply(file({ endsAt: "2001-01-01T00:00:00" })),
    "400 invalid_request",
  ],
  ["a day that is none", apply(file({ startsAt: "2026-02-30T00:00:00" })), "400 invalid_request"],
  ["a price with three decimals", apply(sku({ price: "1.001" })), "400 invalid_request"],
  ["a price as a number", apply(sku({ price: 1 })), "400 invalid_request"],
  ["a negative stock", apply(sku({ stock: -1 })), "400 invalid_request"],
  ["a title with NUL", apply(sku({ title: "\0" })), "400 invalid_request"],
  ["no SKUs", apply(file({ skus: [] })), "400 invalid_request"],
  [
    "a SKU twice",
    apply(file({ skus: [1, 2].map((stock) => ({ ...JSON.parse(sku({})).skus[0], stock })) })),
    "400 invalid_request",
  ],
  [
    "a bad If-Match",
    { ...apply(file({})), headers: { "if-match": SECRET } },
    "400 invalid_request",
  ],
  [
    "the report of no sale",
    { method: "GET", path: `/v1/admin/sales/${SECRET}/report`, as: "merchant" },
    "404 not_found",
  ],
  [
    "a stock change of zero",
    {
      method: "POST",
      path: `/v1/admin/sales/${SALE}/skus/shoe/stock`,
      as: "merchant",
      body: '{"delta":0}',
      headers: { "idempotency-key": "a" },
    },
    "400 invalid_request",
  ],
  [
    "fewer units than none",
    {
      method: "POST",
      path: `/v1/admin/sales/${SALE}/skus/shoe/stock`,
      as: "merchant",
      body: '{"delta":-999}',
      headers: { "idempotency-key": "b" },
    },
    "409 below_committed",
  ],
];

const AT_ADMIN = MERCHANTS.map(([name, ...rest]): Row => [`admin: ${name}`, ...rest]);

describe.each(MODES)("%s", (mode) => {
  let world: World;
  let shopperToken = "";
  beforeAll(async () => {
    world = await startWorld(mode);
    await world.openSale({ sale: SALE, skus: [{ sku: "shoe", stock: 10 }] });
    shopperToken = await world.token("tester");
  }, 60_000);
  afterAll(() => world.stop(), 60_000);

  async function ask(request: Row[1]) {
    const { method, path, as = "nobody", body, type = "application/json", headers } = request;
    const bearer = { nobody: null, shopper: shopperToken, merchant: world.apiKey }[as];
    const response = await fetch(`${world.engine.url}${path}`, {
      method,
      headers: {
        ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { "content-type": type }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  test.each([...SHOPPERS, ...AT_ADMIN])("%s", async (_, request, expected) => {
    const { status, headers, text } = await ask(request);
    const problem: { code: string } = JSON.parse(text);
    expect(`${status} ${problem.code}`, text).toBe(expected);
    expect(headers.get("content-type")).toStartWith("application/problem+json");
    const told = `${text}${JSON.stringify([...headers])}`;
    for (const secret of [SECRET, JWT_SECRET, world.apiKey, shopperToken]) {
      expect(told).not.toContain(secret);
    }
    expect(told).not.toMatch(LEAKS);
  });

  test("after all of it nothing is held, sold or applied, and no log line has a secret", async () => {
    expect(await world.counts(SALE)).toMatchObject({ released: 10, available: 10 });
    expect((await ask({ method: "GET", path: "/v1/sales/bad" })).status).toBe(404);
    const log = world.engine.output();
    for (const secret of [SECRET, JWT_SECRET, world.apiKey, shopperToken]) {
      expect(log).not.toContain(secret);
    }
    expect(log).not.toContain("a request met a bug");
  });

  test("a sale of 100,000 SKUs is applied, changed and reported whole", async () => {
    const skus = Array.from({ length: MANY_SKUS }, (_, index) => ({ sku: `s${index}`, stock: 5 }));
    const many = saleFileOf({ sale: "many", skus });
    expect(await applied(world, many)).toBeOneOf([200, 201, 202]);
    const shopper = await world.shopper("collector");
    await until("its last SKU can be held", async () => {
      return (await shopper.hold("many", `s${MANY_SKUS - 1}`, 1)).status < 300;
    });
    const changed = {
      ...many,
      title: "More",
      skus: many.skus.map((one) => ({ ...one, stock: 6 })),
    };
    expect(await applied(world, changed)).toBeOneOf([200, 202]);
    const reported = (): Promise<number> =>
      world.report("many").then((report) => {
        expect(report.skus.length).toBe(MANY_SKUS);
        return report.skus.reduce((sum, { released }) => sum + released, 0);
      });
    await until("every SKU has six", async () => (await reported()) === 6 * MANY_SKUS, 40_000);
    const { status, text } = await world.admin("GET", "/sales");
    expect(status).toBe(200);
    expect(text).toContain('"title":"More"');
  }, 120_000);
});

/** A big file may take longer than a request: what timed out is sent again, as is (I8). */
async function applied(world: World, wanted: { readonly sale: string }): Promise<number> {
  for (;;) {
    const { status, text } = await world.admin("PUT", `/sales/${wanted.sale}`, wanted);
    if (status !== 504) return status;
    expect(text).toContain('"code":"deadline"');
  }
}
