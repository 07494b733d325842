// What a token must claim. Called only for claims whose signature is good.

import { SHOPPER_ID } from "../../core/ids.ts";

export const TOKEN_LIFETIME_S_MAX = 24 * 60 * 60;
/** Clocks of issuers and nodes differ a little; half a minute would already be worth an alarm. */
const CLOCK_LEEWAY_S = 10;

export const TOKEN_ISSUER = "doorbuster";
export const TOKEN_AUDIENCE = "doorbuster";
export const TOKEN_ROLE = "shopper";

/** The claims that a check looks at; undefined: not there. */
export type Claims = {
  readonly iss?: unknown;
  readonly aud?: unknown;
  readonly sub?: unknown;
  readonly role?: unknown;
  readonly exp?: unknown;
  readonly iat?: unknown;
  readonly nbf?: unknown;
};

/** Returns: the shopper, or null, without a reason. */
export function shopperIn(claims: Claims, nowS: number): string | null {
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
