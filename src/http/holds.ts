// PUT and DELETE /v1/sales/:sale/skus/:sku/hold: the hot path of a stampede (bench/http-hold.ts).
//
// Therefore by hand: no schema run, no hook, no header object, one promise for the decision and one
// for the deadline. The zod schema describes the body and says what is wrong with a bad one.
//
// Order of checks: 413, 415, 401, 404, early refusal, 413 by received bytes, 400, outcome.

import { z } from "zod";

import { unreachable } from "../core/assert.ts";
import { BODY_BYTES_MAX, HOLD_UNITS_MAX, REQUEST_DEADLINE_MS } from "../core/limits.ts";
import type { HoldOutcome, HoldRefusal } from "../core/stock/command.ts";
import type { DirectorySku } from "../shop/directory.ts";
import { bearerOf } from "./auth.ts";
import { isJsonType, jsonBody, jsonOf, readBytes, textOf } from "./body.ts";
import type { HttpContext } from "./context.ts";
import { type EndpointShape, invalidRequest } from "./endpoint.ts";
import { BodyCut, plainProblem, type ProblemCode, problemWith } from "./problem.ts";
import { holdText, jsonText, noContent } from "./render.ts";
import type { RequestGuard } from "./request-guard.ts";
import { holdSchema, quantitySchema, saleId, skuId } from "./schemas.ts";

const HOLD_PATH = "/v1/sales/:sale/skus/:sku/hold";
const holdParams = z.object({ sale: saleId, sku: skuId });
const holdBody = jsonBody(z.strictObject({ quantity: quantitySchema }));

/** The bodies that nearly all clients send, so that they are looked up and not parsed. */
const QUANTITY_OF_BODY = new Map<string, number>();
for (let quantity = 1; quantity <= HOLD_UNITS_MAX; quantity += 1) {
  QUANTITY_OF_BODY.set(`{"quantity":${quantity}}`, quantity);
  QUANTITY_OF_BODY.set(`{"quantity": ${quantity}}`, quantity);
}

/** An endpoint that checks, guards and counts for itself. */
export type DirectEndpoint = EndpointShape & {
  answer(request: Request, params: HoldParams): Response | Promise<Response>;
};

export type HoldParams = { readonly sale: string; readonly sku: string };

const WINDOW_REFUSALS = ["not_open", "paused", "ended", "cancelled"] as const;

export function holdEndpoints(
  context: HttpContext,
  guard: RequestGuard,
): { readonly put: DirectEndpoint; readonly delete: DirectEndpoint } {
  const put = {
    method: "PUT",
    path: HOLD_PATH,
    tag: "holds",
    summary: "Set my hold to a quantity; a repeat changes nothing",
    caller: "shopper",
    params: holdParams,
    body: holdBody,
    answers: {
      200: { description: "I had it, or it has changed", schema: holdSchema },
      201: { description: "A new hold", schema: holdSchema },
    },
    refusals: [
      ...WINDOW_REFUSALS,
      "in_checkout",
      "limit_reached",
      "sold_out",
      "all_held",
      "too_few",
    ],
  } satisfies EndpointShape;
  const remove = {
    method: "DELETE",
    path: HOLD_PATH,
    tag: "holds",
    summary: "Give my hold back",
    caller: "shopper",
    params: holdParams,
    answers: { 204: { description: "I hold nothing of it" } },
    refusals: ["in_checkout"],
  } satisfies EndpointShape;
  const route = new HoldRoute(context, guard);
  return {
    put: { ...put, answer: (request, params) => route.put(request, params) },
    delete: { ...remove, answer: (request, params) => route.delete(request, params) },
  };
}

class HoldRoute {
  readonly #context: HttpContext;
  readonly #guard: RequestGuard;
  readonly #putRoute: number;
  readonly #deleteRoute: number;

  constructor(context: HttpContext, guard: RequestGuard) {
    this.#context = context;
    this.#guard = guard;
    this.#putRoute = context.metrics.register({ method: "PUT", path: HOLD_PATH });
    this.#deleteRoute = context.metrics.register({ method: "DELETE", path: HOLD_PATH });
  }

  put(request: Request, params: HoldParams): Response | Promise<Response> {
    const { clock, shop, stock } = this.#context;
    const startedMs = clock.monotonicMs();
    const { headers } = request;
    const declared = headers.get("content-length");
    const isJson = isJsonType(headers.get("content-type"));
    const refused = isTooLong(declared)
      ? "body_too_large"
      : isJson
        ? null
        : "unsupported_media_type";
    if (refused !== null) return this.#refuse(this.#putRoute, startedMs, refused);
    const shopper = this.#shopperOf(headers);
    if (shopper === null) return this.#refuse(this.#putRoute, startedMs, "unauthenticated");
    const sku = shop.directory.sku(params.sale, params.sku);
    if (sku === null) return this.#refuse(this.#putRoute, startedMs, "not_found");
    const early = stock.refuseEarly(sku);
    if (early !== null) return this.#guard.count(this.#putRoute, startedMs, refusal(early));
    const work = this.#hold(request, declared !== null, sku, shopper);
    return this.#guard.watch(this.#putRoute, startedMs, work, REQUEST_DEADLINE_MS);
  }

  async #hold(
    request: Request,
    isDeclared: boolean,
    sku: DirectorySku,
    shopper: string,
  ): Promise<Response> {
    const text = isDeclared ? await declaredText(request) : await countedText(request);
    if (text === null) return plainProblem("body_too_large");
    let quantity = QUANTITY_OF_BODY.get(text);
    if (quantity === undefined) {
      const parsed = parseBody(text);
      if (parsed instanceof Response) return parsed;
      quantity = parsed;
    }
    const outcome = await this.#context.stock.ask(sku, { kind: "hold", shopper, quantity });
    return outcome.kind === "held" ? held(sku, outcome) : refusal(outcome);
  }

  delete(request: Request, params: HoldParams): Response | Promise<Response> {
    const { clock, shop } = this.#context;
    const startedMs = clock.monotonicMs();
    const { headers } = request;
    if (isTooLong(headers.get("content-length"))) {
      return this.#refuse(this.#deleteRoute, startedMs, "body_too_large");
    }
    const shopper = this.#shopperOf(headers);
    if (shopper === null) {
      return this.#refuse(this.#deleteRoute, startedMs, "unauthenticated");
    }
    const sku = shop.directory.sku(params.sale, params.sku);
    if (sku === null) return this.#refuse(this.#deleteRoute, startedMs, "not_found");
    const work = this.#giveBack(sku, shopper);
    return this.#guard.watch(this.#deleteRoute, startedMs, work, REQUEST_DEADLINE_MS);
  }

  async #giveBack(sku: DirectorySku, shopper: string): Promise<Response> {
    const outcome = await this.#context.stock.ask(sku, { kind: "give_back", shopper });
    // A SKU that its owner keeps no state of has no hold either.
    return outcome.kind === "in_checkout" ? plainProblem("in_checkout") : noContent();
  }

  #shopperOf(headers: Headers): string | null {
    const bearer = bearerOf(headers.get("authorization"));
    return bearer === null ? null : this.#context.tokens.shopperOf(bearer);
  }

  #refuse(route: number, startedMs: number, code: ProblemCode): Response {
    return this.#guard.count(route, startedMs, plainProblem(code));
  }
}

/** Bodies of more than a few digits' length only are worth a number. */
function isTooLong(declared: string | null): boolean {
  return declared !== null && declared.length > 4 && Number(declared) > BODY_BYTES_MAX;
}

async function declaredText(request: Request): Promise<string> {
  try {
    return await request.text();
  } catch (cause) {
    throw new BodyCut("the body ended early", { cause });
  }
}

/** A body that did not say its length. Null: it is too large. */
async function countedText(request: Request): Promise<string | null> {
  const bytes = await readBytes(request, BODY_BYTES_MAX);
  // Not UTF-8 is not JSON either, and neither is the empty text.
  return bytes === null ? null : (textOf(bytes) ?? "");
}

function parseBody(text: string): number | Response {
  const json = jsonOf(text);
  if (json === null) return plainProblem("malformed_json");
  const parsed = holdBody.parse(json.value);
  return parsed.ok ? parsed.value.quantity : invalidRequest(parsed.errors);
}

function held(sku: DirectorySku, outcome: Extract<HoldOutcome, { kind: "held" }>): Response {
  return jsonText(holdText(sku, outcome.hold), outcome.isNew ? 201 : 200);
}

function refusal(outcome: HoldRefusal | Extract<HoldOutcome, { kind: "unknown_sku" }>): Response {
  switch (outcome.kind) {
    case "in_checkout":
    case "not_open":
    case "paused":
    case "ended":
    case "cancelled":
    case "sold_out":
    case "all_held":
      return plainProblem(outcome.kind);
    case "limit_reached":
      return problemWith(
        "limit_reached",
        `"limit":${outcome.limit},"held":${outcome.held},"bought":${outcome.bought}`,
      );
    case "too_few":
      return problemWith("too_few", `"available":${outcome.available}`);
    case "unknown_sku":
      return plainProblem("not_found");
    default:
      return unreachable(outcome);
  }
}
