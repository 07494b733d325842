// Shoppers' tokens: signed by @elysiajs/jwt, checked by TokenCheck. No cache: in a stampede nearly
// every request carries a token of its own, and a check costs about as much as two look-ups of a long
// key (bench/token.ts).

import { jwt } from "@elysiajs/jwt";

import { assert } from "../../core/assert.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { TOKEN_AUDIENCE, TOKEN_ISSUER, TOKEN_LIFETIME_S_MAX, TOKEN_ROLE } from "./claims.ts";
import { TOKEN_BYTES_MAX, TokenCheck } from "./token-check.ts";

/** Bytes of the secret: the block of its hash and no less (RFC 7518 §3.2). */
const JWT_SECRET_BYTES_MIN = 32;

type SignedToken = { readonly accessToken: string; readonly expiresInS: number };

export type Tokens = {
  sign(shopper: string): Promise<SignedToken>;
  /** Hot path, synchronous. Null: not a token to believe. */
  shopperOf(token: string): string | null;
};

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
      return checker.check(token, clock.wallMs() / 1_000);
    },
  };
}
