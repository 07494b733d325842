// All calls of the contract as one Elysia app. It takes use cases and ports only, so that the bench
// can put another decision behind it.
//
// Elysia routes and nothing else: bodies, checks and errors are ours (endpoint.ts, problem.ts). Its
// body parser guesses by the 13th character of the media type, its validation echoes refused values
// and runs before authentication, its errors show messages (notes: c-37, c-47 to c-50).

import { Elysia } from "elysia";

import { accountEndpoints } from "./accounts.ts";
import { adminNodeEndpoints } from "./admin-nodes.ts";
import { adminSaleEndpoints } from "./admin-sales.ts";
import { adminViewEndpoints } from "./admin-views.ts";
import { cartEndpoints } from "./cart.ts";
import { checkoutEndpoints } from "./checkout.ts";
import type { AppOptions, HttpContext } from "./context.ts";
import { type Endpoint, endpoint, type EndpointShape } from "./endpoint.ts";
import { healthEndpoints } from "./health.ts";
import { type DirectEndpoint, holdEndpoints, type HoldParams } from "./holds.ts";
import { HttpMetrics } from "./metrics.ts";
import { describeApi, type OpenApi } from "./openapi.ts";
import { orderEndpoints } from "./orders.ts";
import { paymentEventEndpoints } from "./payment-events.ts";
import { plainProblem, problem, problemOfThrown } from "./problem.ts";
import { RequestGuard } from "./request-guard.ts";
import { saleEventEndpoints, SaleEvents } from "./sale-events.ts";
import { saleEndpoints } from "./sales.ts";

export type { AppOptions, NodeInfo, Ops, Webhook } from "./context.ts";

export type App = {
  /** Answers any request, also without a socket. Never rejects. */
  handle(request: Request): Promise<Response>;
  /** Calls that skip Elysia's router and context: see `serve`. */
  readonly direct: readonly DirectEndpoint[];
  readonly options: AppOptions;
  /** Ends what never ends by itself: the streams. */
  endStreams(): void;
};

export function createApp(options: AppOptions): App {
  const metrics = new HttpMetrics();
  const context: HttpContext = { ...options, metrics };
  const guard = new RequestGuard({ clock: options.clock, log: options.log, metrics });
  const holds = holdEndpoints(context, guard);
  const direct = [holds.put, holds.delete];
  const { shop, stock, clock, levels } = options;
  const events = new SaleEvents({ directory: shop.directory, stock, clock, feed: levels });
  const endpoints: Endpoint[] = [
    ...accountEndpoints(context),
    ...saleEndpoints(context),
    ...saleEventEndpoints(context, events),
    ...cartEndpoints(context),
    ...checkoutEndpoints(context),
    ...orderEndpoints(context),
    ...paymentEventEndpoints(context),
    ...adminSaleEndpoints(context),
    ...adminViewEndpoints(context),
    ...adminNodeEndpoints(context),
    ...healthEndpoints(context),
  ];
  endpoints.push(...descriptionEndpoints(() => [...direct, ...endpoints], options.version));

  const unrouted = metrics.register({ method: "any", path: "none" });
  const elysia = new Elysia({
    normalize: false,
    // Else a host of three characters or fewer is taken for part of the path.
    handler: { standardHostname: false },
  });
  for (const one of endpoints) addEndpoint(elysia, one, context, guard);
  for (const one of direct) addDirect(elysia, one);
  const methodsOf = methodTable([...direct, ...endpoints]);
  elysia.onError(({ code, error, request }) => {
    if (code !== "NOT_FOUND") return problemOfThrown(error, options.log);
    const methods = methodsOf(pathOf(request.url));
    return guard.count(unrouted, options.clock.monotonicMs(), noRoute(methods));
  });
  elysia.compile();
  return {
    direct,
    options,
    endStreams: () => events.stop(),
    async handle(request) {
      try {
        return await elysia.fetch(withHost(request));
      } catch (thrown) {
        return problemOfThrown(thrown, options.log);
      }
    },
  };
}

function addEndpoint(
  elysia: Elysia,
  one: Endpoint,
  context: HttpContext,
  guard: RequestGuard,
): void {
  const route = context.metrics.register(one);
  const answer = ({ request, params }: { request: Request; params: unknown }) => {
    const startedMs = context.clock.monotonicMs();
    return guard.watch(route, startedMs, one.run(request, params, context), one.deadlineMs);
  };
  elysia.route(one.method, one.path, answer, { parse: "none" });
  if (one.method === "GET") elysia.route("HEAD", one.path, answer, { parse: "none" });
}

function addDirect(elysia: Elysia, one: DirectEndpoint): void {
  const answer = ({ request, params }: { request: Request; params: unknown }) =>
    one.answer(request, params as HoldParams);
  elysia.route(one.method, one.path, answer, { parse: "none" });
}

/** The methods that a path takes; none when it is no path of ours. Cold: only for refusals. */
function methodTable(shapes: readonly EndpointShape[]): (path: string) => readonly string[] {
  const rows = shapes.map(({ method, path }) => ({
    pattern: new RegExp(`^${path.replaceAll(/:[a-z]+/g, "[^/]+")}/?$`),
    methods: method === "GET" ? ["GET", "HEAD"] : [method],
  }));
  return (path) => rows.filter((row) => row.pattern.test(path)).flatMap((row) => row.methods);
}

function noRoute(methods: readonly string[]): Response {
  if (methods.length === 0) return plainProblem("not_found");
  return problem("method_not_allowed", { headers: { allow: methods.join(", ") } });
}

/** HTTP/1.0 without Host gives a path for a URL, in which Elysia finds no path. */
function withHost(request: Request): Request {
  const { url } = request;
  return url.startsWith("/") ? new Request(`http://localhost${url}`, request) : request;
}

function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const query = url.indexOf("?", start);
  return url.slice(start, query === -1 ? undefined : query);
}

function descriptionEndpoints(
  shapes: () => readonly EndpointShape[],
  version: string,
): readonly Endpoint[] {
  let described: Promise<OpenApi> | null = null;
  const describe = () => (described ??= describeApi(shapes(), version));
  const shape = { method: "GET", tag: "operations", caller: "anyone", refusals: [] } as const;
  return [
    endpoint({
      ...shape,
      path: "/openapi",
      summary: "This contract as a page",
      answers: { 200: { description: "HTML that loads nothing else" } },
      async handle() {
        const { page } = await describe();
        return new Response(page, {
          headers: {
            "content-type": "text/html; charset=utf-8",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
          },
        });
      },
    }),
    endpoint({
      ...shape,
      path: "/openapi/json",
      summary: "This contract as OpenAPI 3.1",
      answers: { 200: { description: "The document" } },
      async handle() {
        const { json } = await describe();
        return new Response(json, { headers: { "content-type": "application/json" } });
      },
    }),
  ];
}
