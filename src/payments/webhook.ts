// Payment events as they reach us: signed requests of the Standard Webhooks kind.
// Who may post one is decided here and nowhere else; what it does, the use case decides.

import { Webhook } from "standardwebhooks";
import { z } from "zod";

import * as limits from "./limits.ts";

export const WEBHOOK_SECRET_PREFIX = "whsec_";

/** What a secret looks like, for the message about a bad one. */
export const WEBHOOK_SECRET_SHAPE =
  `${WEBHOOK_SECRET_PREFIX} and base64 of ` +
  `${limits.WEBHOOK_SECRET_BYTES_MIN} to ${limits.WEBHOOK_SECRET_BYTES_MAX} bytes`;

export type PaymentEvent = {
  /** The same for each copy and each retry of one event. */
  readonly eventId: string;
  readonly type: string;
  readonly orderId: string;
};

export type WebhookHeaders = Headers | Readonly<Record<string, string | undefined>>;

export type WebhookVerifier = {
  /**
   * Returns  null unless the raw body was signed with our secret at most 5 minutes ago (or ahead)
   *          and names an event. Never throws, compares in constant time.
   */
  verify(headers: WebhookHeaders, rawBody: string | Uint8Array): PaymentEvent | null;
};

const EVENT_ID = /^[\x21-\x7e]{1,128}$/;

const eventBody = z.object({
  type: z.string().min(1).max(64),
  data: z.object({ orderId: z.string().min(1).max(64) }),
});

/** A new secret of 32 random bytes. */
export function generateWebhookSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `${WEBHOOK_SECRET_PREFIX}${Buffer.from(bytes).toString("base64")}`;
}

export function isWebhookSecret(text: string): boolean {
  if (!text.startsWith(WEBHOOK_SECRET_PREFIX)) return false;
  const encoded = text.slice(WEBHOOK_SECRET_PREFIX.length);
  const bytes = Buffer.from(encoded, "base64");
  // Node's decoder skips what it does not know; what decodes and encodes alike is base64.
  if (bytes.toString("base64") !== encoded) return false;
  const { WEBHOOK_SECRET_BYTES_MIN: min, WEBHOOK_SECRET_BYTES_MAX: max } = limits;
  return bytes.byteLength >= min && bytes.byteLength <= max;
}

/** `secret` has been checked with `isWebhookSecret`: configuration is parsed, not verified here. */
export function createWebhookVerifier(secret: string): WebhookVerifier {
  const webhook = new Webhook(secret);
  return {
    verify(headers, rawBody) {
      const signed = {
        "webhook-id": headerOf(headers, "webhook-id"),
        "webhook-timestamp": headerOf(headers, "webhook-timestamp"),
        "webhook-signature": headerOf(headers, "webhook-signature"),
      };
      const eventId = signed["webhook-id"];
      if (!EVENT_ID.test(eventId)) return null;
      const text = typeof rawBody === "string" ? rawBody : new TextDecoder().decode(rawBody);
      const body = eventBody.safeParse(verifiedJson(webhook, text, signed));
      if (!body.success) return null;
      return { eventId, type: body.data.type, orderId: body.data.data.orderId };
    },
  };
}

/** Undefined when the library refuses: whatever it throws at a stranger's request means no. */
function verifiedJson(webhook: Webhook, text: string, headers: Record<string, string>): unknown {
  try {
    return webhook.verify(text, headers);
  } catch {
    return undefined;
  }
}

function headerOf(headers: WebhookHeaders, name: string): string {
  return (headers instanceof Headers ? headers.get(name) : headers[name]) ?? "";
}
