// Which database is which shard, and which shard holds which bucket of shoppers.
//
//   T1  the number of shards and their order are fixed when a cluster is created
//   T2  a database is one shard of one cluster: its own row says which, once and for all

import { asc, sql } from "drizzle-orm";

import { assert } from "../../core/assert.ts";
import { Fault } from "../../core/errors.ts";
import { BUCKETS } from "../../core/limits.ts";
import type { PostgresDatabase } from "./connect.ts";
import { buckets, shards } from "./schema/control.ts";
import { shardMeta } from "./schema/shard.ts";

export class PostgresTopology {
  readonly #control: PostgresDatabase;
  readonly #shards: readonly PostgresDatabase[];

  constructor(options: {
    readonly control: PostgresDatabase;
    /** In their order: the index is the shard's number. */
    readonly shards: readonly PostgresDatabase[];
  }) {
    assert(options.shards.length >= 1, "a cluster has a shard");
    this.#control = options.control;
    this.#shards = options.shards;
  }

  /** Writes down how many shards there are, the first time. Throws: Fault("config_invalid"). */
  async registerShards(): Promise<void> {
    const rows = this.#shards.map((database, shard) => ({ shard, place: database.place }));
    await this.#control.run("register the shards", (db) => {
      // All or none: with a row there, the list is another's.
      return db.execute(sql`
        insert into ${shards} (shard, place)
        select shard, place from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
          as given(shard integer, place text)
        where not exists (select from ${shards}) order by shard
        on conflict do nothing`);
    });
    await this.checkCount();
  }

  /** T2: marks the database as this cluster's shard, or refuses another's. */
  async claimShard(clusterId: string, shard: number): Promise<void> {
    await this.#shard(shard).run("mark a shard", (db) => {
      return db
        .insert(shardMeta)
        .values({ one: 1, cluster_id: clusterId, shard })
        .onConflictDoNothing();
    });
    await this.checkShard(clusterId, shard);
  }

  /** Throws: Fault("config_invalid") when the cluster was created with another number of shards. */
  async checkCount(): Promise<void> {
    const rows = await this.#control.run("read the shards", (db) => db.select().from(shards));
    if (rows.length === this.#shards.length) return;
    const detail = `${this.#shards.length} shard databases given; the cluster has ${rows.length}`;
    throw new Fault("config_invalid", detail);
  }

  /** Throws: Fault("config_invalid") when the database is not this shard of this cluster. */
  async checkShard(clusterId: string, shard: number): Promise<void> {
    const database = this.#shard(shard);
    const [row] = await database.run("read a shard's mark", (db) => db.select().from(shardMeta));
    const problem = problemOf(row, { clusterId, shard });
    if (problem !== null)
      throw new Fault("config_invalid", `database ${database.place} ${problem}`);
  }

  /** Places each bucket, the first time: bucket mod shards. Throws: Fault("config_invalid"). */
  async ensureBuckets(): Promise<void> {
    const count = this.#shards.length;
    await this.#control.run("place the buckets", (db) => {
      return db.execute(sql`
        insert into ${buckets} (bucket, shard)
        select bucket, bucket % ${count}::integer
        from generate_series(0, ${BUCKETS - 1}::integer) as bucket order by bucket
        on conflict do nothing`);
    });
    await this.bucketMap();
  }

  /** The shard of each bucket, by bucket. Throws: Fault("config_invalid") when it is not whole. */
  async bucketMap(): Promise<readonly number[]> {
    const rows = await this.#control.run("read the bucket map", (db) => {
      return db.select().from(buckets).orderBy(asc(buckets.bucket));
    });
    const isWhole = rows.length === BUCKETS && rows.every((row, index) => row.bucket === index);
    if (!isWhole) throw new Fault("config_invalid", `${rows.length} of ${BUCKETS} buckets placed`);
    const lost = rows.find((row) => row.shard >= this.#shards.length);
    if (lost !== undefined) {
      const detail = `bucket ${lost.bucket} is on shard ${lost.shard}, which is not given`;
      throw new Fault("config_invalid", detail);
    }
    return rows.map((row) => row.shard);
  }

  #shard(shard: number): PostgresDatabase {
    const database = this.#shards[shard];
    assert(database !== undefined, "a shard's number is an index of the list");
    return database;
  }
}

function problemOf(
  row: { readonly cluster_id: string; readonly shard: number } | undefined,
  wanted: { readonly clusterId: string; readonly shard: number },
): string | null {
  if (row === undefined) return "is no shard yet: run `doorbuster migrate`";
  if (row.cluster_id !== wanted.clusterId) {
    return `belongs to cluster ${row.cluster_id}, not to ${wanted.clusterId}`;
  }
  return row.shard === wanted.shard
    ? null
    : `is shard ${row.shard}, but it is given as number ${wanted.shard}: keep the order`;
}
