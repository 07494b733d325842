// A running engine, built from its Config: stores, actors, projections, use cases, HTTP.

import packageJson from "../../package.json" with { type: "json" };
import { StockNode } from "../actors/stock-node.ts";
import { Levels } from "../cluster/levels.ts";
import type { Config } from "../config.ts";
import { Fault } from "../core/errors.ts";
import { STOP_MS_MAX } from "../core/limits.ts";
import type { Journal } from "../core/ports/journal.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import { createApp } from "../http/app.ts";
import { serve } from "../http/serve.ts";
import { createTokens } from "../http/tokens.ts";
import { createWebhookVerifier } from "../payments/webhook.ts";
import { LedgerProjection } from "../projections/ledger-projection.ts";
import { createShop } from "../shop/create-shop.ts";
import { SaleDirectory } from "../shop/directory.ts";
import { watchClockSkew } from "./clock-skew.ts";
import { type EngineCluster, openCluster } from "./cluster.ts";
import { openEmbeddedStores } from "./embedded-stores.ts";
import { createOps } from "./ops.ts";
import { systemRuntime } from "./runtime.ts";
import { openServerStores } from "./server-stores.ts";
import type { Stores } from "./stores.ts";

export const VERSION = packageJson.version;

/** Of STOP_MS_MAX, what HTTP gets to finish what it accepted; the rest is for flush and close. */
const HTTP_GRACE_MS = 10_000;
const LEDGER_GRACE_MS = 5_000;
/** And before that, what the other nodes of a cluster get to take over. */
const RETIRE_MS = 4_000;

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
  const runtime = systemRuntime(stores.clock);
  const { journal, record } = stores;
  const { promise: failed, resolve: fail } = Promise.withResolvers<Fault>();
  let isStopping = false;

  const ledger = new LedgerProjection({ ledger: stores.ledger, journal, runtime, log });
  const incarnation = crypto.randomUUID();
  const stock = new StockNode({
    journal,
    runtime,
    log,
    ledger,
    owner: `${config.nodeId}/${incarnation}`,
    generation: record.generation,
    partitionCount: record.partitions,
    hasEdges: config.mode === "cluster",
    onLost: (partition, owner) => {
      // In a cluster that is how a node learns that it was taken for dead.
      if (config.mode === "cluster") return;
      fail(new Fault("second_engine", `partition ${partition} was claimed by ${owner}`));
    },
  });
  const endSkewWatch = await watchClockSkew({ config, stock, journal, runtime, log });
  const directory = new SaleDirectory(record.partitions);
  const cluster = await clusterOf(config, {
    stores,
    stock,
    directory,
    incarnation,
    runtime,
    log,
    fail,
  });
  const { nodeId } = config;
  const alone = { self: nodeId, incarnation, local: stock, runtime, log, bus: null };
  const levels = cluster?.levels ?? new Levels(alone);
  const tokens = createTokens({ secret: stores.jwtSecret, clock: stores.clock });
  const shop = createShop({
    ...stores,
    stock: cluster?.stock ?? stock,
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
    stock,
    ledger,
    cluster,
    isStopping: () => isStopping,
    warnings: stores.warnings,
  });
  await shop.load();
  if (cluster === null) await ownAll(stock, journal, record.partitions);
  const app = createApp({
    shop,
    stock: cluster?.stock ?? stock,
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
  if (cluster !== null) await joined(cluster, served, shop, log);
  shop.start(cluster?.bucketsOf);
  log.info({ url: served.url, mode: config.mode, clusterId: record.clusterId }, "listening");

  const stop = async (): Promise<void> => {
    isStopping = true;
    // The others take over while this node still answers.
    await cluster?.retire(RETIRE_MS);
    await served.stop({ graceMs: HTTP_GRACE_MS });
    await shop.stop();
    levels.close();
    await stock.stop();
    await cluster?.leave();
    await ledger.stop(LEDGER_GRACE_MS);
    endSkewWatch();
    await cluster?.close();
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

async function clusterOf(
  config: Config,
  parts: {
    readonly stores: Stores;
    readonly stock: StockNode;
    readonly directory: SaleDirectory;
    readonly incarnation: string;
    readonly runtime: Runtime;
    readonly log: Logger;
    readonly fail: (fault: Fault) => void;
  },
): Promise<EngineCluster | null> {
  if (config.mode !== "cluster" || config.natsUrl === null) return null;
  const { stores, fail, ...others } = parts;
  const { journal, record } = stores;
  const { nodeId, natsUrl } = config;
  const ids = { nodeId, natsUrl, version: VERSION };
  return openCluster({ ...others, ...ids, journal, record, onFatal: fail });
}

/** Alone, this engine owns everything, under a term above all before it. */
async function ownAll(stock: StockNode, journal: Journal, partitions: number): Promise<void> {
  const view = (await journal.highestView(partitions)) + 1;
  for (let partition = 0; partition < partitions; partition++) stock.own(partition, view);
}

/** It listens already: its address is part of its entry in the member list. */
async function joined(
  cluster: EngineCluster,
  served: ReturnType<typeof serve>,
  shop: { load(): Promise<void> },
  log: Logger,
): Promise<void> {
  let isLoading = false;
  cluster.onSalesBehind(() => {
    if (isLoading) return;
    isLoading = true;
    void shop
      .load()
      .catch((cause: unknown) => log.warn({ err: String(cause) }, "sales not loaded"))
      .finally(() => {
        isLoading = false;
      });
  });
  try {
    await cluster.join(served.url);
  } catch (cause) {
    await served.stop({ graceMs: 0 });
    await cluster.close();
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
