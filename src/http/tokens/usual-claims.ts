// The claims of a token of our own sign-in, read from their bytes: they are all alike but for four
// values, and a JSON text with its object costs a third of a check (bench/token.ts).

import { type Claims, TOKEN_AUDIENCE, TOKEN_ISSUER, TOKEN_ROLE } from "./claims.ts";

/** As sign-in writes them, in its order; between these are the four values. */
const BEFORE_JTI = ascii(`{"aud":"${TOKEN_AUDIENCE}","iss":"${TOKEN_ISSUER}","jti":"`);
const BEFORE_SUB = ascii(`","sub":"`);
const BEFORE_EXP = ascii(`","role":"${TOKEN_ROLE}","exp":`);
const BEFORE_IAT = ascii(`,"iat":`);

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CLOSING_BRACE = 0x7d;
const ZERO = 0x30;
/** So many digits are exact in a number. */
const DIGITS_MAX = 15;

/**
 * Hot path (bench/token.ts).
 *
 * Returns  what JSON.parse would of the first `length` bytes of `text`, or null when they are
 *          anything else, which may well be fine claims of somebody else's token.
 */
export function usualClaimsIn(text: Buffer, length: number): Claims | null {
  // What lies behind `length` is of another token; whoever reads into it is not at the end below.
  const subFrom = valueEnd(text, BEFORE_JTI.length, length) + BEFORE_SUB.length;
  const subTo = valueEnd(text, subFrom, length);
  const expFrom = subTo + BEFORE_EXP.length;
  const expTo = digitsEnd(text, expFrom);
  const iatFrom = expTo + BEFORE_IAT.length;
  const iatTo = digitsEnd(text, iatFrom);
  const isUsual =
    iatTo + 1 === length &&
    text[iatTo] === CLOSING_BRACE &&
    isAt(text, 0, BEFORE_JTI) &&
    isAt(text, subFrom - BEFORE_SUB.length, BEFORE_SUB) &&
    isAt(text, subTo, BEFORE_EXP) &&
    isAt(text, expTo, BEFORE_IAT);
  if (!isUsual) return null;
  const exp = numberIn(text, expFrom, expTo);
  const iat = numberIn(text, iatFrom, iatTo);
  if (exp === null || iat === null) return null;
  return {
    iss: TOKEN_ISSUER,
    aud: TOKEN_AUDIENCE,
    sub: text.toString("latin1", subFrom, subTo),
    role: TOKEN_ROLE,
    exp,
    iat,
    nbf: undefined,
  };
}

/** Where a string without an escape ends: at its quote, or at what no such string has. */
function valueEnd(text: Uint8Array, from: number, length: number): number {
  let at = from;
  while (at < length && isPlain(text[at]!)) at += 1;
  return at;
}

function isPlain(code: number): boolean {
  return code >= 0x20 && code < 0x7f && code !== QUOTE && code !== BACKSLASH;
}

function digitsEnd(text: Uint8Array, from: number): number {
  let at = from;
  while (isDigit(text[at])) at += 1;
  return at;
}

function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= ZERO && code <= ZERO + 9;
}

/** Null: not as JSON writes a whole number, or too long. */
function numberIn(text: Uint8Array, from: number, to: number): number | null {
  if (to === from || to - from > DIGITS_MAX || text[from] === ZERO) return null;
  let value = 0;
  for (let at = from; at < to; at += 1) value = value * 10 + text[at]! - ZERO;
  return value;
}

function isAt(text: Uint8Array, at: number, part: Uint8Array): boolean {
  for (let index = 0; index < part.length; index += 1) {
    if (text[at + index] !== part[index]) return false;
  }
  return true;
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
