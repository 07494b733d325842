import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { charsOf, decode, isSpelling } from "./base64url.ts";

const bytes = fc.uint8Array({ maxLength: 100 });

function spellingOf(data: Uint8Array): string {
  return Buffer.from(data).toString("base64url");
}

function decoded(text: string, at = 0): Uint8Array | null {
  const into = new Uint8Array(text.length);
  const written = decode(Buffer.from(text, "latin1"), at, text.length, into);
  return written === -1 ? null : into.slice(0, written);
}

describe("decode", () => {
  test("gives back what node's encoder wrote, wherever it stands", () => {
    fc.assert(
      fc.property(bytes, fc.string({ maxLength: 5, unit: "binary-ascii" }), (data, before) => {
        expect(decoded(before + spellingOf(data), before.length)).toEqual(Uint8Array.from(data));
        expect(spellingOf(data)).toHaveLength(charsOf(data.length));
      }),
    );
  });

  test("refuses any character that is not of the alphabet, at any place", () => {
    const other = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
    const alien = other.filter((char) => !/[A-Za-z0-9_-]/.test(char));
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        alien,
        fc.nat(),
        (data, char, n) => {
          const text = spellingOf(data);
          const at = n % text.length;
          expect(decoded(text.slice(0, at) + char + text.slice(at + 1))).toBeNull();
        },
      ),
    );
  });

  test("refuses a length that no bytes have", () => {
    for (const text of ["A", "AAAAA", "AAAAAAAAA"]) expect(decoded(text)).toBeNull();
    expect(decoded("")).toEqual(new Uint8Array(0));
  });
});

describe("isSpelling", () => {
  test("is true of node's spelling and of no other that differs in one character", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), (data, n) => {
        const text = Buffer.from(`.${spellingOf(data)}.`);
        expect(isSpelling(text, 1, data)).toBe(true);
        const at = 1 + (n % (text.length - 2));
        text[at]! ^= 1 + (n % 127);
        expect(isSpelling(text, 1, data)).toBe(false);
      }),
    );
  });

  test("of bytes that do not fill their characters the spare bits are zero", () => {
    expect(isSpelling(Buffer.from("AA"), 0, Uint8Array.of(0))).toBe(true);
    expect(isSpelling(Buffer.from("AB"), 0, Uint8Array.of(0))).toBe(false);
  });
});
