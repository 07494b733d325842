// Shoppers: each with a token of its own, each request kept in a history, each unknown outcome
// repeated until it is definite.

import { type Call, type History, isDefinite, monotonicMs } from "./history.ts";
import type { Answer, HttpClient } from "./raw-client.ts";

const REPEAT_PAUSE_MS = 30;
/** No fault of these tests lasts that long: who still has no answer then never gets one. */
const PATIENCE_MS = 45_000;

export type HoldBody = {
  readonly holdId: string;
  readonly quantity: number;
  readonly expiresAt: string;
  readonly state: "open" | "paying";
};

export type OrderBody = {
  readonly orderId: string;
  readonly status: string;
  readonly total: { readonly amountMinor: number };
};

export type CheckoutWish = {
  readonly sale: string;
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[];
  readonly card?: string;
  readonly key: string;
};

export class Shopper {
  readonly id: string;
  readonly #token: string;
  readonly #client: HttpClient;
  readonly #history: History;

  constructor(options: { id: string; token: string; client: HttpClient; history: History }) {
    this.id = options.id;
    this.#token = options.token;
    this.#client = options.client;
    this.#history = options.history;
  }

  /** Sends once. Null: cut or silent. */
  async send(call: Call): Promise<Answer | null> {
    const { method, path, body, key } = call;
    const startedMs = monotonicMs();
    const { answer, tookMs, port } = await this.#client.request({
      method,
      path,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(key === undefined ? {} : { "idempotency-key": key }),
      },
      ...(body === undefined ? {} : { body }),
    });
    const endedMs = monotonicMs();
    this.#history.add({ shopper: this.id, call, startedMs, endedMs, tookMs, port, answer });
    return answer;
  }

  /** The same request again and again until its answer is definite (I8). */
  async settle(call: Call): Promise<Answer> {
    const startedMs = performance.now();
    for (;;) {
      const answer = await this.send(call);
      if (answer !== null && isDefinite(answer)) return answer;
      if (performance.now() - startedMs > PATIENCE_MS) {
        const heard = answer === null ? "nothing" : `${answer.status} ${answer.body}`;
        throw new Error(`${call.method} ${call.path} never got a definite answer: ${heard}`);
      }
      await Bun.sleep(REPEAT_PAUSE_MS);
    }
  }

  hold(sale: string, sku: string, quantity: number): Promise<Answer> {
    return this.settle(holdCall(sale, sku, quantity));
  }

  giveBack(sale: string, sku: string): Promise<Answer> {
    return this.settle(giveBackCall(sale, sku));
  }

  /** Until it is paid, refused or over: a 202 is asked again with the same key. */
  async checkout(wish: CheckoutWish): Promise<Answer> {
    const startedMs = performance.now();
    for (;;) {
      const answer = await this.settle(checkoutCall(wish));
      const isPending = answer.status === 202 || statusIn(answer) === "refunding";
      if (!isPending || performance.now() - startedMs > PATIENCE_MS) return answer;
      await Bun.sleep(REPEAT_PAUSE_MS);
    }
  }

  async cart(): Promise<{ holds: (HoldBody & { sku: string })[]; complete: boolean }> {
    const answer = await this.settle({ method: "GET", path: "/v1/cart" });
    return JSON.parse(answer.body);
  }

  async orders(): Promise<OrderBody[]> {
    const answer = await this.settle({ method: "GET", path: "/v1/orders" });
    return JSON.parse(answer.body).items;
  }
}

export function holdCall(sale: string, sku: string, quantity: number): Call {
  const body = JSON.stringify({ quantity });
  return { method: "PUT", path: `/v1/sales/${sale}/skus/${sku}/hold`, body };
}

export function giveBackCall(sale: string, sku: string): Call {
  return { method: "DELETE", path: `/v1/sales/${sale}/skus/${sku}/hold` };
}

export function checkoutCall({ sale, lines, card = "tok_ok", key }: CheckoutWish): Call {
  const body = JSON.stringify({ sale, lines, payment: { method: "card", token: card } });
  return { method: "POST", path: "/v1/checkout", body, key };
}

export function holdIn(answer: Answer): HoldBody {
  return JSON.parse(answer.body);
}

export function orderIn(answer: Answer): OrderBody {
  return JSON.parse(answer.body);
}

function statusIn(answer: Answer): string | null {
  return /"status":"([a-z_]+)"/.exec(answer.body)?.[1] ?? null;
}
