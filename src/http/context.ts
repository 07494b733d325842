// What the endpoints are made with: use cases and ports, nothing that knows a database.

import type { Clock } from "../core/ports/clock.ts";
import type { LevelFeed } from "../core/ports/level-feed.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Stock } from "../core/ports/stock.ts";
import type { Shop } from "../shop/shop.ts";
import type { HttpMetrics } from "./metrics.ts";
import type { Tokens } from "./tokens/tokens.ts";

/** A node as operators see it. */
export type NodeInfo = {
  readonly nodeId: string;
  readonly state: "joining" | "up" | "draining";
  /** Where its peers reach it; null for an engine that runs alone. */
  readonly address: string | null;
  /** How many partitions it owns. */
  readonly partitions: number;
};

type Readiness = {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly warnings: readonly string[];
};

export type Ops = {
  readiness(): Readiness;
  /** Prometheus text of everything but HTTP, which adds its own. */
  metrics(): Promise<string>;
  nodes(): readonly NodeInfo[];
  drain(nodeId: string): Promise<"draining" | "not_found">;
};

export type Webhook = {
  /** Null: the signature is not the gateway's, or the event is too old. */
  verify(headers: Headers, rawBody: string): { eventId: string; orderId: string } | null;
};

export type AppOptions = {
  readonly shop: Shop;
  readonly stock: Stock;
  readonly tokens: Tokens;
  readonly log: Logger;
  readonly clock: Clock;
  readonly webhook: Webhook;
  readonly ops: Ops;
  readonly version: string;
  /** Without it live levels are counted once a second. */
  readonly levels?: LevelFeed;
};

export type HttpContext = AppOptions & { readonly metrics: HttpMetrics };
