// The simulator's HTTP: requests in, the desk's answers out. POST /v1/charges is hot; bench:
// bench/payments.ts.

import { z } from "zod";

import { AMOUNT_MINOR_MAX } from "../../core/limits.ts";
import { exponentOf } from "../../core/money.ts";
import type { Charge } from "../../core/ports/payments.ts";
import * as limits from "../limits.ts";
import type { Book } from "./book.ts";
import type { Decision, Request as BookRequest } from "./decide.ts";
import type { Desk } from "./desk.ts";

export type RouteOptions = {
  readonly book: Book;
  readonly desk: Desk;
  readonly slowMs: number;
  readonly hangMs: number;
  /** Ends after `ms`, or at once when the client has gone or the simulator stops. */
  readonly pause: (ms: number, request: Request) => Promise<void>;
};

type WithOrder = Bun.BunRequest;

const orderId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

const chargeBody = z.strictObject({
  orderId,
  amountMinor: z.int().min(0).max(AMOUNT_MINOR_MAX),
  currency: z.string().refine((code) => exponentOf(code) !== null, "a known ISO 4217 code"),
  token: z.string().regex(/^[\x21-\x7e]{1,255}$/),
  /** Up to the last instant a Date can be. */
  payUntilMs: z.int().min(0).max(8_640_000_000_000_000),
});

const pageQuery = z.object({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(limits.BOOK_PAGE_MAX).default(100),
});

export function createRoutes(options: RouteOptions) {
  const { book } = options;
  const askAbout = (kind: "inquire" | "void" | "refund") => (request: WithOrder) => {
    const parsed = orderId.safeParse(request.params["orderId"]);
    if (!parsed.success) return invalid("orderId", parsed.error);
    return answer(options, { kind, orderId: parsed.data });
  };
  return {
    "/v1/charges": { POST: (request: Request) => takeCharge(options, request) },
    "/v1/charges/:orderId": { GET: askAbout("inquire") },
    "/v1/charges/:orderId/void": { POST: askAbout("void") },
    "/v1/charges/:orderId/refund": { POST: askAbout("refund") },
    "/v1/book": { GET: (request: Request) => page(book, request) },
    "/v1/book/totals": { GET: () => Response.json(book.totals()) },
    "/livez": { GET: () => Response.json({ status: "live" }) },
  };
}

export function problem(status: number, code: string, detail: string): Response {
  return Response.json(
    { title: code, status, code, detail },
    { status, headers: { "content-type": "application/problem+json" } },
  );
}

async function takeCharge(options: RouteOptions, request: Request): Promise<Response> {
  const body = await readJson(request);
  if (body === undefined) return problem(400, "malformed_json", "the body is no JSON");
  const parsed = chargeBody.safeParse(body);
  if (!parsed.success) return invalid("body", parsed.error);
  return answer(options, { kind: "charge", charge: parsed.data }, (decision) =>
    misbehave(options, { decision, charge: parsed.data, request }),
  );
}

/** Undefined when it is no JSON: JSON itself has no such value. */
async function readJson(request: Request): Promise<unknown> {
  try {
    return await request.json();
  } catch {
    return undefined;
  }
}

/** What the special tokens are for: late, or another answer. The charge is durable already. */
function misbehave(
  { slowMs, hangMs, pause }: RouteOptions,
  { decision, charge, request }: { decision: Decision; charge: Charge; request: Request },
): Promise<Response | null> | null {
  if (!decision.isFirst) return null;
  if (charge.token === "tok_slow") return pause(slowMs, request).then(() => null);
  if (charge.token === "tok_timeout_then_ok") {
    return pause(hangMs, request).then(() =>
      problem(504, "deadline", "this token is not answered"),
    );
  }
  return null;
}

async function answer(
  { desk }: RouteOptions,
  request: BookRequest,
  insteadOf?: (decision: Decision) => Promise<Response | null> | null,
): Promise<Response> {
  const asked = desk.run(request);
  if (asked === null) return problem(503, "busy", "too many requests wait");
  const decision = await asked;
  const other = insteadOf?.(decision) ?? null;
  if (other !== null) {
    const response = await other;
    if (response !== null) return response;
  }
  const state = decision.answer;
  if (state === null) {
    return problem(409, "amount_mismatch", "this order was charged with another amount before");
  }
  return state.kind === "not_found" ? Response.json(state, { status: 404 }) : Response.json(state);
}

function page(book: Book, request: Request): Response {
  const query = Object.fromEntries(new URL(request.url).searchParams);
  const parsed = pageQuery.safeParse(query);
  if (!parsed.success) return invalid("query", parsed.error);
  const items = book.page(parsed.data);
  const next = items.length === parsed.data.limit ? (items.at(-1)?.number ?? null) : null;
  return Response.json({ items, next });
}

function invalid(where: string, error: z.ZodError): Response {
  const [issue] = error.issues;
  const field = [where, ...(issue?.path ?? [])].join(".");
  return problem(400, "invalid_request", `${field}: ${issue?.message ?? "invalid"}`);
}
