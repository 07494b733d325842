import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { type FlatClaims, flatClaimsOf } from "./flat-claims.ts";
import { createTokens } from "./tokens.ts";

const READ = ["iss", "aud", "sub", "role", "exp", "iat", "nbf"] as const;

/** What a check would see of the text: null when it is no JSON object. */
function byJsonParse(text: string): unknown {
  try {
    const value = JSON.parse(text) as Partial<FlatClaims> | null;
    if (typeof value !== "object" || value === null) return null;
    return Object.fromEntries(READ.map((name) => [name, value[name]]));
  } catch {
    return null;
  }
}

function byFlat(text: string): unknown {
  const claims = flatClaimsOf(text);
  if (claims === null) return "left to JSON.parse";
  return Object.fromEntries(READ.map((name) => [name, claims[name]]));
}

const OURS =
  '{"iss":"doorbuster","aud":"doorbuster","sub":"acc_1","role":"shopper","exp":17,"jti":"x"}';

const member = fc.record({
  key: fc.constantFrom(...READ, "jti", "kid", "__proto__", "exp ", ""),
  value: fc.oneof(
    fc.string().map((text) => JSON.stringify(text)),
    fc.string().map((text) => `"${text}"`),
    fc.constantFrom("0", "01", "-1", "1.5", "1e3", "9007199254740993", "", "[1]", "{}", "null"),
    fc.nat().map(String),
  ),
});
const objectText = fc
  .tuple(fc.array(member, { maxLength: 8 }), fc.constantFrom("}", "", "}}", ",}", " }"))
  .map(([members, end]) => {
    return `{${members.map(({ key, value }) => `"${key}":${value}`).join(",")}${end}`;
  });

describe("flat claims", () => {
  test("F1: whatever is read is what JSON.parse reads", () => {
    const damaged = fc
      .tuple(fc.nat(OURS.length), fc.string({ maxLength: 3 }), fc.nat(3))
      .map(([at, put, cut]) => OURS.slice(0, at) + put + OURS.slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(objectText, damaged, fc.json()), (text) => {
        const read = byFlat(text);
        if (read !== "left to JSON.parse") expect(read).toEqual(byJsonParse(text));
      }),
      { numRuns: 3_000 },
    );
  });

  test("F2: our claims are read in any order, and never left to JSON.parse", () => {
    const members = Object.entries(JSON.parse(OURS) as Record<string, unknown>);
    fc.assert(
      fc.property(fc.shuffledSubarray(members, { minLength: 1 }), (some) => {
        const text = JSON.stringify(Object.fromEntries(some));
        expect(byFlat(text)).toEqual(byJsonParse(text));
      }),
    );
  });

  test("the token of a sign-in is read here", async () => {
    const clock = { wallMs: () => Date.now(), monotonicMs: () => 0 };
    const { accessToken } = await createTokens({ secret: "s".repeat(32), clock }).sign("acc_1");
    const text = Buffer.from(accessToken.split(".")[1] ?? "", "base64url").toString();
    expect(flatClaimsOf(text)?.sub).toBe("acc_1");
  });

  test.each([
    ["an escape", '{"sub":"a\\u0062"}'],
    ["a control character", '{"jti":"a\nb"}'],
    ["a leading zero", '{"exp":017}'],
    ["more digits than are exact", '{"exp":9007199254740993}'],
    ["a list", '{"aud":["doorbuster"]}'],
    ["a blank", '{"sub": "acc_1"}'],
    ["a claim of others", '{"email":"a@b"}'],
    ["a second object", '{"sub":"a"}{"sub":"b"}'],
    ["no end", '{"sub":"a"'],
    ["nothing", "{}"],
  ])("%s is left to JSON.parse", (_, text) => {
    expect(flatClaimsOf(text)).toBeNull();
  });
});
