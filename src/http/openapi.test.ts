import { expect, test } from "bun:test";

import { fakeApp } from "../../test/support/http-fakes.ts";

const { app, ops } = fakeApp();

async function get(path: string): Promise<Response> {
  return await app.handle(new Request(`http://localhost${path}`));
}

/** The document, as loosely typed as its readers take it. */
async function describe(): Promise<Described> {
  return (await (await get("/openapi/json")).json()) as Described;
}

type Operation = {
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly requestBody: { readonly content: Readonly<Record<string, { readonly schema: Json }>> };
  readonly responses: Readonly<Record<string, Json>>;
};
type Described = {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

type Json = { readonly [name: string]: Json } | readonly Json[] | string | number | boolean | null;

/** Every call of the contract. */
const CALLS = [
  "POST /v1/accounts",
  "POST /v1/sessions",
  "GET /v1/sales",
  "GET /v1/sales/{sale}",
  "GET /v1/sales/{sale}/events",
  "GET /v1/sales/{sale}/skus",
  "PUT /v1/sales/{sale}/skus/{sku}/hold",
  "DELETE /v1/sales/{sale}/skus/{sku}/hold",
  "GET /v1/cart",
  "POST /v1/checkout",
  "GET /v1/orders",
  "GET /v1/orders/{id}",
  "POST /v1/orders/{id}/cancel",
  "POST /v1/payments/events",
  "PUT /v1/admin/sales/{sale}",
  "POST /v1/admin/sales/{sale}/pause",
  "POST /v1/admin/sales/{sale}/resume",
  "POST /v1/admin/sales/{sale}/extend",
  "POST /v1/admin/sales/{sale}/end",
  "POST /v1/admin/sales/{sale}/cancel",
  "POST /v1/admin/sales/{sale}/skus/{sku}/stock",
  "GET /v1/admin/sales",
  "GET /v1/admin/sales/{sale}/report",
  "GET /v1/admin/sales/{sale}/skus/{sku}/explain",
  "GET /v1/admin/orders",
  "GET /v1/admin/nodes",
  "POST /v1/admin/nodes/{id}/drain",
  "GET /livez",
  "GET /readyz",
  "GET /metrics",
  "GET /openapi",
  "GET /openapi/json",
];

function* valuesIn(value: Json): Generator<Json> {
  yield value;
  if (typeof value !== "object" || value === null) return;
  for (const inner of Object.values(value)) yield* valuesIn(inner);
}

function at(document: Json, pointer: string): Json | undefined {
  let value: Json | undefined = document;
  for (const name of pointer.replace(/^#\//, "").split("/")) {
    value = (value as Record<string, Json> | undefined)?.[name];
  }
  return value;
}

test("the description lists every call of the contract and no other", async () => {
  const document = await describe();
  const calls = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(calls.toSorted()).toEqual(CALLS.toSorted());
  expect(document.openapi).toBe("3.1.2");
});

test("every $ref points at something, every path parameter is described", async () => {
  const document = await describe();
  let refs = 0;
  for (const value of valuesIn(document)) {
    const ref =
      typeof value === "object" && value !== null && "$ref" in value ? value["$ref"] : null;
    if (ref === null) continue;
    refs += 1;
    expect(ref).toStartWith("#/");
    expect(at(document, ref as string)).toBeDefined();
  }
  expect(refs).toBeGreaterThan(CALLS.length);
  for (const [path, item] of Object.entries(document.paths)) {
    for (const operation of Object.values(item)) {
      const described = (operation.parameters ?? []).filter((one) => one.in === "path");
      const named = [...path.matchAll(/\{([a-z]+)\}/g)].map((match) => match[1]);
      expect(described.map((one) => one.name)).toEqual(named as string[]);
    }
  }
});

test("a hold is described by the schema that checks it", async () => {
  const document = await describe();
  const put = document.paths["/v1/sales/{sale}/skus/{sku}/hold"]?.["put"];
  expect(put?.requestBody.content["application/json"]?.schema).toMatchObject({
    type: "object",
    properties: { quantity: { type: "integer", minimum: 1, maximum: 100 } },
    required: ["quantity"],
    additionalProperties: false,
  });
  expect(Object.keys(put?.responses ?? {})).toEqual([
    "200",
    "201",
    "400",
    "401",
    "403",
    "404",
    "409",
    "413",
    "415",
    "503",
    "504",
  ]);
  const checkout = document.paths["/v1/checkout"]?.["post"];
  expect(checkout?.parameters).toContainEqual(
    expect.objectContaining({ in: "header", name: "idempotency-key", required: true }),
  );
});

test("the page loads nothing from elsewhere", async () => {
  const response = await get("/openapi");
  const page = await response.text();
  expect(response.headers.get("content-security-policy")).toStartWith("default-src 'none'");
  expect(page).not.toMatch(/<script|<link|src=|https?:\/\//);
  expect(page).toContain("/v1/sales/:sale/skus/:sku/hold");
});

test("/livez is always 200, /readyz a problem with its reasons", async () => {
  expect((await get("/livez")).status).toBe(200);
  expect(await (await get("/readyz")).json()).toEqual({ ready: true, warnings: [] });
  ops.readiness = () => ({ ready: false, reasons: ["redis is away"], warnings: ["relaxed"] });
  const response = await get("/readyz");
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({
    code: "store_unavailable",
    reasons: ["redis is away"],
    warnings: ["relaxed"],
  });
});

test("/metrics counts by route pattern and status and has the rest of the engine's", async () => {
  const own = fakeApp().app;
  const send = (path: string) => own.handle(new Request(`http://localhost${path}`));
  await send("/v1/sales/drop-1/skus");
  await send("/v1/sales/drop-2/skus");
  await send("/nothing");
  const response = await send("/metrics");
  expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  const text = await response.text();
  expect(text).toStartWith("# others\n");
  expect(text).toContain(
    'doorbuster_http_requests_total{method="GET",route="/v1/sales/:sale/skus",status="404"} 2\n',
  );
  expect(text).toContain('{method="any",route="none",status="404"} 1\n');
  expect(text).toContain(
    'doorbuster_http_request_duration_seconds_count{method="GET",route="/v1/sales/:sale/skus"} 2\n',
  );
  expect(text).not.toContain("drop-1");
});
