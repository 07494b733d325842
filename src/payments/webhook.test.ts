import { expect, test } from "bun:test";

import { Webhook } from "standardwebhooks";

import { WEBHOOK_TOLERANCE_MS } from "./limits.ts";
import { createWebhookVerifier, generateWebhookSecret, isWebhookSecret } from "./webhook.ts";

const secret = generateWebhookSecret();
const verifier = createWebhookVerifier(secret);
const orderId = `ord_${"0".repeat(34)}`;
const body = JSON.stringify({ type: "charge.paid", data: { orderId, amountMinor: 100 } });

function signedHeaders(options: {
  body: string;
  secret?: string;
  id?: string;
  agoMs?: number;
}): Record<string, string> {
  const at = new Date(Date.now() - (options.agoMs ?? 0));
  const id = options.id ?? "evt_paid_1";
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
    "webhook-signature": new Webhook(options.secret ?? secret).sign(id, at, options.body),
  };
}

function verdictOf(agoMs: number) {
  return verifier.verify(signedHeaders({ body, agoMs }), body);
}

function secretOfBytes(count: number): string {
  return `whsec_${Buffer.alloc(count, 7).toString("base64")}`;
}

test("a signed event is read, from headers of either kind and from a body of either kind", () => {
  const headers = signedHeaders({ body });
  const event = { eventId: "evt_paid_1", type: "charge.paid", orderId };
  expect(verifier.verify(headers, body)).toEqual(event);
  expect(verifier.verify(new Headers(headers), new TextEncoder().encode(body))).toEqual(event);
});

test("one good signature among several is enough: secrets are rotated that way", () => {
  const headers = signedHeaders({ body });
  headers["webhook-signature"] = `v1,AAAA v1a,xyz ${headers["webhook-signature"]}`;
  expect(verifier.verify(headers, body)).not.toBeNull();
});

test("a timestamp is good for 5 minutes, either way", () => {
  const insideMs = WEBHOOK_TOLERANCE_MS - 5_000;
  const outsideMs = WEBHOOK_TOLERANCE_MS + 5_000;
  expect([insideMs, -insideMs].map(verdictOf)).not.toContain(null);
  expect([outsideMs, -outsideMs].map(verdictOf)).toEqual([null, null]);
});

test("whatever was changed after signing is refused", () => {
  const good = signedHeaders({ body });
  const signature = good["webhook-signature"] ?? "";
  const changes: [Record<string, string>, string | Uint8Array][] = [
    [good, `${body} `],
    [good, body.replace("100", "101")],
    [good, new Uint8Array([...new TextEncoder().encode(body), 0xff])],
    [{ ...good, "webhook-id": "evt_paid_2" }, body],
    [{ ...good, "webhook-timestamp": String(Math.floor(Date.now() / 1_000) - 7) }, body],
    [{ ...good, "webhook-signature": signature.slice(0, -2) }, body],
    [
      { ...good, "webhook-signature": good["webhook-signature"]?.replace("v1,", "v2,") ?? "" },
      body,
    ],
    [signedHeaders({ body, secret: generateWebhookSecret() }), body],
  ];
  for (const [headers, text] of changes) expect(verifier.verify(headers, text)).toBeNull();
});

test("garbage is refused and never throws", () => {
  const garbage = ["", " ", ",", "v1,", "v1", "v1,\u0000", "v1,é", "x".repeat(10_000), "NaN", "-1"];
  for (const text of garbage) {
    for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) {
      expect(verifier.verify({ ...signedHeaders({ body }), [name]: text }, body)).toBeNull();
    }
  }
  expect(verifier.verify({}, "")).toBeNull();
  expect(verifier.verify(new Headers(), new Uint8Array([0xff, 0xfe]))).toBeNull();
});

test("a body that is signed and still no event is refused", () => {
  const bodies = ["", "null", "{", "[]", `{"type":"x"}`, `{"type":"x","data":{"orderId":1}}`];
  for (const text of bodies) {
    expect(verifier.verify(signedHeaders({ body: text }), text)).toBeNull();
  }
});

test("a generated secret is a secret, and no two are alike", () => {
  const secrets = Array.from({ length: 100 }, generateWebhookSecret);
  expect(secrets.every(isWebhookSecret)).toBe(true);
  expect(new Set(secrets).size).toBe(100);
});

test("a secret needs its prefix, clean base64 and 24 to 64 bytes", () => {
  expect([24, 64].map((count) => isWebhookSecret(secretOfBytes(count)))).toEqual([true, true]);
  const bad = [
    ...[0, 23, 65].map(secretOfBytes),
    "",
    secretOfBytes(32).slice(6),
    `${secretOfBytes(32)}!`,
    ` ${secretOfBytes(32)}`,
  ];
  expect(bad.filter(isWebhookSecret)).toEqual([]);
});
