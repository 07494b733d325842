// HS256 tokens, checked synchronously. jose's check costs 15–20 µs a request and two turns of the
// event loop; every request of a stampede carries its own token, so this one must be cheap
// (bench/token.ts). It works on bytes in arrays that stay: what it makes are two strings' worth.
//
//   T1  nothing inside a token is believed before its signature is
//   T2  exactly HS256; a header that asks for anything critical is refused
//   T3  a token without an end, or with one more than 24 h ahead, is refused (claims.ts)
//   T4  the signature is compared in constant time and in its one canonical spelling

import { charsOf, decode, isSpelling } from "./base64url.ts";
import { type Claims, shopperIn } from "./claims.ts";
import { HmacSha256 } from "./hmac.ts";
import { usualClaimsIn } from "./usual-claims.ts";

export const TOKEN_BYTES_MAX = 1_024;

const DOT = 0x2e;

const encoder = new TextEncoder();

export class TokenCheck {
  readonly #hmac: HmacSha256;
  readonly #signatureChars: number;
  /** The part that is being looked at, decoded. */
  readonly #part = Buffer.alloc(TOKEN_BYTES_MAX);
  /** The last header that passed, with its dot: nearly all tokens of a run share one. */
  #knownHeader = new Uint8Array(0);

  constructor(secret: Uint8Array) {
    this.#hmac = new HmacSha256(secret, TOKEN_BYTES_MAX);
    this.#signatureChars = charsOf(this.#hmac.digest.length);
  }

  /** Cost: under 1 µs. Returns: null for a token that is not to be believed, without a reason. */
  check(token: string, nowS: number): string | null {
    const { message, digest } = this.#hmac;
    const { read, written } = encoder.encodeInto(token, message);
    // Longer than the array, or not ASCII.
    if (read !== token.length || written !== token.length) return null;
    const signatureDot = token.length - this.#signatureChars - 1;
    if (signatureDot < 3 || message[signatureDot] !== DOT) return null;
    const headerDot = message.indexOf(DOT);
    if (headerDot < 1 || headerDot >= signatureDot - 1) return null;
    this.#hmac.sign(signatureDot);
    if (!isSpelling(message, signatureDot + 1, digest)) return null;
    if (!this.#isHeaderKnown()) {
      if (!isHeaderFine(objectOf(this.#textOf(0, headerDot)))) return null;
      this.#knownHeader = message.slice(0, headerDot + 1);
    }
    const length = decode(message, headerDot + 1, signatureDot, this.#part);
    if (length === -1) return null;
    // Bytes above ASCII come out as Latin-1, which no claim that we look at may hold anyway.
    const claims: Claims | null =
      usualClaimsIn(this.#part, length) ?? objectOf(this.#part.toString("latin1", 0, length));
    return claims === null ? null : shopperIn(claims, nowS);
  }

  #isHeaderKnown(): boolean {
    const { message } = this.#hmac;
    const known = this.#knownHeader;
    for (let at = 0; at < known.length; at += 1) if (known[at] !== message[at]) return false;
    return known.length > 0;
  }

  #textOf(from: number, to: number): string | null {
    const length = decode(this.#hmac.message, from, to, this.#part);
    return length === -1 ? null : this.#part.toString("latin1", 0, length);
  }
}

type Json = Readonly<Record<string, unknown>>;

function objectOf(text: string | null): Json | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Json) : null;
  } catch {
    // Not JSON: signed by somebody who holds the key and got it wrong.
    return null;
  }
}

function isHeaderFine(header: Json | null): boolean {
  if (header === null || header["alg"] !== "HS256") return false;
  // What a critical extension would change we do not know, and `b64` changes what was signed.
  if ("crit" in header || "b64" in header || "enc" in header) return false;
  const type = header["typ"];
  return type === undefined || (typeof type === "string" && /^(application\/)?jwt$/i.test(type));
}
