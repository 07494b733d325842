// Shoppers' tokens: signed by @elysiajs/jwt, checked by TokenCheck behind a bounded cache.

import { jwt } from "@elysiajs/jwt";

import { assert } from "../core/assert.ts";
import type { Clock } from "../core/ports/clock.ts";
import {
  type CheckedToken,
  TOKEN_AUDIENCE,
  TOKEN_BYTES_MAX,
  TOKEN_ISSUER,
  TOKEN_LIFETIME_S_MAX,
  TOKEN_ROLE,
  TokenCheck,
} from "./token-check.ts";

/**
 * Tokens of one generation of the cache. Two generations of 300-character tokens are about 15 MB;
 * a shopper who comes back within some 16,000 others is not checked again.
 */
const CACHE_GENERATION_MAX = 16_384;

/** Bytes of the secret: the block of its hash and no less (RFC 7518 §3.2). */
export const JWT_SECRET_BYTES_MIN = 32;

export type SignedToken = { readonly accessToken: string; readonly expiresInS: number };

export type Tokens = {
  sign(shopper: string): Promise<SignedToken>;
  /** Hot path, synchronous. Null: not a token to believe. */
  shopperOf(token: string): string | null;
};

/**
 * The cache is keyed by the whole token: a hit has the very bytes that were checked. Its end is
 * looked at on every hit. Failures are not kept.
 */
class TokenCache {
  #young = new Map<string, CheckedToken>();
  #old = new Map<string, CheckedToken>();

  get(token: string): CheckedToken | undefined {
    return this.#young.get(token) ?? this.#old.get(token);
  }

  put(token: string, checked: CheckedToken): void {
    if (this.#young.size >= CACHE_GENERATION_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(token, checked);
  }
}

export function createTokens(options: {
  readonly secret: string;
  readonly clock: Clock;
  readonly lifetimeS?: number;
}): Tokens {
  const { clock, lifetimeS = TOKEN_LIFETIME_S_MAX } = options;
  const secret = new TextEncoder().encode(options.secret);
  assert(secret.length >= JWT_SECRET_BYTES_MIN, "the token secret has at least 32 bytes");
  assert(lifetimeS > 0 && lifetimeS <= TOKEN_LIFETIME_S_MAX, "a token lives at most 24 h");
  const signer = jwt({
    name: "jwt",
    secret: options.secret,
    iss: TOKEN_ISSUER,
    aud: TOKEN_AUDIENCE,
  }).decorator.jwt;
  const checker = new TokenCheck(secret);
  const cache = new TokenCache();

  return {
    async sign(shopper) {
      const nowS = Math.floor(clock.wallMs() / 1_000);
      // The end goes in with the claims: configured on the plugin it was once left out (c-51).
      const accessToken = await signer.sign({
        sub: shopper,
        role: TOKEN_ROLE,
        jti: crypto.randomUUID(),
        exp: nowS + lifetimeS,
      });
      assert(accessToken.length <= TOKEN_BYTES_MAX, "a token of ours fits our own bound");
      return { accessToken, expiresInS: lifetimeS };
    },

    shopperOf(token) {
      const nowS = clock.wallMs() / 1_000;
      const cached = cache.get(token);
      if (cached !== undefined) return cached.expiresAtS > nowS ? cached.shopper : null;
      const checked = checker.check(token, nowS);
      if (checked === null) return null;
      cache.put(token, checked);
      return checked.shopper;
    },
  };
}
