// The description of the contract, made from the endpoints' own schemas by @elysiajs/openapi the
// first time somebody asks. The page beside it is ours: Scalar would load its script from a CDN.

import { z } from "zod";

import type { Answer, EndpointShape } from "./endpoint.ts";
import { PROBLEM_CODES, type ProblemCode, statusOf, titleOf, typeOf } from "./problem.ts";

/** Any call may be answered with these. */
const COMMON: readonly ProblemCode[] = [
  "invalid_request",
  "not_found",
  "busy",
  "store_unavailable",
  "unknown",
  "deadline",
];
const OF_BODY: readonly ProblemCode[] = [
  "malformed_json",
  "body_too_large",
  "unsupported_media_type",
];
const SECURITY = { shopper: "shopper", merchant: "apiKey", operator: "apiKey" } as const;

export type OpenApi = { readonly json: string; readonly page: string };

export async function describeApi(
  endpoints: readonly EndpointShape[],
  version: string,
): Promise<OpenApi> {
  const { Elysia } = await import("elysia");
  const { toOpenAPISchema } = await import("@elysiajs/openapi");
  const described = new Elysia();
  for (const shape of endpoints) {
    described.route(shape.method, shape.path, () => undefined, hooksOf(shape));
  }
  const { paths } = toOpenAPISchema(described, { staticFile: false }, undefined, {
    zod: (schema: z.ZodType) => z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }),
  });
  const document = {
    openapi: "3.1.2",
    info: {
      title: "Doorbuster",
      version,
      description: "A flash-sale engine: exactly N units, to the right people.",
    },
    paths,
    components: {
      securitySchemes: {
        shopper: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        apiKey: { type: "http", scheme: "bearer", bearerFormat: "API key" },
      },
      schemas: { Problem: problemSchema() },
    },
  };
  return { json: JSON.stringify(document), page: pageOf(endpoints, version) };
}

/** Elysia types its hooks by each route; these are made for any. */
function hooksOf(shape: EndpointShape): object {
  return {
    ...(shape.params === undefined ? {} : { params: shape.params }),
    ...(shape.query === undefined ? {} : { query: shape.query }),
    ...(shape.headers === undefined ? {} : { headers: shape.headers }),
    detail: {
      tags: [shape.tag],
      summary: shape.summary,
      operationId: operationIdOf(shape),
      security: shape.caller === "anyone" ? [] : [{ [SECURITY[shape.caller]]: [] }],
      ...(shape.body === undefined ? {} : { requestBody: requestBodyOf(shape.body.schema) }),
      responses: responsesOf(shape),
    },
  };
}

/** `PUT /v1/sales/:sale/skus/:sku/hold` is `putSalesSaleSkusSkuHold`. */
function operationIdOf({ method, path }: EndpointShape): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "" && word !== "v1");
  const capitalised = words.map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`);
  return `${method.toLowerCase()}${capitalised.join("")}`;
}

function jsonSchemaOf(schema: z.ZodType, io: "input" | "output") {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}

function requestBodyOf(schema: z.ZodType) {
  return {
    required: true,
    content: { "application/json": { schema: jsonSchemaOf(schema, "input") } },
  };
}

function responsesOf(shape: EndpointShape) {
  const responses: Record<string, unknown> = {};
  for (const [status, answer] of Object.entries(shape.answers)) {
    responses[status] = { description: answer.description, ...contentOf(answer) };
  }
  for (const [status, codes] of codesByStatus(shape)) {
    responses[status] = {
      description: codes.map((code) => `\`${code}\`: ${titleOf(code)}`).join("; "),
      content: {
        "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
      },
    };
  }
  return responses;
}

function contentOf({ schema, contentType }: Answer) {
  if (schema !== undefined) {
    return { content: { "application/json": { schema: jsonSchemaOf(schema, "output") } } };
  }
  if (contentType === undefined) return {};
  return { content: { [contentType]: { schema: { type: "string" } } } };
}

function codesByStatus(shape: EndpointShape): Map<number, ProblemCode[]> {
  const codes = new Set<ProblemCode>([...shape.refusals, ...COMMON]);
  if (shape.body !== undefined) for (const code of OF_BODY) codes.add(code);
  if (shape.caller !== "anyone") codes.add("unauthenticated");
  if (shape.caller === "merchant" || shape.caller === "operator") codes.add("forbidden");
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of PROBLEM_CODES) {
    if (!codes.has(code)) continue;
    const status = statusOf(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return byStatus;
}

function problemSchema() {
  const schema = z.looseObject({
    type: z.enum(PROBLEM_CODES.map(typeOf)),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(PROBLEM_CODES),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  });
  return jsonSchemaOf(schema, "output");
}

function pageOf(endpoints: readonly EndpointShape[], version: string): string {
  const rows = endpoints.map(
    ({ method, path, summary, caller, answers, refusals }) =>
      `<tr><td><code>${method}</code></td><td><code>${escapeHtml(path)}</code></td>` +
      `<td>${escapeHtml(summary)}</td><td>${caller}</td>` +
      `<td>${[...Object.keys(answers), ...refusals].join(" ")}</td></tr>`,
  );
  const codes = PROBLEM_CODES.map(
    (code) =>
      `<tr><td>${statusOf(code)}</td><td><code>${code}</code></td>` +
      `<td>${escapeHtml(titleOf(code))}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Doorbuster API</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #8884; padding: .3rem .6rem; text-align: left }
:root { color-scheme: light dark }
</style>
<h1>Doorbuster API ${escapeHtml(version)}</h1>
<p>Every field is in <a href="/openapi/json">/openapi/json</a> (OpenAPI 3.1).</p>
<table><tr><th>Method<th>Path<th>What it does<th>Who<th>Answers</tr>
${rows.join("\n")}
</table>
<h2>Problems</h2>
<table><tr><th>Status<th>Code<th>Meaning</tr>
${codes.join("\n")}
</table>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
