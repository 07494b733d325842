import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";

import { jwt } from "@elysiajs/jwt";

import { createTokens } from "./tokens.ts";

const SECRET = "a secret of at least thirty-two bytes, for tests";
const NOW_S = 1_790_000_000;
const DAY_S = 86_400;

let wallMs = NOW_S * 1_000;
const clock = { wallMs: () => wallMs, monotonicMs: () => 0 };

const GOOD_HEADER = { alg: "HS256", typ: "JWT" };
const GOOD_CLAIMS = {
  iss: "doorbuster",
  aud: "doorbuster",
  sub: "acc_1",
  role: "shopper",
  iat: NOW_S,
  exp: NOW_S + 60,
  jti: "one",
};

function encode(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString(
    "base64url",
  );
}

function sign(input: string, secret = SECRET, algorithm = "sha256"): string {
  return `${input}.${createHmac(algorithm, secret).update(input).digest("base64url")}`;
}

function mint(claims: unknown = GOOD_CLAIMS, header: unknown = GOOD_HEADER): string {
  return sign(`${encode(header)}.${encode(claims)}`);
}

function shopperOf(token: string): string | null {
  wallMs = NOW_S * 1_000;
  return createTokens({ secret: SECRET, clock }).shopperOf(token);
}

/** The last of 43 characters carries 4 of its 6 bits: the next letter decodes to the same bytes. */
function otherSpelling(token: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = alphabet.indexOf(token.at(-1) ?? "");
  return `${token.slice(0, -1)}${alphabet[last ^ 1]}`;
}

describe("tokens that are believed", () => {
  const good: [string, string][] = [
    ["ours by hand", mint()],
    ["without typ", mint(GOOD_CLAIMS, { alg: "HS256" })],
    ["with a key id", mint(GOOD_CLAIMS, { ...GOOD_HEADER, kid: "1" })],
    ["an audience among others", mint({ ...GOOD_CLAIMS, aud: ["x", "doorbuster"] })],
    ["without iat and jti", mint({ ...GOOD_CLAIMS, iat: undefined, jti: undefined })],
    ["an end in just 24 h", mint({ ...GOOD_CLAIMS, exp: NOW_S + DAY_S })],
    ["nbf in the past", mint({ ...GOOD_CLAIMS, nbf: NOW_S - 1 })],
    ["every character a shopper may have", mint({ ...GOOD_CLAIMS, sub: "aZ9._:|@-" })],
  ];
  test.each(good)("%s", (_, token) => {
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    expect(shopperOf(token)).toBe(claims.sub);
  });

  test("@elysiajs/jwt's tokens, with exp in the claims, and ours verify there", async () => {
    wallMs = Date.now();
    const tokens = createTokens({ secret: SECRET, clock });
    const theirs = jwt({ name: "jwt", secret: SECRET }).decorator.jwt;
    const exp = Math.floor(wallMs / 1_000) + 60;
    const token = await theirs.sign({ ...GOOD_CLAIMS, iat: true, exp });
    expect(tokens.shopperOf(token)).toBe("acc_1");

    const { accessToken, expiresInS } = await tokens.sign("acc_2");
    expect(expiresInS).toBe(DAY_S);
    expect(tokens.shopperOf(accessToken)).toBe("acc_2");
    const claims = await theirs.verify(accessToken);
    expect(claims).toMatchObject({ iss: "doorbuster", aud: "doorbuster", sub: "acc_2" });
    expect(claims).toMatchObject({ role: "shopper", jti: expect.any(String) });
    expect(claims && Number(claims.exp) - Number(claims.iat)).toBe(DAY_S);
  });
});

describe("tokens that are not believed", () => {
  const [header, claims, signature] = mint().split(".") as [string, string, string];
  const bad: [string, string][] = [
    ["empty", ""],
    ["dots alone", ".."],
    ["no signature", `${header}.${claims}.`],
    ["no claims", sign(`${header}.`)],
    ["a truncated signature", mint().slice(0, -1)],
    ["a bit of the signature", `${header}.${claims}.${signature.slice(0, -2)}AA`],
    ["a bit of the claims", `${header}.${encode({ ...GOOD_CLAIMS, sub: "other" })}.${signature}`],
    ["a bit of the header", `${encode({ alg: "HS256", typ: "jwt" })}.${claims}.${signature}`],
    ["the signature in another spelling", otherSpelling(mint())],
    ["a padded signature", `${mint()}=`],
    ["trailing garbage", `${mint()}x`],
    ["a fourth part", `${mint()}.x`],
    ["alg none", `${encode({ alg: "none" })}.${claims}.`],
    ["alg none, signed", mint(GOOD_CLAIMS, { alg: "none" })],
    ["alg HS512", sign(`${encode({ alg: "HS512" })}.${claims}`, SECRET, "sha512")],
    ["alg HS512, signed as HS256", mint(GOOD_CLAIMS, { alg: "HS512", typ: "JWT" })],
    ["a critical extension", mint(GOOD_CLAIMS, { ...GOOD_HEADER, crit: ["b64"], b64: true })],
    ["another type", mint(GOOD_CLAIMS, { alg: "HS256", typ: "JWE" })],
    ["another secret", sign(`${header}.${claims}`, "another secret that is long enough, too")],
    ["padded claims", sign(`${header}.${claims}=`)],
    ["claims that are no JSON", mint("{")],
    ["claims that are null", mint("null")],
    ["claims that are a list", mint([])],
    ["no exp", mint({ ...GOOD_CLAIMS, exp: undefined })],
    ["exp as text", mint({ ...GOOD_CLAIMS, exp: String(NOW_S + 60) })],
    ["exp now", mint({ ...GOOD_CLAIMS, exp: NOW_S })],
    ["exp over 24 h ahead", mint({ ...GOOD_CLAIMS, exp: NOW_S + DAY_S + 60 })],
    ["exp without end", mint(`{"iss":"doorbuster","aud":"doorbuster","sub":"a","exp":1e999}`)],
    ["another issuer", mint({ ...GOOD_CLAIMS, iss: "elsewhere" })],
    ["no issuer", mint({ ...GOOD_CLAIMS, iss: undefined })],
    ["another audience", mint({ ...GOOD_CLAIMS, aud: "elsewhere" })],
    ["no audience among many", mint({ ...GOOD_CLAIMS, aud: ["a", "b"] })],
    ["another role", mint({ ...GOOD_CLAIMS, role: "operator" })],
    ["no role", mint({ ...GOOD_CLAIMS, role: undefined })],
    ["no shopper", mint({ ...GOOD_CLAIMS, sub: undefined })],
    ["a shopper with a slash", mint({ ...GOOD_CLAIMS, sub: "a/b" })],
    ["a shopper with a line break", mint({ ...GOOD_CLAIMS, sub: "a\n" })],
    ["a shopper of 129 characters", mint({ ...GOOD_CLAIMS, sub: "a".repeat(129) })],
    ["nbf ahead", mint({ ...GOOD_CLAIMS, nbf: NOW_S + 30 })],
    ["iat ahead", mint({ ...GOOD_CLAIMS, iat: NOW_S + 60 })],
    ["iat after exp", mint({ ...GOOD_CLAIMS, iat: NOW_S + 5, exp: NOW_S + 4 })],
    ["over 1 KiB", mint({ ...GOOD_CLAIMS, more: "x".repeat(1_024) })],
    ["characters outside ASCII", `${mint()}é`],
  ];
  test.each(bad)("%s", (_, token) => {
    expect(shopperOf(token)).toBeNull();
  });

  test("by a check that has just believed longer ones either", () => {
    wallMs = NOW_S * 1_000;
    const tokens = createTokens({ secret: SECRET, clock });
    for (const [, token] of bad) {
      expect(tokens.shopperOf(mint({ ...GOOD_CLAIMS, jti: "j".repeat(500) }))).toBe("acc_1");
      expect(tokens.shopperOf(token)).toBeNull();
    }
  });

  test("more than 1,024 characters, or one outside ASCII in what is signed", () => {
    const withHeader = (more: string) => mint(GOOD_CLAIMS, { ...GOOD_HEADER, kid: more });
    const least = withHeader("").length;
    const padded = Array.from({ length: 8 }, (_, more) =>
      withHeader("k".repeat(Math.floor(((1_024 - least) * 3) / 4) - 3 + more)),
    );
    expect(padded.map((token) => token.length)).toContain(1_024);
    for (const token of padded) {
      expect(shopperOf(token)).toBe(token.length <= 1_024 ? "acc_1" : null);
    }
    expect(shopperOf(mint().replace(".", ".é"))).toBeNull();
    expect(shopperOf(sign(`${header}.${claims.slice(0, -1)}é`))).toBeNull();
  });

  test("each single flipped bit of a good token", () => {
    const token = mint();
    for (let index = 0; index < token.length; index += 1) {
      const flipped = String.fromCharCode(token.charCodeAt(index) ^ 1);
      expect(shopperOf(token.slice(0, index) + flipped + token.slice(index + 1))).toBeNull();
    }
  });
});

describe("a token seen before", () => {
  test("ends at its time", () => {
    wallMs = NOW_S * 1_000;
    const tokens = createTokens({ secret: SECRET, clock });
    const token = mint();
    expect(tokens.shopperOf(token)).toBe("acc_1");
    wallMs = (NOW_S + 60) * 1_000 - 1;
    expect(tokens.shopperOf(token)).toBe("acc_1");
    wallMs = (NOW_S + 60) * 1_000;
    expect(tokens.shopperOf(token)).toBeNull();
  });

  test("vouches for no other with the same prefix or header", () => {
    wallMs = NOW_S * 1_000;
    const tokens = createTokens({ secret: SECRET, clock });
    const token = mint();
    expect(tokens.shopperOf(token)).toBe("acc_1");
    expect(tokens.shopperOf(`${token}x`)).toBeNull();
    expect(tokens.shopperOf(mint({ ...GOOD_CLAIMS, sub: "acc_2" }))).toBe("acc_2");
  });

  test("a secret of less than 32 bytes is refused", () => {
    expect(() => createTokens({ secret: "short", clock })).toThrow();
  });
});
