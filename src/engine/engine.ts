// A running engine, built from its Config: stores, actors, projections, use cases, HTTP.

import packageJson from "../../package.json" with { type: "json" };
import { StockNode } from "../actors/stock-node.ts";
import type { Config } from "../config.ts";
import { Fault } from "../core/errors.ts";
import { STOP_MS_MAX } from "../core/limits.ts";
import type { Logger } from "../core/ports/logger.ts";
import { createApp } from "../http/app.ts";
import { serve } from "../http/serve.ts";
import { createTokens } from "../http/tokens.ts";
import { createWebhookVerifier } from "../payments/webhook.ts";
import { LedgerProjection } from "../projections/ledger-projection.ts";
import { createShop } from "../shop/create-shop.ts";
import { SaleDirectory } from "../shop/directory.ts";
import { watchClockSkew } from "./clock-skew.ts";
import { openEmbeddedStores } from "./embedded-stores.ts";
import { createOps } from "./ops.ts";
import { systemRuntime } from "./runtime.ts";
import { openServerStores } from "./server-stores.ts";
import type { Stores } from "./stores.ts";

export const VERSION = packageJson.version;

/** Of STOP_MS_MAX, what HTTP gets to finish what it accepted; the rest is for flush and close. */
const HTTP_GRACE_MS = 10_000;
const LEDGER_GRACE_MS = 5_000;

export type Engine = {
  readonly url: string;
  readonly port: number;
  /** Resolves with the reason when the engine must not go on, such as a second engine. */
  readonly failed: Promise<Fault>;
  /** Refuses new work, finishes what was accepted, flushes, closes. Within STOP_MS_MAX. */
  stop(): Promise<void>;
};

/**
 * Throws  Fault("config_invalid" | "second_engine"): exit code 2; any other Fault: a server that
 *         did not answer in time.
 */
export async function startEngine(config: Config, log: Logger): Promise<Engine> {
  if (config.mode === "cluster") {
    throw new Fault("config_invalid", "DOORBUSTER_NATS_URL is set: clusters are not built yet");
  }
  const stores =
    config.mode === "embedded"
      ? await openEmbeddedStores(config)
      : await openServerStores(config, log);
  try {
    return await runEngine(config, stores, log);
  } catch (cause) {
    await stores.close();
    throw cause;
  }
}

async function runEngine(config: Config, stores: Stores, log: Logger): Promise<Engine> {
  const runtime = systemRuntime(stores.clock);
  const { journal, record } = stores;
  const { promise: failed, resolve: fail } = Promise.withResolvers<Fault>();
  let isStopping = false;

  const ledger = new LedgerProjection({ ledger: stores.ledger, journal, runtime, log });
  const stock = new StockNode({
    journal,
    runtime,
    log,
    ledger,
    owner: `${config.nodeId}/${crypto.randomUUID()}`,
    generation: record.generation,
    partitionCount: record.partitions,
    onLost: (partition, owner) => {
      fail(new Fault("second_engine", `partition ${partition} was claimed by ${owner}`));
    },
  });
  const endSkewWatch = await watchClockSkew({ config, stock, journal, runtime, log });
  const tokens = createTokens({ secret: stores.jwtSecret, clock: stores.clock });
  const shop = createShop({
    ...stores,
    stock,
    runtime,
    log,
    directory: new SaleDirectory(record.partitions),
    passwords: {
      hash: (password) => Bun.password.hash(password, "argon2id"),
      verify: (password, hash) => Bun.password.verify(password, hash),
    },
    newUuid: () => Bun.randomUUIDv7(),
    issueToken: (accountId) => tokens.sign(accountId),
  });
  const ops = createOps({
    nodeId: config.nodeId,
    version: VERSION,
    stock,
    ledger,
    isStopping: () => isStopping,
    warnings: stores.warnings,
  });
  const view = (await journal.highestView(record.partitions)) + 1;
  await shop.load();
  for (let partition = 0; partition < record.partitions; partition++) stock.own(partition, view);
  const app = createApp({
    shop,
    stock,
    tokens,
    log,
    clock: stores.clock,
    webhook: createWebhookVerifier(stores.webhookSecret),
    ops,
    version: VERSION,
  });
  const served = serve(app, { host: config.host, port: config.port });
  stores.onListening(served.url);
  shop.start();
  log.info({ url: served.url, mode: config.mode, clusterId: record.clusterId }, "listening");

  const stop = async (): Promise<void> => {
    isStopping = true;
    await served.stop({ graceMs: HTTP_GRACE_MS });
    await shop.stop();
    await stock.stop();
    await ledger.stop(LEDGER_GRACE_MS);
    endSkewWatch();
    await stores.close();
    log.info({}, "stopped");
  };
  let stopping: Promise<void> | null = null;
  return {
    url: served.url,
    port: served.port,
    failed,
    stop: () => (stopping ??= within(stop(), STOP_MS_MAX)),
  };
}

/** A stop that hangs must not: the process ends, and the journal has everything that was told. */
async function within(work: Promise<void>, timeMs: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeMs);
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
