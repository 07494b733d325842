/** The one row that says what this cluster is. Only `migrate` or an embedded first start makes it. */
export type ClusterRecord = {
  readonly clusterId: string;
  readonly partitions: number;
  /** Carried by every fence: another generation is another set of data. */
  readonly generation: string;
  readonly state: "creating" | "created";
};

/** Faults: store_unavailable, unknown. */
export interface ClusterRecords {
  read(): Promise<ClusterRecord | null>;
  /** Stores the record when there is none; returns the one that is there. */
  create(record: ClusterRecord): Promise<ClusterRecord>;
  markCreated(clusterId: string): Promise<void>;
}
