// A running engine, built from its Config: stores, actors, projections, use cases, HTTP.

import packageJson from "../../package.json" with { type: "json" };
import type { Config } from "../config.ts";
import type { Fault } from "../core/errors.ts";
import { STOP_MS_MAX } from "../core/limits.ts";
import type { Logger } from "../core/ports/logger.ts";
import { createApp } from "../http/app.ts";
import { serve } from "../http/serve.ts";
import { createTokens } from "../http/tokens/tokens.ts";
import { createWebhookVerifier } from "../payments/webhook.ts";
import { createShop } from "../shop/create-shop.ts";
import type { EngineCluster } from "./cluster.ts";
import { openEmbeddedStores } from "./embedded-stores.ts";
import { createOps } from "./ops.ts";
import { followSales, openParts, ownAll, type Parts } from "./parts.ts";
import { openServerStores } from "./server-stores.ts";
import type { Stores } from "./stores.ts";

export const VERSION = packageJson.version;

/** Of STOP_MS_MAX, what HTTP gets to finish what it accepted; the rest is for flush and close. */
const HTTP_GRACE_MS = 10_000;
const LEDGER_GRACE_MS = 5_000;
/** And before that, what the other nodes of a cluster get to take over. */
const RETIRE_MS = 4_000;

type Served = ReturnType<typeof serve>;

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
  const parts = await openParts(config, stores, { version: VERSION, log });
  try {
    return await serveParts(config, stores, parts, log);
  } catch (cause) {
    await parts.cluster?.close();
    throw cause;
  }
}

async function serveParts(
  config: Config,
  stores: Stores,
  parts: Parts,
  log: Logger,
): Promise<Engine> {
  const { runtime, ledger, node, stock, directory, levels, cluster, failed } = parts;
  const { journal, record } = stores;
  let isStopping = false;
  const tokens = createTokens({ secret: stores.jwtSecret, clock: stores.clock });
  const shop = createShop({
    ...stores,
    stock,
    runtime,
    log,
    directory,
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
    stock: node,
    ledger,
    cluster,
    isStopping: () => isStopping,
    warnings: () => stores.warnings(),
  });
  await shop.load();
  if (cluster === null) await ownAll(node, journal, record.partitions);
  else followSales(cluster, shop, log);
  const app = createApp({
    shop,
    stock,
    tokens,
    log,
    clock: stores.clock,
    webhook: createWebhookVerifier(stores.webhookSecret),
    ops,
    version: VERSION,
    levels,
  });
  const served = serve(app, { host: config.host, port: config.port });
  stores.onListening(served.url);
  if (cluster !== null) await joined(cluster, served);
  shop.start(cluster?.bucketsOf);
  log.info({ url: served.url, mode: config.mode, clusterId: record.clusterId }, "listening");

  const stop = (): Promise<void> => {
    isStopping = true;
    return stopParts(parts, { stores, shop, served, log });
  };
  let stopping: Promise<void> | null = null;
  return {
    url: served.url,
    port: served.port,
    failed,
    stop: () => (stopping ??= within(stop(), STOP_MS_MAX)),
  };
}

async function stopParts(
  { ledger, node, levels, cluster, endSkewWatch }: Parts,
  others: {
    readonly stores: Stores;
    readonly shop: { stop(): Promise<void> };
    readonly served: Served;
    readonly log: Logger;
  },
): Promise<void> {
  const { stores, shop, served, log } = others;
  // The other nodes take over while this one still answers.
  await cluster?.retire(RETIRE_MS);
  await served.stop({ graceMs: HTTP_GRACE_MS });
  await shop.stop();
  levels.close();
  await node.stop();
  await cluster?.leave();
  await ledger.stop(LEDGER_GRACE_MS);
  endSkewWatch();
  await cluster?.close();
  await stores.close();
  log.info({}, "stopped");
}

/** It listens already: its address is part of its entry in the member list. */
async function joined(cluster: EngineCluster, served: Served): Promise<void> {
  try {
    await cluster.join(served.url);
  } catch (cause) {
    await served.stop({ graceMs: 0 });
    throw cause;
  }
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
