import { eq } from "drizzle-orm";

import { assert } from "../../core/assert.ts";
import { Fault } from "../../core/errors.ts";
import type { ClusterRecord, ClusterRecords } from "../../core/ports/cluster-record.ts";
import type { PostgresDatabase } from "./connect.ts";
import { cluster } from "./schema/control.ts";

/** The cluster's one row in the control database. */
export class PostgresClusterRecords implements ClusterRecords {
  readonly #database: PostgresDatabase;

  constructor(options: { readonly database: PostgresDatabase }) {
    this.#database = options.database;
  }

  async read(): Promise<ClusterRecord | null> {
    const [row] = await this.#database.run("read the cluster record", (db) => {
      return db.select().from(cluster);
    });
    if (row === undefined) return null;
    return {
      clusterId: row.cluster_id,
      partitions: row.partitions,
      generation: row.generation,
      state: row.state === "created" ? "created" : "creating",
    };
  }

  async create(record: ClusterRecord): Promise<ClusterRecord> {
    await this.#database.run("create the cluster record", (db) => {
      return db
        .insert(cluster)
        .values({
          one: 1,
          cluster_id: record.clusterId,
          partitions: record.partitions,
          generation: record.generation,
          state: record.state,
        })
        .onConflictDoNothing();
    });
    // A statement of its own: one's own snapshot does not show a row that another just made.
    const stored = await this.read();
    assert(stored !== null, "a cluster record is never deleted");
    return stored;
  }

  async markCreated(clusterId: string): Promise<void> {
    const rows = await this.#database.run("mark the cluster as created", (db) => {
      return db
        .update(cluster)
        .set({ state: "created" })
        .where(eq(cluster.cluster_id, clusterId))
        .returning({ one: cluster.one });
    });
    if (rows.length === 0) throw new Fault("config_invalid", `no cluster ${clusterId} here`);
  }
}
