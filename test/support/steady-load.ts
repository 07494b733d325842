// Shoppers who take and give back one unit for ever, each repeating once what had no definite answer:
// at another node, after the time that Retry-After names. What they met is kept, with times.

import { isDefinite, monotonicMs } from "./history.ts";
import type { Answer } from "./raw-client.ts";
import { RawClient } from "./raw-client.ts";

/** A second above the engine's deadline. */
const PATIENCE_MS = 4_000;

export type Met = {
  readonly sku: string;
  readonly startedMs: number;
  /** Of the first attempt. */
  readonly tookMs: number;
  readonly port: number;
  /** Null: cut or silent. */
  readonly status: number | null;
  readonly isRetryAfterGiven: boolean;
  /** Null: the first answer was definite. */
  readonly repeat: { readonly status: number | null; readonly body: string } | null;
};

export type SteadyLoadOptions = {
  readonly ports: readonly number[];
  readonly sale: string;
  /** SKUs of the shoppers in turn: one that stands there twice has twice as many. */
  readonly skus: readonly string[];
  readonly shoppers: number;
  readonly token: (shopper: string) => Promise<string>;
  /** Between two requests of a shopper; 0. */
  readonly thinkMs?: number;
};

export class SteadyLoad {
  readonly met: Met[] = [];
  readonly #options: SteadyLoadOptions;
  readonly #clients: readonly RawClient[];
  #isOver = false;
  #probes = 0;
  #acting: Promise<unknown> = Promise.resolve();

  constructor(options: SteadyLoadOptions) {
    this.#options = options;
    this.#clients = options.ports.map((port) => new RawClient({ port }));
  }

  async start(): Promise<void> {
    const { shoppers, token } = this.#options;
    const names = Array.from({ length: shoppers }, (_, index) => `steady-${index}`);
    const tokens = await Promise.all(names.map((name) => token(name)));
    this.#acting = Promise.all(tokens.map((own, index) => this.#shop(own, index)));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#acting;
    for (const client of this.#clients) client.close();
  }

  /** Those that began in that time. */
  between(fromMs: number, toMs: number): readonly Met[] {
    return this.met.filter(({ startedMs }) => startedMs >= fromMs && startedMs < toMs);
  }

  /** Not answered definitely at the second attempt either. */
  get failedTwice(): readonly Met[] {
    return this.met.filter(({ repeat }) => repeat !== null && !isDefiniteStatus(repeat.status));
  }

  /** One hold of a shopper who was never here before. */
  async probe(client: RawClient, sku: string): Promise<number | null> {
    const { sale, token } = this.#options;
    const headers = {
      authorization: `Bearer ${await token(`probe-${(this.#probes += 1)}`)}`,
      "content-type": "application/json",
    };
    const path = `/v1/sales/${sale}/skus/${sku}/hold`;
    const { answer } = await client.request({
      method: "PUT",
      path,
      headers,
      body: '{"quantity":1}',
    });
    return answer?.status ?? null;
  }

  async #shop(token: string, index: number): Promise<void> {
    const { sale, skus, thinkMs = 0 } = this.#options;
    const sku = skus[index % skus.length]!;
    const path = `/v1/sales/${sale}/skus/${sku}/hold`;
    const headers = { authorization: `Bearer ${token}` };
    const put = {
      method: "PUT",
      path,
      headers: { ...headers, "content-type": "application/json" },
      body: '{"quantity":1}',
      patienceMs: PATIENCE_MS,
    };
    const remove = { method: "DELETE", path, headers, patienceMs: PATIENCE_MS };
    for (let turn = index; !this.#isOver; turn += 1) {
      await this.#ask(turn % 2 === 0 ? put : remove, sku, turn);
      if (thinkMs > 0) await Bun.sleep(thinkMs);
    }
  }

  async #ask(request: Parameters<RawClient["request"]>[0], sku: string, at: number): Promise<void> {
    const startedMs = monotonicMs();
    const first = await this.#clientAt(at).request(request);
    const waitMs = retryAfterMs(first.answer);
    let repeat: Met["repeat"] = null;
    if (!isDefinite(first.answer)) {
      await Bun.sleep(waitMs);
      const { answer } = await this.#clientAt(at + 1).request(request);
      repeat = { status: answer?.status ?? null, body: answer?.body ?? "" };
    }
    const { port, tookMs } = first;
    const status = first.answer?.status ?? null;
    const isRetryAfterGiven = waitMs > 0;
    this.met.push({ sku, startedMs, tookMs, port, status, isRetryAfterGiven, repeat });
  }

  #clientAt(at: number): RawClient {
    return this.#clients[at % this.#clients.length]!;
  }
}

function isDefiniteStatus(status: number | null): boolean {
  return status !== null && status < 500;
}

function retryAfterMs(answer: Answer | null): number {
  return Number(answer?.headers.get("retry-after") ?? 0) * 1_000;
}
