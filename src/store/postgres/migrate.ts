import { Fault } from "../../core/errors.ts";
import { PARTITIONS_MAX } from "../../core/limits.ts";
import type { ClusterRecord } from "../../core/ports/cluster-record.ts";
import { applyMigrations } from "./apply-migrations.ts";
import { PostgresClusterRecords } from "./cluster-records.ts";
import { PostgresDatabase } from "./connect.ts";
import { PostgresTopology } from "./topology.ts";

/** A migration of large tables may take this long; nobody else waits for it. */
const MIGRATION_STATEMENT_MS = 60_000;

export type MigrateRequest = {
  readonly controlUrl: string;
  /** In the order that the cluster keeps for good. */
  readonly shardUrls: readonly string[];
  /** Must be the recorded number when there is a record. */
  readonly partitions: number;
  /** Used when there is no record yet. */
  readonly clusterId: string;
  readonly generation: string;
};

/**
 * Sets up or upgrades the tables of all databases and writes the cluster's record when there is
 * none. May be repeated and may run in several processes at once.
 *
 * Returns: the record; while it says `creating`, the journal's partitions are still to be made.
 * Throws: Fault("config_invalid") when the databases were set up otherwise; nothing is changed then
 * but tables.
 */
export async function migratePostgres(request: MigrateRequest): Promise<ClusterRecord> {
  const { partitions } = request;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX) {
    throw new Fault("config_invalid", `${partitions} partitions; allowed: 1–${PARTITIONS_MAX}`);
  }
  if (request.shardUrls.length === 0) throw new Fault("config_invalid", "no shard database given");
  const opened: PostgresDatabase[] = [];
  const open = (url: string): PostgresDatabase => {
    const database = new PostgresDatabase({ url, max: 1, statementMs: MIGRATION_STATEMENT_MS });
    opened.push(database);
    return database;
  };
  try {
    const control = open(request.controlUrl);
    return await migrateAll(request, { control, shards: request.shardUrls.map(open) });
  } finally {
    await Promise.all(opened.map((database) => database.close()));
  }
}

async function migrateAll(
  request: MigrateRequest,
  databases: { readonly control: PostgresDatabase; readonly shards: readonly PostgresDatabase[] },
): Promise<ClusterRecord> {
  const { control, shards } = databases;
  // One after the other: two URLs may name one database, and a wrong one stops it early.
  for (const database of [control, ...shards]) {
    await database.check();
    await applyMigrations(database);
  }
  const record = await new PostgresClusterRecords({ database: control }).create({
    clusterId: request.clusterId,
    partitions: request.partitions,
    generation: request.generation,
    state: "creating",
  });
  if (record.partitions !== request.partitions) {
    const detail = `${request.partitions} partitions asked; the cluster has ${record.partitions}`;
    throw new Fault("config_invalid", detail);
  }
  const topology = new PostgresTopology(databases);
  await topology.registerShards();
  for (const shard of shards.keys()) await topology.claimShard(record.clusterId, shard);
  await topology.ensureBuckets();
  return record;
}
