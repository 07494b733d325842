import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { createTokens } from "./tokens.ts";
import { usualClaimsIn } from "./usual-claims.ts";

const OURS =
  '{"aud":"doorbuster","iss":"doorbuster","jti":"27b5a37d-e215-4619-a484-2cd29e9770bf",' +
  '"sub":"acc_1","role":"shopper","exp":1795456115,"iat":1795369715}';

/** With what an earlier, longer token has left behind it. */
function read(text: string): unknown {
  const bytes = Buffer.from(text + OURS.slice(text.length), "latin1");
  return usualClaimsIn(bytes, text.length);
}

/** The claims that a check looks at; null when the text is no JSON object. */
function byJsonParse(text: string): unknown {
  try {
    const { iss, aud, sub, role, exp, iat, nbf } = JSON.parse(text) as Record<string, unknown>;
    return { iss, aud, sub, role, exp, iat, nbf };
  } catch {
    return null;
  }
}

describe("the usual claims", () => {
  test("whatever is read is what JSON.parse reads", () => {
    const damaged = fc
      .tuple(fc.nat(OURS.length), fc.string({ maxLength: 3 }), fc.nat(3))
      .map(([at, put, cut]) => OURS.slice(0, at) + put + OURS.slice(at + cut));
    fc.assert(
      fc.property(damaged, (text) => {
        const claims = read(text);
        if (claims !== null) expect(claims).toEqual(byJsonParse(text) as object);
      }),
      { numRuns: 3_000 },
    );
    expect(read(OURS)).toEqual(byJsonParse(OURS) as object);
  });

  test("the token of a sign-in is read here", async () => {
    const clock = { wallMs: () => Date.now(), monotonicMs: () => 0 };
    const { accessToken } = await createTokens({ secret: "s".repeat(32), clock }).sign("acc_1");
    const text = Buffer.from(accessToken.split(".")[1] ?? "", "base64url").toString();
    expect(read(text)).toMatchObject({ sub: "acc_1" });
  });

  test("wherever it is cut, nothing is read", () => {
    for (let length = 0; length < OURS.length; length += 1) {
      expect(read(OURS.slice(0, length))).toBeNull();
    }
  });

  test.each([
    ["an escape", OURS.replace("acc_1", String.raw`acc\u005f1`)],
    ["another order", '{"sub":"acc_1","role":"shopper","exp":1795456115}'],
    ["a claim more", OURS.replace("}", ',"nbf":1}')],
    ["a claim twice", OURS.replace("}", ',"sub":"acc_2"}')],
    ["a leading zero", OURS.replace("1795456115", "01795456115")],
    ["more digits than are exact", OURS.replace("1795456115", "9007199254740993")],
    ["a list", OURS.replace('"doorbuster"', '["doorbuster"]')],
    ["a blank", OURS.replace(":", ": ")],
    ["a second object", `${OURS}{}`],
    ["a line more", `${OURS}\n`],
    ["another audience", OURS.replace("doorbuster", "elsewhere")],
    ["a control character", OURS.replace("acc_1", "acc\n1")],
    ["a letter above ASCII", OURS.replace("acc_1", "accé1")],
    ["nothing", "{}"],
    ["no text", ""],
  ])("%s is left to JSON.parse", (_, text) => {
    expect(read(text)).toBeNull();
  });
});
