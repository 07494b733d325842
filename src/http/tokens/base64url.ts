// base64url without padding (RFC 4648 §5), from bytes to bytes: a token is read without a string for
// each of its parts (bench/token.ts).

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const CHARS = Uint8Array.from(ALPHABET, (char) => char.charCodeAt(0));
/** By character code; -1: not of the alphabet. */
const VALUES = new Int8Array(256).fill(-1);
for (const [value, char] of CHARS.entries()) VALUES[char] = value;

/** Characters that spell so many bytes. */
export function charsOf(bytes: number): number {
  return Math.ceil((bytes * 4) / 3);
}

/** Are the characters from `at` on the one canonical spelling of `bytes`? In constant time. */
export function isSpelling(text: Uint8Array, at: number, bytes: Uint8Array): boolean {
  let difference = 0;
  let bits = 0;
  let bitCount = 0;
  let next = at;
  for (let index = 0; index < bytes.length; index += 1) {
    bits = (bits << 8) | bytes[index]!;
    bitCount += 8;
    while (bitCount >= 6) {
      bitCount -= 6;
      difference |= CHARS[(bits >>> bitCount) & 63]! ^ text[next]!;
      next += 1;
    }
    bits &= 63;
  }
  if (bitCount > 0) difference |= CHARS[(bits << (6 - bitCount)) & 63]! ^ text[next]!;
  return difference === 0;
}

/**
 * Decodes the characters `from` to `to` (exclusive) into `into`, which has room.
 *
 * Returns  how many bytes; -1 when it is no base64url.
 */
export function decode(text: Uint8Array, from: number, to: number, into: Uint8Array): number {
  const left = (to - from) % 4;
  if (left === 1) return -1;
  let written = 0;
  let at = from;
  // Negative as soon as one character is not of the alphabet.
  let all = 0;
  for (; at + 4 <= to; at += 4) {
    const word =
      (VALUES[text[at]!]! << 18) |
      (VALUES[text[at + 1]!]! << 12) |
      (VALUES[text[at + 2]!]! << 6) |
      VALUES[text[at + 3]!]!;
    all |= word;
    into[written] = word >> 16;
    into[written + 1] = word >> 8;
    into[written + 2] = word;
    written += 3;
  }
  if (left > 0) {
    const third = left === 3 ? VALUES[text[at + 2]!]! : 0;
    const word = (VALUES[text[at]!]! << 18) | (VALUES[text[at + 1]!]! << 12) | (third << 6);
    all |= word;
    into[written] = word >> 16;
    if (left === 3) into[written + 1] = word >> 8;
    written += left - 1;
  }
  return all < 0 ? -1 : written;
}
