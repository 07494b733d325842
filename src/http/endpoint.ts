// An endpoint is one call of the contract: what it takes, who may call it, what it answers. From
// it come the check of each request, in one order for all, and the description (openapi.ts).
//
// Order of checks: 413 by declared length, 415, 401, 403, 404, 413 by received bytes, 400, outcome.
// A body is read only from those who may send it.

import type { z } from "zod";

import { BODY_BYTES_MAX, REQUEST_DEADLINE_MS } from "../core/limits.ts";
import type { FieldError } from "../shop/sale-file.ts";
import type { Shop } from "../shop/shop.ts";
import { type Caller, identify, type IdentityOf } from "./auth.ts";
import {
  declaredBytesOf,
  isJsonType,
  type JsonBody,
  jsonOf,
  type Parsed,
  parseWith,
  queryOf,
  readBytes,
  textOf,
} from "./body.ts";
import { plainProblem, problem, type ProblemCode } from "./problem.ts";
import type { Tokens } from "./tokens/tokens.ts";

type Call<C extends Caller, P, Q, B> = {
  readonly request: Request;
  readonly identity: IdentityOf<C>;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
};

export type Answer = {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Of an answer that is not JSON. */
  readonly contentType?: string;
};

/** What the description says of an endpoint. */
export type EndpointShape = {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly caller: Caller;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly headers?: z.ZodType;
  readonly body?: JsonBody<unknown>;
  readonly answers: Readonly<Record<number, Answer>>;
  /** Codes of its own; those that any call may answer are added. */
  readonly refusals: readonly ProblemCode[];
};

type EndpointSpec<C extends Caller, P extends z.ZodType, Q extends z.ZodType, B> = Omit<
  EndpointShape,
  "caller" | "params" | "query" | "body"
> & {
  readonly caller: C;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: JsonBody<B>;
  /** The body is JSON but the handler reads it, as bytes. */
  readonly isRaw?: true;
  readonly deadlineMs?: number;
  /** Asked before a 400: what is not there is 404, whatever was sent to it. */
  isKnown?(call: { identity: IdentityOf<C>; params: z.output<P> }): boolean;
  handle(call: Call<C, z.output<P>, z.output<Q>, B>): Promise<Response> | Response;
};

export type Endpoint = EndpointShape & {
  readonly deadlineMs: number;
  /** Throws: what the use case throws; the caller turns it into a problem. */
  run(request: Request, params: unknown, who: Who): Promise<Response>;
};

type Who = { readonly shop: Shop; readonly tokens: Tokens };

export function endpoint<C extends Caller, P extends z.ZodType, Q extends z.ZodType, B = undefined>(
  spec: EndpointSpec<C, P, Q, B>,
): Endpoint {
  return {
    ...shapeOf(spec),
    deadlineMs: spec.deadlineMs ?? REQUEST_DEADLINE_MS,
    run: (request, params, who) => run(spec, request, params, who),
  };
}

/** What is said of it, without what only runs it. */
function shapeOf(spec: EndpointShape): EndpointShape {
  const { method, path, tag, summary, caller, params, query, headers, body } = spec;
  return {
    method,
    path,
    tag,
    summary,
    caller,
    ...(params === undefined ? {} : { params }),
    ...(query === undefined ? {} : { query }),
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body }),
    answers: spec.answers,
    refusals: spec.refusals,
  };
}

async function run<C extends Caller, P extends z.ZodType, Q extends z.ZodType, B>(
  spec: EndpointSpec<C, P, Q, B>,
  request: Request,
  rawParams: unknown,
  who: Who,
): Promise<Response> {
  const takesJson = spec.body !== undefined || spec.isRaw === true;
  const declared = declaredBytesOf(request);
  if (declared !== null && declared > (spec.body?.bytesMax ?? BODY_BYTES_MAX)) {
    return plainProblem("body_too_large");
  }
  if (takesJson && !isJsonType(request.headers.get("content-type"))) {
    return plainProblem("unsupported_media_type");
  }
  const identified = await identify(spec.caller, request, who);
  if (identified instanceof Response) return identified;
  const identity = identified.identity as IdentityOf<C>;

  const params = parseOptional(spec.params, rawParams);
  if (!params.ok) return plainProblem("not_found");
  const query = queryIn(spec.query, request.url);
  const body = spec.body === undefined ? NO_BODY : await bodyIn(spec.body, request);
  if (body.kind === "too_large") return plainProblem("body_too_large");
  if (!query.ok || body.kind !== "parsed" || !body.parsed.ok) {
    if (spec.isKnown?.({ identity, params: params.value }) === false) {
      return plainProblem("not_found");
    }
    if (body.kind === "malformed") return plainProblem("malformed_json");
    return invalidRequest([
      ...(query.ok ? [] : query.errors),
      ...(body.kind !== "parsed" || body.parsed.ok ? [] : body.parsed.errors),
    ]);
  }
  return await spec.handle({
    request,
    identity,
    params: params.value,
    query: query.value,
    body: body.parsed.value as B,
  });
}

export function invalidRequest(errors: readonly FieldError[]): Response {
  return problem("invalid_request", { extensions: { errors } });
}

/** The same in every list: an `after` that no page gave is a mistake, not the end of the list. */
export function unknownAfter(): Response {
  return invalidRequest([{ field: "after", message: "is not the `next` of a page" }]);
}

type BodyIn<B> =
  | { readonly kind: "too_large" }
  | { readonly kind: "malformed" }
  | { readonly kind: "parsed"; readonly parsed: Parsed<B> };

const NO_BODY: BodyIn<undefined> = { kind: "parsed", parsed: { ok: true, value: undefined } };

async function bodyIn<B>(body: JsonBody<B>, request: Request): Promise<BodyIn<B>> {
  const bytes = await readBytes(request, body.bytesMax);
  if (bytes === null) return { kind: "too_large" };
  const json = jsonOf(textOf(bytes));
  if (json === null) return { kind: "malformed" };
  return { kind: "parsed", parsed: await body.parse(json.value) };
}

function parseOptional<S extends z.ZodType>(
  schema: S | undefined,
  value: unknown,
): Parsed<z.output<S>> {
  if (schema === undefined) return { ok: true, value: undefined as z.output<S> };
  return parseWith(schema, value);
}

/** A path without a query schema takes none, like a body takes no unknown field. */
function queryIn<Q extends z.ZodType>(schema: Q | undefined, url: string): Parsed<z.output<Q>> {
  const query = queryOf(url);
  if (!query.ok) return query;
  if (schema !== undefined) return parseWith(schema, query.value);
  const names = Object.keys(query.value);
  if (names.length === 0) return { ok: true, value: undefined as z.output<Q> };
  return {
    ok: false,
    errors: [{ field: String(names[0]).slice(0, 64), message: "is not a field of this" }],
  };
}
