// The one table of what can go wrong over HTTP, and the RFC 9457 bodies made from it.
//
//   P1  every answer of 400 and above is problem+json with a code of this table
//   P2  a body never carries a stack, SQL, a secret, or a value that was refused

import type { FaultCode } from "../core/errors.ts";
import { Fault } from "../core/errors.ts";
import type { Logger } from "../core/ports/logger.ts";

const PROBLEMS = {
  malformed_json: { status: 400, title: "The body is not JSON in UTF-8" },
  invalid_request: { status: 400, title: "The request does not have the form that is asked for" },
  idempotency_key_required: { status: 400, title: "An Idempotency-Key header is required" },
  unauthenticated: { status: 401, title: "No valid credentials" },
  payment_declined: { status: 402, title: "The payment was declined" },
  forbidden: { status: 403, title: "These credentials may not do this" },
  not_open: { status: 403, title: "The sale has not started" },
  paused: { status: 403, title: "The sale is paused" },
  ended: { status: 403, title: "The sale has ended" },
  cancelled: { status: 403, title: "The sale was cancelled" },
  not_found: { status: 404, title: "There is no such thing here" },
  method_not_allowed: { status: 405, title: "The path does not take this method" },
  email_taken: { status: 409, title: "The e-mail address has an account" },
  in_checkout: { status: 409, title: "The hold is in checkout" },
  limit_reached: { status: 409, title: "The limit for each shopper is reached" },
  sold_out: { status: 409, title: "Sold out" },
  all_held: { status: 409, title: "All that is left is held; holds may still lapse" },
  too_few: { status: 409, title: "Fewer are free than asked for" },
  hold_lapsed: { status: 409, title: "The hold has lapsed" },
  hold_changed: { status: 409, title: "The hold is not what is to be bought" },
  payment_pending: { status: 409, title: "The payment is not definite yet" },
  not_cancellable: { status: 409, title: "The order cannot be cancelled any more" },
  below_committed: { status: 409, title: "More is sold and held than would be released" },
  not_changeable: { status: 409, title: "These fields cannot change now" },
  changed_meanwhile: { status: 412, title: "The sale has another version" },
  body_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The body must be application/json" },
  idempotency_mismatch: { status: 422, title: "The Idempotency-Key was used for another request" },
  rate_limited: { status: 429, title: "Too many requests" },
  busy: { status: 503, title: "Busy; nothing was changed" },
  store_unavailable: { status: 503, title: "A store is away" },
  unknown: { status: 503, title: "The outcome is unknown; repeat the same request" },
  deadline: { status: 504, title: "Not done in time; repeat the same request" },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;
export const PROBLEM_CODES = Object.keys(PROBLEMS) as readonly ProblemCode[];

const FAULTS = {
  busy: "busy",
  deadline: "deadline",
  store_unavailable: "store_unavailable",
  unknown: "unknown",
  fenced: "busy",
  halted: "store_unavailable",
  not_owner: "busy",
  journal_corrupt: "store_unavailable",
  payment_unavailable: "unknown",
  payment_wrong: "unknown",
  config_invalid: "unknown",
  second_engine: "store_unavailable",
  statement_refused: "unknown",
} as const satisfies Record<FaultCode, ProblemCode>;

export function statusOf(code: ProblemCode): number {
  return PROBLEMS[code].status;
}

export function titleOf(code: ProblemCode): string {
  return PROBLEMS[code].title;
}

export function typeOf(code: ProblemCode): string {
  return `urn:doorbuster:problem:${code}`;
}

type Extensions = Readonly<Record<string, unknown>>;

/** Body of a problem. `detail` and `extensions` come from us, never from the request's values. */
function problemBody(code: ProblemCode, detail?: string, extensions?: Extensions): string {
  const { status, title } = PROBLEMS[code];
  return JSON.stringify({
    type: typeOf(code),
    title,
    status,
    detail: detail ?? `${title}.`,
    code,
    ...extensions,
  });
}

function headersOf(code: ProblemCode): Headers {
  const { status } = PROBLEMS[code];
  const headers = new Headers({ "content-type": "application/problem+json" });
  if (status === 401) headers.set("www-authenticate", 'Bearer realm="doorbuster"');
  if (status === 503 || status === 429) headers.set("retry-after", "1");
  // What is left of an oversized body is not read.
  if (status === 413) headers.set("connection", "close");
  return headers;
}

type Prebuilt = {
  readonly init: { readonly status: number; readonly headers: Headers };
  readonly body: string;
};

/** Made once: a refusal of the hot path is one `new Response` (bench/http-hold.ts). */
const PREBUILT = new Map<ProblemCode, Prebuilt>(
  PROBLEM_CODES.map((code) => [
    code,
    { init: { status: PROBLEMS[code].status, headers: headersOf(code) }, body: problemBody(code) },
  ]),
);

function prebuiltOf(code: ProblemCode): Prebuilt {
  return PREBUILT.get(code) as Prebuilt;
}

/** Hot path. The same bytes each time, so nothing is rendered. */
export function plainProblem(code: ProblemCode): Response {
  const prebuilt = prebuiltOf(code);
  return new Response(prebuilt.body, prebuilt.init);
}

/** Hot path. `members` is JSON text such as `"available":2`, appended to the prebuilt body. */
export function problemWith(code: ProblemCode, members: string): Response {
  const prebuilt = prebuiltOf(code);
  return new Response(`${prebuilt.body.slice(0, -1)},${members}}`, prebuilt.init);
}

export type ProblemOptions = {
  readonly detail?: string;
  readonly extensions?: Extensions;
  readonly headers?: Readonly<Record<string, string>>;
};

export function problem(code: ProblemCode, options: ProblemOptions = {}): Response {
  const headers = new Headers(prebuiltOf(code).init.headers);
  for (const [name, value] of Object.entries(options.headers ?? {})) headers.set(name, value);
  const body = problemBody(code, options.detail, options.extensions);
  return new Response(body, { status: PROBLEMS[code].status, headers });
}

/** The client went away or broke the framing before its body was whole: nobody hears the answer. */
export class BodyCut extends Error {
  override readonly name = "BodyCut";
}

/**
 * Any thrown value as an answer. A fault is the world's and gets its own code; anything else is our
 * bug and its outcome is unknown.
 */
export function problemOfThrown(thrown: unknown, log: Logger): Response {
  if (thrown instanceof Fault) {
    // Overload and deadlines are counted, not logged: a log line each would make them worse.
    if (thrown.code !== "busy" && thrown.code !== "deadline") {
      log.warn({ fault: thrown.code, detail: thrown.message }, "a request met a fault");
    }
    return plainProblem(FAULTS[thrown.code]);
  }
  if (thrown instanceof BodyCut) return plainProblem("unknown");
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  const stack = thrown instanceof Error ? framesOf(thrown) : undefined;
  log.error({ error: name, stack }, "a request met a bug");
  return plainProblem("unknown");
}

/** Frames only: a driver's message may quote the values of its statement. */
function framesOf(error: Error): string {
  const lines = (error.stack ?? "").split("\n");
  return lines.filter((line) => /^\s+at /.test(line)).join("\n");
}
