// The listening socket of an app, and its end.
//
// Bun.serve and not Elysia's listen: that one shares the port with any forgotten process
// (reusePort, c-41), reloads its routes once after the start and keeps a listener on the process.

import type { Server } from "bun";

import { STOP_MS_MAX } from "../core/limits.ts";
import type { App } from "./app.ts";
import type { DirectEndpoint, HoldParams } from "./holds.ts";
import { problem, problemOfThrown } from "./problem.ts";

/**
 * Bodies that Bun itself refuses, with a bare 413. Our own bounds are far below and answer with a
 * problem; this one bounds what Bun keeps of a body that nobody reads yet.
 */
const UNREAD_BODY_BYTES_MAX = 64 * 1_024 * 1_024;

/** Seconds. Above the deadlines, so that a slow request hears a 504 and not a closed socket. */
const IDLE_TIMEOUT_S = 30;

/** How often a stop looks whether what was accepted is done. */
const STOP_POLL_MS = 5;

/** Calls that a stopping node still answers: they are not work. */
const ANSWERED_WHILE_STOPPING = /^[^?]*\/(livez|metrics)(\?|$)/;

export type Served = {
  readonly port: number;
  readonly url: string;
  /** Refuses new work with 503, finishes what was accepted, closes. Resolves within `graceMs`. */
  stop(options?: { readonly graceMs?: number }): Promise<void>;
};

export function serve(app: App, options: { readonly host: string; readonly port: number }): Served {
  const gate = { isStopping: false };
  const server = Bun.serve({
    hostname: options.host,
    port: options.port,
    reusePort: false,
    development: false,
    idleTimeout: IDLE_TIMEOUT_S,
    maxRequestBodySize: UNREAD_BODY_BYTES_MAX,
    routes: directRoutes(app.direct, gate),
    fetch(request) {
      if (gate.isStopping && !ANSWERED_WHILE_STOPPING.test(request.url)) return stopping();
      return app.handle(request);
    },
    error: (thrown) => problemOfThrown(thrown, app.options.log),
  });
  let stopped: Promise<void> | null = null;
  return {
    port: server.port ?? options.port,
    url: `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${server.port}`,
    stop({ graceMs = STOP_MS_MAX } = {}) {
      gate.isStopping = true;
      app.endStreams();
      stopped ??= stopServer(server, graceMs);
      return stopped;
    },
  };
}

type DirectRoute = (
  request: Request & { readonly params: HoldParams },
) => Response | Promise<Response>;

/** Hot path: one closure for each endpoint, none for a request. */
function directRoutes(
  direct: readonly DirectEndpoint[],
  gate: { readonly isStopping: boolean },
): Record<string, Record<string, DirectRoute>> {
  const routes: Record<string, Record<string, DirectRoute>> = {};
  for (const endpoint of direct) {
    const route: DirectRoute = (request) =>
      gate.isStopping ? stopping() : endpoint.answer(request, request.params);
    routes[endpoint.path] = { ...routes[endpoint.path], [endpoint.method]: route };
  }
  return routes;
}

function stopping(): Response {
  return problem("busy", {
    detail: "The node is stopping.",
    headers: { connection: "close" },
  });
}

/**
 * Bun's own stop is not to be relied on alone: by version it has resolved too early, and with a
 * pending handler never (c-43). So we count, and a timer has the last word.
 */
async function stopServer(server: Server<undefined>, graceMs: number): Promise<void> {
  const endMs = performance.now() + graceMs;
  while (server.pendingRequests > 0 && performance.now() < endMs) await Bun.sleep(STOP_POLL_MS);
  const isQuiet = server.pendingRequests === 0;
  const closed = server.stop(!isQuiet);
  const restMs = Math.max(0, endMs - performance.now());
  const isClosed = await settlesWithin(closed, isQuiet ? restMs : 0);
  if (!isClosed) await settlesWithin(server.stop(true), 0);
}

function settlesWithin(promise: Promise<void>, withinMs: number): Promise<boolean> {
  const { promise: decided, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, withinMs, false);
  const settled = () => {
    clearTimeout(timer);
    resolve(true);
  };
  promise.then(settled, settled);
  return decided;
}
