// Creation is not recovery: only here, and only while the record says `creating`, are fences made.

import { Fault } from "../core/errors.ts";
import type { ClusterRecord, ClusterRecords } from "../core/ports/cluster-record.ts";
import type { Journal } from "../core/ports/journal.ts";

/**
 * Makes the fence of each partition of a cluster that is being created, then marks it created.
 * Safe to run again after a crash, and by two at once. A created cluster is left as it is.
 */
export async function createPartitions(
  record: ClusterRecord,
  records: ClusterRecords,
  journal: Journal,
): Promise<void> {
  if (record.state === "created") return;
  for (let partition = 0; partition < record.partitions; partition++) {
    await journal.create(partition, record.generation);
  }
  await records.markCreated(record.clusterId);
}

/** The record of a cluster that this engine may run, or a Fault that says what to do. */
export function runnableRecord(
  record: ClusterRecord | null,
  partitions: number | null,
): ClusterRecord {
  if (record === null) {
    throw new Fault(
      "config_invalid",
      "the control database has no cluster: run doorbuster migrate",
    );
  }
  if (record.state === "creating") {
    throw new Fault("config_invalid", "the cluster is half created: run doorbuster migrate again");
  }
  if (partitions !== null && partitions !== record.partitions) {
    throw new Fault(
      "config_invalid",
      `DOORBUSTER_PARTITIONS is ${partitions}, the cluster was created with ${record.partitions}`,
    );
  }
  return record;
}
