// Shoppers' tokens in bulk: every request carries a signed token of its own, so they are made before
// the clock starts. Only two places of a token differ from shopper to shopper: 12 characters of the
// payload and the signature; so that is all that is kept of each.

import { assert } from "../../src/core/assert.ts";

/** A shopper is `s` and 8 digits: 9 bytes, 12 characters of base64, of one length for all. */
const SHOPPER_DIGITS = 8;
const SHOPPER_CODED_CHARS = 12;
const SIGNATURE_CHARS = 43;
const LIFETIME_S = 12 * 60 * 60;

const SHOPPERS_MAX = 10 ** SHOPPER_DIGITS;

export function shopperOf(index: number): string {
  return `s${String(index).padStart(SHOPPER_DIGITS, "0")}`;
}

/** The number in a shopper's name, or -1 when it is none of ours. */
export function indexOfShopper(shopper: string): number {
  return /^s\d{8}$/.test(shopper) ? Number(shopper.slice(1)) : -1;
}

export class TokenMint {
  /** A token whose holes are to be filled. */
  readonly sample: string;
  readonly shopperAt: number;
  readonly signatureAt: number;
  readonly #keyed: Bun.CryptoHasher;
  readonly #signatures: Buffer;
  readonly #signed: Buffer;
  #count = 0;

  constructor(options: { secret: string; nowS: number; capacity: number }) {
    assert(options.capacity <= SHOPPERS_MAX, "shoppers have 8 digits");
    const header = codeOf(JSON.stringify({ alg: "HS256", typ: "JWT" }));
    const { payload, shopperAt } = payloadOf(options.nowS);
    const signed = `${header}.${codeOf(payload)}`;
    this.shopperAt = header.length + 1 + (shopperAt / 3) * 4;
    this.signatureAt = signed.length + 1;
    this.sample = `${signed}.${"-".repeat(SIGNATURE_CHARS)}`;
    this.#signed = Buffer.from(signed);
    this.#keyed = new Bun.CryptoHasher("sha256", Buffer.from(options.secret));
    this.#signatures = Buffer.alloc(options.capacity * SIGNATURE_CHARS);
  }

  /** Signs the tokens of shoppers 0 … count − 1 that are not signed yet. About 2 µs each. */
  prepare(count: number): void {
    assert(count * SIGNATURE_CHARS <= this.#signatures.length, "within the mint's capacity");
    for (let index = this.#count; index < count; index += 1) {
      this.#writeShopper(this.#signed, this.shopperAt, index);
      const signature = this.#keyed.copy().update(this.#signed).digest("base64url");
      this.#signatures.write(signature, index * SIGNATURE_CHARS, "latin1");
    }
    this.#count = Math.max(this.#count, count);
  }

  /** Hot path: writes a shopper's token over `sample`, which begins at `at`. */
  write(request: Buffer, at: number, index: number): void {
    this.#writeShopper(request, at + this.shopperAt, index);
    const from = index * SIGNATURE_CHARS;
    this.#signatures.copy(request, at + this.signatureAt, from, from + SIGNATURE_CHARS);
  }

  tokenOf(index: number): string {
    this.prepare(index + 1);
    const token = Buffer.from(this.sample);
    this.write(token, 0, index);
    return token.toString("latin1");
  }

  /** `s` and the digits, as base64: three groups of three bytes. */
  #writeShopper(target: Buffer, at: number, index: number): void {
    let rest = index;
    for (let group = 2; group >= 0; group -= 1) {
      const c = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
      const b = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
      const a = group === 0 ? 115 : 48 + (rest % 10);
      if (group !== 0) rest = Math.floor(rest / 10);
      const to = at + group * 4;
      target[to] = BASE64URL[a >> 2] as number;
      target[to + 1] = BASE64URL[((a & 3) << 4) | (b >> 4)] as number;
      target[to + 2] = BASE64URL[((b & 15) << 2) | (c >> 6)] as number;
      target[to + 3] = BASE64URL[c & 63] as number;
    }
  }
}

const BASE64URL = Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
assert(SHOPPER_CODED_CHARS === ((SHOPPER_DIGITS + 1) / 3) * 4, "9 bytes are 12 characters");

function codeOf(text: string): string {
  return Buffer.from(text).toString("base64url");
}

/**
 * Claims in the order of our own sign-in, with an id as long as its own. Padded so that the shopper
 * begins at a multiple of three bytes.
 */
function payloadOf(nowS: number): { payload: string; shopperAt: number } {
  for (let padding = 0; padding < 3; padding += 1) {
    const claims = {
      aud: "doorbuster",
      iss: "doorbuster",
      jti: "bench".padEnd(36 + padding, "0"),
      sub: shopperOf(0),
      role: "shopper",
      exp: nowS + LIFETIME_S,
      iat: nowS,
    };
    const payload = JSON.stringify(claims);
    const shopperAt = payload.indexOf(shopperOf(0));
    if (shopperAt % 3 === 0) return { payload, shopperAt };
  }
  throw new Error("no padding aligns the shopper");
}
