// GET /v1/sales/:sale/events: the levels of a sale as they change, as server-sent events.
//
//   W1  one timer for all streams, none while nobody watches
//   W2  all who watch a sale share its events: an event is made once, whoever reads it
//   W3  what a reader has not read is bounded (event-stream.ts); so is the number of streams

import { z } from "zod";

import { EVENT_STREAMS_MAX } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { LevelFeed } from "../core/ports/level-feed.ts";
import type { Stock } from "../core/ports/stock.ts";
import type { SaleDirectory } from "../shop/directory.ts";
import { LiveLevels } from "../shop/live-levels.ts";
import type { HttpContext } from "./context.ts";
import { type Endpoint, endpoint } from "./endpoint.ts";
import { EventStream } from "./event-stream.ts";
import { plainProblem } from "./problem.ts";
import { saleId } from "./schemas.ts";
import { WatchedSale } from "./watched-sale.ts";

const LOOK_EVERY_MS = 250;
const BEAT_EVERY_MS = 1_000;

/** A sale that nobody watches is kept for those who come back. */
const IDLE_MS = 30_000;

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
};

export class SaleEvents {
  readonly #directory: SaleDirectory;
  readonly #stock: Pick<Stock, "counts">;
  readonly #clock: Clock;
  readonly #hasFeed: boolean;
  readonly #sales = new Map<string, WatchedSale>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #beatAtMs = 0;
  #isStopping = false;

  constructor(options: {
    readonly directory: SaleDirectory;
    readonly stock: Pick<Stock, "counts">;
    readonly clock: Clock;
    readonly feed?: LevelFeed | undefined;
  }) {
    this.#directory = options.directory;
    this.#stock = options.stock;
    this.#clock = options.clock;
    this.#hasFeed = options.feed !== undefined;
    options.feed?.onLevels((changes) => {
      for (const { skuKey, level } of changes) {
        const slash = skuKey.indexOf("/");
        const watched = this.#sales.get(skuKey.slice(0, slash));
        watched?.live.heard(skuKey.slice(slash + 1), level);
      }
    });
  }

  get streamCount(): number {
    let count = 0;
    for (const { streams } of this.#sales.values()) count += streams.size;
    return count;
  }

  /** Null: there are too many already, or the node is stopping. */
  open(id: string, lastEventId: string | null): ReadableStream<Uint8Array> | null {
    if (this.#isStopping || this.streamCount >= EVENT_STREAMS_MAX) return null;
    const sale = this.#watched(id);
    const nowMs = this.#clock.monotonicMs();
    const stream = new EventStream(sale, sale.numberOf(lastEventId), nowMs);
    sale.streams.add(stream);
    if (sale.live.isCounted) stream.catchUp(nowMs);
    else sale.look();
    if (this.#timer === null) this.#start();
    return stream.readable;
  }

  /** Ends all streams: their readers go to another node. */
  stop(): void {
    this.#isStopping = true;
    for (const sale of this.#sales.values()) for (const stream of sale.streams) stream.end();
    this.#end();
  }

  #watched(id: string): WatchedSale {
    let sale = this.#sales.get(id);
    if (sale === undefined) {
      const live = new LiveLevels({
        saleId: id,
        directory: this.#directory,
        stock: this.#stock,
        clock: this.#clock,
        hasFeed: this.#hasFeed,
      });
      sale = new WatchedSale(id, live, this.#directory, this.#clock);
      this.#sales.set(id, sale);
    }
    return sale;
  }

  #start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  #end(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#sales.clear();
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    const isBeat = nowMs - this.#beatAtMs >= BEAT_EVERY_MS;
    if (isBeat) this.#beatAtMs = nowMs;
    for (const [id, sale] of this.#sales) {
      sale.look();
      if (isBeat) for (const stream of sale.streams) stream.beat(nowMs);
      if (sale.streams.size > 0) sale.idleSinceMs = nowMs;
      else if (nowMs - sale.idleSinceMs >= IDLE_MS) this.#sales.delete(id);
    }
    if (this.#sales.size === 0) this.#end();
  }
}

export function saleEventEndpoints({ shop }: HttpContext, events: SaleEvents): readonly Endpoint[] {
  const isPublished = (id: string): boolean => (shop.directory.sale(id)?.version ?? 0) > 0;
  return [
    endpoint({
      method: "GET",
      path: "/v1/sales/:sale/events",
      tag: "sales",
      summary: "Levels of a sale as they change: the whole first, then changes",
      caller: "anyone",
      params: z.object({ sale: saleId }),
      headers: z.object({ "last-event-id": z.string().optional() }),
      answers: {
        200: {
          description:
            "Server-sent events `levels` with data {sale, state, now, levels: {sku: level}}; " +
            "`Last-Event-ID` goes on where it ended, or begins with the whole",
          contentType: "text/event-stream",
        },
      },
      refusals: [],
      handle({ request, params }) {
        if (!isPublished(params.sale)) return plainProblem("not_found");
        if (request.method === "HEAD") return new Response(null, { headers: HEADERS });
        const stream = events.open(params.sale, request.headers.get("last-event-id"));
        return stream === null ? plainProblem("busy") : new Response(stream, { headers: HEADERS });
      },
    }),
  ];
}
