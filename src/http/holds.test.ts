import { afterAll, beforeEach, describe, expect, test } from "bun:test";

import { fakeApp, MERCHANT_KEY, SHOPPER, systemClock } from "../../test/support/http-fakes.ts";
import { Fault } from "../core/errors.ts";
import { holdIdOf, skuTagOf } from "../core/ids.ts";
import { serve } from "./serve.ts";

const fakes = fakeApp();
const served = serve(fakes.app, { host: "127.0.0.1", port: 0 });
afterAll(() => served.stop({ graceMs: 1_000 }));

const { accessToken } = await fakes.tokens.sign(SHOPPER);
const HOLD = "/v1/sales/drop/skus/phone/hold";
const HELD = { number: 7, quantity: 2, priceMinor: 1_999_900, deadlineMs: 1_790_000_000_123 };

type Sent = {
  method?: string;
  path?: string;
  body?: string;
  type?: string;
  authorization?: string | null;
};

async function send(sent: Sent = {}) {
  const { method = "PUT", path = HOLD, body = '{"quantity":2}', type = "application/json" } = sent;
  const { authorization = `Bearer ${accessToken}` } = sent;
  const headers = new Headers();
  if (authorization !== null) headers.set("authorization", authorization);
  if (method === "PUT") headers.set("content-type", type);
  // Without a length the app counts what it receives: other tests go that way.
  if (body.length > 65_536) headers.set("content-length", String(body.length));
  const init = { method, headers, ...(method === "PUT" ? { body } : {}) };
  // Both ways to an answer, the raw route and Elysia's, must agree.
  const [direct, routed] = await Promise.all([
    fetch(`${served.url}${path}`, init),
    fakes.app.handle(new Request(`http://localhost${path}`, init)),
  ]);
  const text = await direct.text();
  expect(routed.status).toBe(direct.status);
  expect(await routed.text()).toBe(text);
  return { status: direct.status, headers: direct.headers, text, body: text && JSON.parse(text) };
}

beforeEach(() => {
  fakes.stock.early = null;
  fakes.stock.asked = [];
  fakes.stock.answer = () => ({ kind: "held", isNew: true, hold: { ...HELD, paying: false } });
});

describe("PUT …/hold", () => {
  test("a new hold is 201 with all that the contract names", async () => {
    const { status, headers, body } = await send();
    expect(status).toBe(201);
    expect(headers.get("content-type")).toBe("application/json");
    expect(body).toEqual({
      holdId: holdIdOf(skuTagOf("drop/phone"), 7),
      sale: "drop",
      sku: "phone",
      quantity: 2,
      unitPrice: { amountMinor: 1_999_900, currency: "INR" },
      expiresAt: "2026-09-21T14:13:20.123Z",
      state: "open",
    });
    expect(fakes.stock.asked[0]).toEqual({ kind: "hold", shopper: SHOPPER, quantity: 2 });
  });

  test("the same or a changed hold is 200, one in checkout says so", async () => {
    fakes.stock.answer = () => ({ kind: "held", isNew: false, hold: { ...HELD, paying: true } });
    const { status, body } = await send();
    expect(status).toBe(200);
    expect(body.state).toBe("paying");
  });

  const refusals: [Record<string, unknown> & { kind: string }, number][] = [
    [{ kind: "in_checkout" }, 409],
    [{ kind: "not_open" }, 403],
    [{ kind: "paused" }, 403],
    [{ kind: "ended" }, 403],
    [{ kind: "cancelled" }, 403],
    [{ kind: "limit_reached", limit: 2, held: 1, bought: 1 }, 409],
    [{ kind: "sold_out" }, 409],
    [{ kind: "all_held" }, 409],
    [{ kind: "too_few", available: 1 }, 409],
  ];
  test.each(refusals)("%o is a problem", async (outcome, expected) => {
    fakes.stock.answer = () => outcome;
    const { status, headers, body } = await send();
    const { kind, ...extensions } = outcome;
    expect(status).toBe(expected);
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(body).toMatchObject({ ...extensions, code: kind, status: expected });
    expect(body.type).toBe(`urn:doorbuster:problem:${kind}`);
    expect(body.title).not.toBe("");
    expect(body.detail).not.toBe("");
  });

  test("a SKU that its owner does not know is 404", async () => {
    fakes.stock.answer = () => ({ kind: "unknown_sku" });
    expect((await send()).body.code).toBe("not_found");
  });

  test("a refusal at the edge comes before the body is read, after authentication", async () => {
    fakes.stock.early = { kind: "sold_out" };
    expect((await send({ body: "{" })).body.code).toBe("sold_out");
    expect((await send({ authorization: null })).body.code).toBe("unauthenticated");
    expect((await send({ path: "/v1/sales/drop/skus/none/hold" })).body.code).toBe("not_found");
    expect(fakes.stock.asked).toEqual([]);
  });
});

describe("bodies of PUT …/hold", () => {
  const malformed = ["", "{", "quantity=1", '{"quantity":1}x', "[".repeat(30_000)];
  test.each(malformed)("%p is malformed_json", async (body) => {
    const answer = await send({ body });
    expect([answer.status, answer.body.code]).toEqual([400, "malformed_json"]);
  });

  const invalid: [string, string][] = [
    ["{}", "quantity"],
    ["null", ""],
    ["[]", ""],
    ['{"quantity":0}', "quantity"],
    ['{"quantity":101}', "quantity"],
    ['{"quantity":-1}', "quantity"],
    ['{"quantity":1.5}', "quantity"],
    ['{"quantity":"1"}', "quantity"],
    ['{"quantity":null}', "quantity"],
    ['{"quantity":1e999}', "quantity"],
    ['{"quantity":true}', "quantity"],
    ['{"quantity":1,"qty":100}', "qty"],
    ['{"quantity":1,"__proto__":{"quantity":2}}', "__proto__"],
  ];
  test.each(invalid)("%s is invalid_request and names the field", async (body, field) => {
    const answer = await send({ body });
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    expect(answer.body.errors[0].field).toBe(field);
    expect(fakes.stock.asked).toEqual([]);
  });

  const good = ['{"quantity":1}', '{"quantity": 100}', ' {\n"quantity" : 3 } ', '{"quantity":2.0}'];
  test.each(good)("%s is taken", async (body) => {
    expect((await send({ body })).status).toBe(201);
  });

  test("a refused value is never in the answer", async () => {
    const answer = await send({ body: '{"quantity":"marker-in-value"}' });
    expect(answer.text).not.toContain("marker");
  });
});

describe("order of checks of PUT …/hold", () => {
  const huge = "x".repeat(70_000);
  const bad = { body: "{", path: "/v1/sales/none/skus/none/hold", authorization: "Bearer x" };
  const rows: [string, Sent, number, string][] = [
    ["413 before 415", { ...bad, body: huge, type: "text/plain" }, 413, "body_too_large"],
    ["415 before 401", { ...bad, type: "text/plain" }, 415, "unsupported_media_type"],
    ["401 before 404", bad, 401, "unauthenticated"],
    ["404 before 400", { body: "{", path: bad.path }, 404, "not_found"],
    [
      "a merchant's key is no shopper",
      { authorization: `Bearer ${MERCHANT_KEY}` },
      401,
      "unauthenticated",
    ],
    ["no credentials", { authorization: null }, 401, "unauthenticated"],
    ["another scheme", { authorization: `Basic ${accessToken}` }, 401, "unauthenticated"],
    ["the 13th character is j", { type: "text/plain; j" }, 415, "unsupported_media_type"],
    ["json-like", { type: "application/jsonx" }, 415, "unsupported_media_type"],
    ["two types", { type: "application/json, text/plain" }, 415, "unsupported_media_type"],
  ];
  test.each(rows)("%s", async (_, sent, status, code) => {
    const answer = await send(sent);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers.get("www-authenticate") !== null).toBe(status === 401);
  });

  test("the media type's case and parameters are of no matter", async () => {
    expect((await send({ type: "Application/JSON; charset=utf-8" })).status).toBe(201);
  });
});

describe("DELETE …/hold", () => {
  const rows: [string, number][] = [
    ["given_back", 204],
    ["unknown_sku", 204],
    ["in_checkout", 409],
  ];
  test.each(rows)("%s is %d", async (kind, status) => {
    fakes.stock.answer = () => ({ kind });
    const answer = await send({ method: "DELETE" });
    expect(answer.status).toBe(status);
    expect(fakes.stock.asked[0]).toEqual({ kind: "give_back", shopper: SHOPPER });
    if (status === 204) expect(answer.text).toBe("");
  });

  test("without a token 401, of an unknown SKU 404", async () => {
    expect((await send({ method: "DELETE", authorization: null })).status).toBe(401);
    const path = "/v1/sales/drop/skus/none/hold";
    expect((await send({ method: "DELETE", path })).status).toBe(404);
  });
});

describe("faults", () => {
  const rows = [
    ["busy", 503, "busy"],
    ["fenced", 503, "busy"],
    ["not_owner", 503, "busy"],
    ["store_unavailable", 503, "store_unavailable"],
    ["halted", 503, "store_unavailable"],
    ["journal_corrupt", 503, "store_unavailable"],
    ["unknown", 503, "unknown"],
    ["payment_unavailable", 503, "unknown"],
    ["deadline", 504, "deadline"],
  ] as const;
  test.each(rows)("%s is %d %s", async (fault, status, code) => {
    fakes.stock.answer = () => {
      throw new Fault(fault, "marker-in-detail");
    };
    const answer = await send();
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers.get("retry-after")).toBe(status === 503 ? "1" : null);
    expect(answer.text).not.toContain("marker");
  });

  test("a bug is `unknown`, and neither its message nor its frames leave", async () => {
    fakes.stock.answer = () => {
      throw new Error("Failed query: select marker");
    };
    const answer = await send();
    expect([answer.status, answer.body.code]).toEqual([503, "unknown"]);
    expect(answer.text).not.toContain("marker");
    expect(answer.text).not.toContain("holds.ts");
    const lines = fakes.log.lines.filter((line) => line.level === "error");
    expect(lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(lines)).not.toContain("marker");
  });
});

test("a hold that its owner never answers is `deadline`, its late answer is dropped", async () => {
  let skipMs = 0;
  const clock = { ...systemClock, monotonicMs: () => performance.now() + skipMs };
  const slow = fakeApp({ clock });
  const late = Promise.withResolvers<unknown>();
  slow.stock.answer = () => {
    skipMs = 60_000;
    return late.promise;
  };
  const token = (await slow.tokens.sign(SHOPPER)).accessToken;
  const answer = await slow.app.handle(
    new Request(`http://localhost${HOLD}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: '{"quantity":1}',
    }),
  );
  expect(answer.status).toBe(504);
  expect(await answer.json()).toMatchObject({ code: "deadline" });
  late.resolve({ kind: "held", isNew: true, hold: { ...HELD, paying: false } });
  await late.promise;
  expect(slow.log.lines).toEqual([]);
});
