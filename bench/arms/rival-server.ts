// A rival as a process of its own: our HTTP layer (tokens, validation, answers) with another
// decision behind it. Its argument is a RivalSpec as JSON.

import { unreachable } from "../../src/core/assert.ts";
import type { Clock } from "../../src/core/ports/clock.ts";
import type { Stock } from "../../src/core/ports/stock.ts";
import type { Command, HoldOutcome, HoldView, OutcomeOf } from "../../src/core/stock/command.ts";
import { createApp } from "../../src/http/app.ts";
import { serve } from "../../src/http/serve.ts";
import { createTokens } from "../../src/http/tokens/tokens.ts";
import { SaleDirectory } from "../../src/shop/directory.ts";
import type { Shop } from "../../src/shop/shop.ts";
import { SALE, type Stage } from "./arm.ts";
import type { Decider, RivalSpec } from "./decider.ts";
import { postgresDecider } from "./rival-postgres.ts";
import { redisDecider } from "./rival-redis.ts";
import { stagedSkus } from "./stage.ts";

const HOLD_MS = 3_600_000;
const PRICE_MINOR = 1_000;

const clock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const log = { info() {}, warn: console.error, error: console.error };

function deciderOf(spec: RivalSpec): Decider {
  switch (spec.id) {
    case "elysia":
      return () => Promise.resolve("new");
    case "pg-lock":
    case "pg-update":
    case "pg-skip-locked":
      return postgresDecider(spec.id, spec.databaseUrl ?? "", spec.storeConnections);
    case "redis-lua":
    case "redis-decr-pg":
    case "oversells":
      return redisDecider(spec.id, {
        redisUrl: spec.redisUrl ?? "",
        databaseUrl: spec.databaseUrl,
        connections: spec.storeConnections,
      });
    default:
      return unreachable(spec.id);
  }
}

function stockOf(decide: Decider): Stock {
  let number = 0;
  return {
    async ask<C extends Command>(ref: { key: string }, command: C): Promise<OutcomeOf<C>> {
      if (command.kind !== "hold") throw new Error(`a rival does not ${command.kind}`);
      const { shopper, quantity } = command;
      const deadlineMs = Date.now() + HOLD_MS;
      const verdict = await decide({ skuKey: ref.key, shopper, quantity, deadlineMs });
      let outcome: HoldOutcome = { kind: "sold_out" };
      if (verdict !== "sold_out") {
        number += 1;
        const hold: HoldView = {
          number,
          quantity,
          priceMinor: PRICE_MINOR,
          deadlineMs,
          paying: false,
        };
        outcome = { kind: "held", isNew: verdict === "new", hold };
      }
      return outcome as OutcomeOf<C>;
    },
    refuseEarly: () => null,
    cart: () => Promise.resolve({ holds: [], complete: true }),
    counts: () => Promise.resolve([]),
  };
}

function directoryOf(stage: Stage): SaleDirectory {
  const directory = new SaleDirectory(64);
  const sale = {
    saleId: SALE,
    merchantId: "bench",
    title: "Bench",
    currency: "INR",
    timeZone: "UTC",
    startsAtMs: 0,
    endsAtMs: Date.now() + 86_400_000,
    holdMs: HOLD_MS,
    payMs: HOLD_MS,
    groups: {},
    phase: "live",
    version: 1,
  } as const;
  const skus = stagedSkus(stage).map(({ sku, stock }) => ({
    sku,
    title: sku,
    priceMinor: PRICE_MINOR,
    stock,
    limitPerShopper: 2,
    group: null,
  }));
  directory.put(sale, skus);
  return directory;
}

/** Rivals have holds and nothing else: a use case that the load asks for would be a mistake. */
function shopOf(directory: SaleDirectory): Shop {
  const handler: ProxyHandler<{ directory: SaleDirectory }> = {
    get(target, name) {
      if (name === "directory") return target.directory;
      return () => Promise.reject(new Error(`a rival has no ${String(name)}`));
    },
  };
  return new Proxy({ directory }, handler) as unknown as Shop;
}

if (import.meta.main) {
  const spec = JSON.parse(process.argv[2] ?? "{}") as RivalSpec;
  const app = createApp({
    shop: shopOf(directoryOf(spec.stage)),
    stock: stockOf(deciderOf(spec)),
    tokens: createTokens({ secret: spec.secret, clock }),
    log,
    clock,
    webhook: { verify: () => null },
    ops: {
      readiness: () => ({ ready: true, reasons: [], warnings: [] }),
      metrics: () => Promise.resolve(""),
      nodes: () => [],
      drain: () => Promise.resolve("not_found"),
    },
    version: "bench",
  });
  const served = serve(app, { host: "127.0.0.1", port: spec.port });
  console.log(`${spec.id} listening on ${served.port}`);
}
