// Receives payment events on a loopback port, checks their signatures and lets a test wait for them.

import { createWebhookVerifier, type PaymentEvent } from "../../src/payments/webhook.ts";

export type EventReceiver = {
  readonly url: string;
  readonly port: number;
  /** Events whose signature was good, in the order they came; copies too. */
  readonly events: readonly PaymentEvent[];
  /** Requests that were refused: a bad signature, or `refuse` said so. */
  readonly refusedCount: number;
  /** Resolves once `count` events have come. Arm it before or after they do. */
  received(count: number): Promise<readonly PaymentEvent[]>;
  stop(): Promise<void>;
};

/** `refuse` says whether to answer 500 to the n-th good event (from 0). */
export function startEventReceiver(options: {
  readonly secret: string;
  readonly port?: number;
  readonly refuse?: (index: number) => boolean;
}): EventReceiver {
  const verifier = createWebhookVerifier(options.secret);
  const events: PaymentEvent[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let goodCount = 0;
  let refusedCount = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    async fetch(request) {
      const event = verifier.verify(request.headers, await request.text());
      if (event === null || options.refuse?.(goodCount++) === true) {
        refusedCount += 1;
        return new Response(null, { status: 500 });
      }
      events.push(event);
      for (const { count, resolve } of waiting) if (events.length >= count) resolve();
      return new Response(null, { status: 204 });
    },
  });
  return {
    url: `${server.url.origin}/v1/payments/events`,
    port: Number(server.port),
    events,
    get refusedCount() {
      return refusedCount;
    },
    async received(count) {
      if (events.length < count) {
        await new Promise<void>((resolve) => waiting.push({ count, resolve }));
      }
      return events;
    },
    stop: () => server.stop(true),
  };
}
