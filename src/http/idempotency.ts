// The Idempotency-Key header of calls that have an effect once for each key (I4).

import { IDEMPOTENCY_KEY } from "../core/ids.ts";
import { invalidRequest } from "./endpoint.ts";
import { plainProblem } from "./problem.ts";

export type KeyIn = { readonly key: string } | Response;

/** The key, or the refusal of a request without a good one. */
export function idempotencyKeyOf(request: Request): KeyIn {
  const key = request.headers.get("idempotency-key");
  if (key === null || key === "") return plainProblem("idempotency_key_required");
  if (IDEMPOTENCY_KEY.test(key)) return { key };
  return invalidRequest([
    { field: "Idempotency-Key", message: "must be 1 to 255 visible ASCII characters" },
  ]);
}
