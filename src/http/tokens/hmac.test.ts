import { expect, test } from "bun:test";
import { createHmac } from "node:crypto";

import fc from "fast-check";

import { HmacSha256 } from "./hmac.ts";

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

function codeOf(hmac: HmacSha256, message: Uint8Array): string {
  hmac.message.set(message);
  hmac.sign(message.length);
  return Buffer.from(hmac.digest).toString("hex");
}

// RFC 4231, §4.2, §4.3 and §4.7: a key shorter than a digest, a name, a key of more than a block.
test.each([
  ["0b".repeat(20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"],
  [
    Buffer.from("Jefe").toString("hex"),
    "what do ya want for nothing?",
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  ],
  [
    "aa".repeat(131),
    "Test Using Larger Than Block-Size Key - Hash Key First",
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
  ],
])("RFC 4231: key %s", (key, message, code) => {
  const hmac = new HmacSha256(bytesOf(key), 64);
  expect(codeOf(hmac, new TextEncoder().encode(message))).toBe(code);
});

test("one key signs message after message as node:crypto does", () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(bytes, fc.array(bytes, { minLength: 1, maxLength: 5 }), (key, messages) => {
      const hmac = new HmacSha256(key, 200);
      for (const message of messages) {
        const expected = createHmac("sha256", key).update(message).digest("hex");
        expect(codeOf(hmac, message)).toBe(expected);
      }
    }),
  );
});

test("a message that does not fit is a bug", () => {
  expect(() => new HmacSha256(new Uint8Array(32), 10).sign(11)).toThrow("a message fits");
});
