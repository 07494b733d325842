// GET /v1/admin/nodes and POST /v1/admin/nodes/:id/drain: operators' calls.

import { z } from "zod";

import type { HttpContext } from "./context.ts";
import { type Endpoint, endpoint } from "./endpoint.ts";
import { plainProblem } from "./problem.ts";
import { json } from "./render.ts";
import { listOf } from "./schemas.ts";

const nodeSchema = z.object({
  nodeId: z.string(),
  state: z.enum(["joining", "up", "draining"]),
  address: z.string().nullable(),
  partitions: z.int(),
});
const nodeParams = z.object({ id: z.string().regex(/^[\x21-\x7e]{1,128}$/) });

export function adminNodeEndpoints({ ops }: HttpContext): readonly Endpoint[] {
  return [
    endpoint({
      method: "GET",
      path: "/v1/admin/nodes",
      tag: "operations",
      summary: "The members of the cluster",
      caller: "operator",
      answers: { 200: { description: "All of them", schema: listOf(nodeSchema) } },
      refusals: [],
      handle: () => json({ items: ops.nodes(), next: null }),
    }),
    endpoint({
      method: "POST",
      path: "/v1/admin/nodes/:id/drain",
      tag: "operations",
      summary: "Move a node's partitions to the others",
      caller: "operator",
      params: nodeParams,
      answers: {
        202: {
          description: "It hands its partitions off",
          schema: z.object({ nodeId: z.string(), state: z.literal("draining") }),
        },
      },
      refusals: [],
      async handle({ params }) {
        const state = await ops.drain(params.id);
        if (state === "not_found") return plainProblem("not_found");
        return json({ nodeId: params.id, state }, { status: 202 });
      },
    }),
  ];
}
