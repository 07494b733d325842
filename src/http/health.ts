// /livez, /readyz and /metrics: what machines ask of a node.

import { z } from "zod";

import type { HttpContext } from "./context.ts";
import { type Endpoint, endpoint } from "./endpoint.ts";
import { problem } from "./problem.ts";
import { json } from "./render.ts";

const UNCACHED = { "cache-control": "no-store" };

export function healthEndpoints(context: HttpContext): readonly Endpoint[] {
  const { ops, metrics, version } = context;
  return [
    endpoint({
      method: "GET",
      path: "/livez",
      tag: "operations",
      summary: "The process runs",
      caller: "anyone",
      answers: {
        200: {
          description: "It does",
          schema: z.object({ status: z.literal("ok"), version: z.string() }),
        },
      },
      refusals: [],
      handle: () => json({ status: "ok", version }, { headers: UNCACHED }),
    }),
    endpoint({
      method: "GET",
      path: "/readyz",
      tag: "operations",
      summary: "The node may be sent work",
      caller: "anyone",
      answers: {
        200: {
          description: "Ready; warnings are for operators",
          schema: z.object({ ready: z.literal(true), warnings: z.array(z.string()) }),
        },
      },
      refusals: ["store_unavailable"],
      handle() {
        const { ready, reasons, warnings } = ops.readiness();
        if (ready) return json({ ready, warnings }, { headers: UNCACHED });
        return problem("store_unavailable", {
          detail: "The node is not ready.",
          extensions: { ready, reasons, warnings },
          headers: UNCACHED,
        });
      },
    }),
    endpoint({
      method: "GET",
      path: "/metrics",
      tag: "operations",
      summary: "Counters as Prometheus text",
      caller: "anyone",
      answers: { 200: { description: "Prometheus text, version 0.0.4" } },
      refusals: [],
      async handle() {
        const others = await ops.metrics();
        const separator = others === "" || others.endsWith("\n") ? "" : "\n";
        return new Response(`${others}${separator}${metrics.render()}`, {
          headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
        });
      },
    }),
  ];
}
