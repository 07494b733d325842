// HS256 tokens, checked synchronously. jose's check costs 15–20 µs a request and two turns of the
// event loop; every request of a stampede carries its own token, so this one must be cheap
// (bench/token.ts).
//
//   T1  nothing inside a token is believed before its signature is
//   T2  exactly HS256; a header that asks for anything critical is refused
//   T3  a token without an end, or with one more than 24 h ahead, is refused
//   T4  the signature is compared in constant time and in its one canonical spelling

import { SHOPPER_ID } from "../core/ids.ts";
import { type Claims, usualClaimsOf } from "./usual-claims.ts";

export const TOKEN_BYTES_MAX = 1_024;
export const TOKEN_LIFETIME_S_MAX = 24 * 60 * 60;
/** Clocks of issuers and nodes differ a little; half a minute would already be worth an alarm. */
const CLOCK_LEEWAY_S = 10;

/** base64url of the 32 bytes of a SHA-256. */
const SIGNATURE_CHARS = 43;

const BASE64URL = /^[A-Za-z0-9_-]+$/;
/** What base64url spells otherwise than base64; most tokens have neither. */
const URL_SPELLING = /[-_]/;

export const TOKEN_ISSUER = "doorbuster";
export const TOKEN_AUDIENCE = "doorbuster";
export const TOKEN_ROLE = "shopper";

export class TokenCheck {
  /** Keyed with the secret once; copying it skips the key schedule (560 ns against 1,030). */
  readonly #keyed: Bun.CryptoHasher;
  /** The last header that passed, with its dot: nearly all tokens of a run share one. */
  #knownHeader = "";

  constructor(secret: Uint8Array) {
    this.#keyed = new Bun.CryptoHasher("sha256", secret);
  }

  /** Cost: about 1 µs. Returns: null for a token that is not to be believed, without a reason. */
  check(token: string, nowS: number): string | null {
    if (token.length > TOKEN_BYTES_MAX) return null;
    const signatureDot = token.length - SIGNATURE_CHARS - 1;
    if (signatureDot < 3 || token.charCodeAt(signatureDot) !== 46) return null;
    const headerDot = token.indexOf(".");
    if (headerDot < 1 || headerDot >= signatureDot - 1) return null;
    if (!this.#isSigned(token, signatureDot)) return null;
    const header = token.slice(0, headerDot + 1);
    if (header !== this.#knownHeader) {
      if (!isHeaderFine(token.slice(0, headerDot))) return null;
      this.#knownHeader = header;
    }
    const text = textOf(token.slice(headerDot + 1, signatureDot));
    const claims = text === null ? null : (usualClaimsOf(text) ?? objectOf(text));
    return claims === null ? null : checkClaims(claims, nowS);
  }

  #isSigned(token: string, signatureDot: number): boolean {
    const input = token.slice(0, signatureDot);
    const expected = this.#keyed.copy().update(input).digest("base64url");
    let difference = 0;
    for (let index = 0; index < SIGNATURE_CHARS; index += 1) {
      difference |= expected.charCodeAt(index) ^ token.charCodeAt(signatureDot + 1 + index);
    }
    return difference === 0;
  }
}

type Json = Readonly<Record<string, unknown>>;

function textOf(part: string): string | null {
  if (part.length % 4 === 1 || !BASE64URL.test(part)) return null;
  // atob is four times as quick as a Buffer; bytes above ASCII come out as Latin-1, which no
  // claim that we look at may hold anyway.
  return atob(URL_SPELLING.test(part) ? part.replaceAll("-", "+").replaceAll("_", "/") : part);
}

function objectOf(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Json) : null;
  } catch {
    // Not JSON: signed by somebody who holds the key and got it wrong.
    return null;
  }
}

function isHeaderFine(part: string): boolean {
  const text = textOf(part);
  const header = text === null ? null : objectOf(text);
  if (header === null || header["alg"] !== "HS256") return false;
  // What a critical extension would change we do not know, and `b64` changes what was signed.
  if ("crit" in header || "b64" in header || "enc" in header) return false;
  const type = header["typ"];
  return type === undefined || (typeof type === "string" && /^(application\/)?jwt$/i.test(type));
}

function checkClaims(claims: Claims, nowS: number): string | null {
  const { iss, aud, sub, role, exp, iat, nbf } = claims;
  if (iss !== TOKEN_ISSUER || role !== TOKEN_ROLE) return null;
  if (aud !== TOKEN_AUDIENCE && !(Array.isArray(aud) && aud.includes(TOKEN_AUDIENCE))) return null;
  if (typeof sub !== "string" || !SHOPPER_ID.test(sub)) return null;
  if (typeof exp !== "number" || !(exp > nowS)) return null;
  if (exp > nowS + TOKEN_LIFETIME_S_MAX + CLOCK_LEEWAY_S) return null;
  if (iat !== undefined) {
    if (typeof iat !== "number" || iat > nowS + CLOCK_LEEWAY_S || iat > exp) return null;
  }
  if (nbf !== undefined && (typeof nbf !== "number" || nbf > nowS)) return null;
  return sub;
}
