// A client of a whole cluster: it stays with a node while that one answers, and goes to another when
// it is cut, silent or told 5xx. As a shopper's browser does behind a load balancer.

import { isDefinite } from "./history.ts";
import { type HttpClient, RawClient, type RawRequest, type Reply } from "./raw-client.ts";

/** A second above the engine's deadlines: who has not answered by then does not. */
const PATIENCE_MS = 4_000;
const CHECKOUT_PATIENCE_MS = 9_000;
/** Now and then a shopper comes in elsewhere all by itself. */
const WANDER_SHARE = 0.05;

/** Connections to each node, shared by all shoppers. */
export class Doors {
  readonly #clients: readonly RawClient[];

  constructor(ports: readonly number[]) {
    this.#clients = ports.map((port) => new RawClient({ port }));
  }

  /** The view of one shopper. */
  roam(random: () => number): HttpClient {
    let at = Math.floor(random() * this.#clients.length);
    return {
      request: async (request) => {
        if (random() < WANDER_SHARE) at = this.#next(at);
        const reply = await this.#ask(at, request);
        if (!isDefinite(reply.answer)) at = this.#next(at);
        return reply;
      },
    };
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  #ask(at: number, request: RawRequest): Promise<Reply> {
    const isCheckout = request.path === "/v1/checkout";
    const patienceMs = isCheckout ? CHECKOUT_PATIENCE_MS : PATIENCE_MS;
    return this.#clients[at]!.request({ ...request, patienceMs });
  }

  #next(at: number): number {
    return (at + 1) % this.#clients.length;
  }
}
