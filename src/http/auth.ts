// Who is asking. Shoppers carry a JWT, merchants and operators an API key; both as bearer tokens.

import type { ApiKeyOwner } from "../core/ports/accounts.ts";
import type { Shop } from "../shop/shop.ts";
import { plainProblem } from "./problem.ts";
import type { Tokens } from "./tokens/tokens.ts";

/** An operator may do what a merchant may, for its own sales, and see and drain nodes. */
export type Caller = "anyone" | "shopper" | "merchant" | "operator";

export type IdentityOf<C extends Caller> = C extends "shopper"
  ? string
  : C extends "merchant" | "operator"
    ? ApiKeyOwner
    : null;

export type Identified = { readonly identity: string | ApiKeyOwner | null } | Response;

/** The token of an Authorization header, or null. The scheme's case is of no matter. */
export function bearerOf(authorization: string | null): string | null {
  if (authorization === null) return null;
  if (authorization.startsWith("Bearer ")) return authorization.slice(7);
  if (authorization.slice(0, 7).toLowerCase() === "bearer ") return authorization.slice(7);
  return null;
}

/** The caller, or the refusal: 401 for credentials that say nothing, 403 for the wrong ones. */
export async function identify(
  caller: Caller,
  request: Request,
  { shop, tokens }: { readonly shop: Shop; readonly tokens: Tokens },
): Promise<Identified> {
  if (caller === "anyone") return { identity: null };
  const bearer = bearerOf(request.headers.get("authorization"));
  if (bearer === null || bearer === "") return plainProblem("unauthenticated");
  const shopper = tokens.shopperOf(bearer);
  if (caller === "shopper") {
    // An API key is unknown here: looking it up would let strangers send us to the database.
    return shopper === null ? plainProblem("unauthenticated") : { identity: shopper };
  }
  if (shopper !== null) return plainProblem("forbidden");
  const owner = await shop.merchantOfKey(bearer);
  if (owner === null) return plainProblem("unauthenticated");
  if (caller === "operator" && owner.role !== "operator") return plainProblem("forbidden");
  return { identity: owner };
}
