// On servers: the journal in Redis, the control database and the shards in Postgres, a payment
// gateway somewhere. Everything is checked before the engine claims anything.

import type { ServersConfig } from "../config.ts";
import { Fault } from "../core/errors.ts";
import { PARTITIONS_DEFAULT } from "../core/limits.ts";
import type { Accounts } from "../core/ports/accounts.ts";
import type { ClusterRecord } from "../core/ports/cluster-record.ts";
import type { Logger } from "../core/ports/logger.ts";
import { HttpPaymentGateway } from "../payments/http-gateway.ts";
import { PostgresAccounts } from "../store/postgres/accounts.ts";
import { checkMigrations } from "../store/postgres/apply-migrations.ts";
import { PostgresArchive } from "../store/postgres/archive.ts";
import { PostgresCatalogue } from "../store/postgres/catalogue.ts";
import { PostgresClusterRecords } from "../store/postgres/cluster-records.ts";
import { PostgresDatabase } from "../store/postgres/connect.ts";
import { PostgresLedger } from "../store/postgres/ledger.ts";
import { migratePostgres } from "../store/postgres/migrate.ts";
import { PostgresOrders } from "../store/postgres/orders.ts";
import { PostgresTopology } from "../store/postgres/topology.ts";
import { RedisJournal } from "../store/redis/redis-journal.ts";
import { createPartitions, runnableRecord } from "./create-cluster.ts";
import { steadyClock } from "./runtime.ts";
import type { Stores } from "./stores.ts";

/** Servers that start beside us get this long to answer. */
const START_WAIT_MS = 30_000;
const START_RETRY_MS = 500;
const PUBLISH_STATEMENT_MS = 20_000;

export async function openServerStores(config: ServersConfig, log: Logger): Promise<Stores> {
  const control = new PostgresDatabase({ url: config.controlDatabaseUrl });
  // A publish of 100,000 SKUs is one statement of about a second: it has a line of its own.
  const publishing = new PostgresDatabase({
    url: config.controlDatabaseUrl,
    max: 2,
    statementMs: PUBLISH_STATEMENT_MS,
  });
  const shards = config.shardDatabaseUrls.map(
    (url) => new PostgresDatabase({ url, plansOnce: true }),
  );
  const journal = openJournal(config, log);
  const close = async (): Promise<void> => {
    const databases = [control, publishing, ...shards];
    await Promise.all([journal.close(), ...databases.map((database) => database.close())]);
  };
  try {
    for (const database of [control, ...shards]) {
      await reached(log, () => database.check());
      await reached(log, () => checkMigrations(database));
    }
    const storeNowMs = await reached(log, () => storeTimeMs(journal));
    const clock = steadyClock(storeNowMs);
    const records = new PostgresClusterRecords({ database: control });
    const record = runnableRecord(await knownRecord(records), config.partitions);
    const topology = new PostgresTopology({ control, shards });
    await topology.checkCount();
    for (const index of shards.keys()) await topology.checkShard(record.clusterId, index);
    const bucketToShard = await topology.bucketMap();
    return {
      clock,
      record,
      journal,
      accounts: new PostgresAccounts({ database: control }),
      catalogue: new PostgresCatalogue({ database: publishing, clock }),
      orders: new PostgresOrders({ shards, bucketToShard }),
      ledger: new PostgresLedger({ shards }),
      archive: new PostgresArchive({ shards }),
      payments: new HttpPaymentGateway({ url: config.paymentUrl }),
      jwtSecret: config.jwtSecret,
      webhookSecret: config.paymentWebhookSecret,
      warnings: () => journal.warnings(),
      onListening: () => {},
      close,
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}

/** Brings every database to the newest schema and creates a new cluster's partitions. */
export async function migrateServers(config: ServersConfig, log: Logger): Promise<string[]> {
  const control = new PostgresDatabase({ url: config.controlDatabaseUrl, max: 1 });
  const journal = openJournal(config, log);
  try {
    const records = new PostgresClusterRecords({ database: control });
    await reached(log, () => storeTimeMs(journal));
    await reached(log, () => control.check());
    const known = await knownRecord(records);
    const record = await migratePostgres({
      controlUrl: config.controlDatabaseUrl,
      shardUrls: config.shardDatabaseUrls,
      partitions: config.partitions ?? known?.partitions ?? PARTITIONS_DEFAULT,
      clusterId: crypto.randomUUID(),
      generation: crypto.randomUUID(),
    });
    await createPartitions(record, records, journal);
    const isNew = record.state === "creating";
    return [
      `schema up to date in the control database and ${config.shardDatabaseUrls.length} shards`,
      `${isNew ? "created" : "found"} cluster ${record.clusterId}, ${record.partitions} partitions`,
    ];
  } finally {
    await Promise.all([journal.close(), control.close()]);
  }
}

/** Null before the first migration: the server says that there is no such table. */
async function knownRecord(records: PostgresClusterRecords): Promise<ClusterRecord | null> {
  try {
    return await records.read();
  } catch (cause) {
    if (cause instanceof Fault && cause.code === "statement_refused") return null;
    throw cause;
  }
}

/** For `merchant create`: writes to the control database while the engine may run or not. */
export async function openServerAccounts(config: ServersConfig): Promise<{
  accounts: Accounts;
  close(): Promise<void>;
}> {
  const database = new PostgresDatabase({ url: config.controlDatabaseUrl, max: 1 });
  await database.check();
  return { accounts: new PostgresAccounts({ database }), close: () => database.close() };
}

function openJournal(config: ServersConfig, log: Logger): RedisJournal {
  return new RedisJournal({
    url: config.redisUrl,
    durability: config.durability,
    log: (level, fields, message) => log[level === "debug" ? "info" : level](fields, message),
  });
}

/** Wrong settings do not go away by waiting, as a server does that is still starting. */
async function storeTimeMs(journal: RedisJournal): Promise<number> {
  try {
    return await journal.timeMs();
  } catch (cause) {
    const problems = journal.wrongSettings();
    if (problems.length === 0) throw cause;
    const way = "DOORBUSTER_DURABILITY=relaxed goes on without";
    throw new Fault("config_invalid", `${problems.join("; ")} (${way})`, { cause });
  }
}

/** Repeats while the server is not reached; a wrong setting or a wrong answer ends it at once. */
async function reached<T>(log: Logger, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  for (;;) {
    try {
      return await work();
    } catch (cause) {
      const isAway =
        cause instanceof Fault && (cause.code === "store_unavailable" || cause.code === "unknown");
      if (!isAway || performance.now() - startedMs > START_WAIT_MS) throw cause;
      log.warn({ fault: cause.message }, "waiting for a server");
      await Bun.sleep(START_RETRY_MS);
    }
  }
}
