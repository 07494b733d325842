import { afterAll, describe, expect, test } from "bun:test";

import { callerOf } from "../../test/support/http-client.ts";
import { fakeApp, SALE, SKU } from "../../test/support/http-fakes.ts";
import { Fault } from "../core/errors.ts";
import { serve } from "./serve.ts";

const fakes = fakeApp();
const { shop, directory } = fakes;
const served = serve(fakes.app, { host: "127.0.0.1", port: 0 });
afterAll(() => served.stop({ graceMs: 1_000 }));
const call = callerOf(served.url, "unused");

describe("accounts and sessions", () => {
  const credentials = { email: "a@example.com", password: "correct horse" };
  test("a sign-up is 201, a taken e-mail 409", async () => {
    shop.signUp = () => Promise.resolve({ kind: "created", accountId: "acc_1" });
    const created = await call("POST", "/v1/accounts", { body: credentials, token: null });
    expect([created.status, created.body]).toEqual([201, { accountId: "acc_1" }]);
    shop.signUp = () => Promise.resolve({ kind: "email_taken" });
    const taken = await call("POST", "/v1/accounts", { body: credentials, token: null });
    expect([taken.status, taken.body.code]).toEqual([409, "email_taken"]);
  });

  test("a sign-in gives a bearer token; wrong credentials are 401", async () => {
    shop.signIn = () => Promise.resolve({ kind: "signed_in", accessToken: "t", expiresInS: 60 });
    const signedIn = await call("POST", "/v1/sessions", { body: credentials, token: null });
    expect(signedIn.status).toBe(200);
    expect(signedIn.body).toEqual({ accessToken: "t", tokenType: "Bearer", expiresIn: 60 });
    expect(signedIn.headers.get("cache-control")).toBe("no-store");
    shop.signIn = () => Promise.resolve({ kind: "wrong_credentials" });
    const wrong = await call("POST", "/v1/sessions", { body: credentials, token: null });
    expect([wrong.status, wrong.body.code]).toEqual([401, "unauthenticated"]);
    expect(wrong.headers.get("www-authenticate")).toStartWith("Bearer");
  });

  test("a full queue of hashes is 503 busy with Retry-After", async () => {
    shop.signIn = () => Promise.reject(new Fault("busy", "100 hashes wait"));
    const busy = await call("POST", "/v1/sessions", { body: credentials, token: null });
    expect([busy.status, busy.body.code]).toEqual([503, "busy"]);
    expect(busy.headers.get("retry-after")).toBe("1");
  });

  const bad: [string, unknown][] = [
    ["email", { ...credentials, email: "no address" }],
    ["password", { ...credentials, password: "short" }],
    ["password", { ...credentials, password: "marker with \u0000 in it" }],
    ["password", { ...credentials, password: "marker with \ud800 in it" }],
    ["role", { ...credentials, role: "marker" }],
    ["email", { password: "marker marker" }],
  ];
  test.each(bad)("a bad %s is named and not repeated", async (field, body) => {
    const answer = await call("POST", "/v1/accounts", { body, token: null });
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    expect(answer.body.errors[0].field).toBe(field);
    expect(answer.text).not.toContain("marker");
  });
});

describe("sales", () => {
  const level = {
    sku: "phone",
    title: "Phone",
    group: null,
    unitPrice: { amountMinor: 5, currency: "INR" },
    limitPerShopper: 2,
    level: "low" as const,
  };
  const summary = {
    sale: "drop",
    title: "The Drop",
    state: "open",
    startsAt: "2026-01-01T00:00:00.000Z",
    endsAt: "2036-01-01T00:00:00.000Z",
  };

  test("the list is newest first, in pages, without drafts", async () => {
    directory.put({ ...SALE, saleId: "later", startsAtMs: SALE.startsAtMs + 1, version: 1 }, []);
    directory.put({ ...SALE, saleId: "draft", version: 0 }, [SKU]);
    const first = await call("GET", "/v1/sales?limit=1", { token: null });
    expect(first.body.items.map((sale: { sale: string }) => sale.sale)).toEqual(["later"]);
    const second = await call("GET", `/v1/sales?after=${first.body.next}`, { token: null });
    expect(second.body).toEqual({ items: [summary], next: null });
  });

  test("a sale has its first SKUs; an unknown one and a draft are 404", async () => {
    shop.levels = (sale, page) => {
      expect([sale.saleId, page]).toEqual(["drop", { limit: 100 }]);
      return Promise.resolve({ items: [level], next: "phone" });
    };
    const one = await call("GET", "/v1/sales/drop", { token: null });
    expect(one.body).toEqual({ ...summary, skus: [level], next: "phone" });
    for (const sale of ["none", "draft", "UPPER", "%00", "..%2f"]) {
      expect((await call("GET", `/v1/sales/${sale}`, { token: null })).body.code).toBe("not_found");
    }
  });

  test("SKUs come in pages", async () => {
    shop.levels = (_, page) => {
      expect(page).toEqual({ after: "a", limit: 7 });
      return Promise.resolve({ items: [level], next: null });
    };
    const page = await call("GET", "/v1/sales/drop/skus?after=a&limit=7", { token: null });
    expect(page.body).toEqual({ items: [level], next: null });
  });

  test("an ETag that is still right is answered 304 without a body", async () => {
    shop.levels = () => Promise.resolve({ items: [level], next: null });
    const first = await call("GET", "/v1/sales/drop", { token: null });
    const etag = first.headers.get("etag") ?? "";
    expect(first.headers.get("cache-control")).toBe("public, max-age=1");
    for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const again = await call("GET", "/v1/sales/drop", {
        token: null,
        headers: { "if-none-match": tag },
      });
      expect([again.status, again.text, again.headers.get("etag")]).toEqual([304, "", etag]);
    }
    shop.levels = () => Promise.resolve({ items: [{ ...level, level: "sold_out" }], next: null });
    const changed = await call("GET", "/v1/sales/drop", {
      token: null,
      headers: { "if-none-match": etag },
    });
    expect(changed.status).toBe(200);
  });

  const badQueries: [string, string][] = [
    ["limit=0", "limit"],
    ["limit=101", "limit"],
    ["limit=x", "limit"],
    ["limit=1&limit=2", "limit"],
    ["limt=1", "limt"],
    ["after=", "after"],
    ["after=no-such-sale", "after"],
    ["after=%00", "after"],
    ["__proto__=1", "__proto__"],
  ];
  test.each(badQueries)("?%s is invalid_request", async (query, field) => {
    const answer = await call("GET", `/v1/sales?${query}`, { token: null });
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    expect(answer.body.errors[0].field).toBe(field);
  });
});
