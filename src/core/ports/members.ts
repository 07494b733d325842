export type MemberState = "joining" | "up" | "draining";

export type Member = {
  readonly id: string;
  /** A new one at each start and after each eviction: dead identities never return. */
  readonly incarnation: string;
  /** Where its HTTP is, for operators. */
  readonly address: string;
  readonly state: MemberState;
  /** Format numbers that it reads. */
  readonly formats: { readonly oldest: number; readonly newest: number };
};

/** The one list that places partitions. `view` only grows. */
export type MemberList = {
  readonly view: number;
  readonly clusterId: string;
  readonly partitions: number;
  /**
   * What every member writes: the lowest `newest` of all there ever were together. It never goes
   * back: the journal has entries of it, which an older build cannot read.
   */
  readonly format: number;
  readonly members: readonly Member[];
  /** The member that each partition is placed on; [] while no member is up. */
  readonly placement: readonly string[];
};

/** The list in its store, with the revision to change it by. Faults: store_unavailable, unknown. */
export interface MemberStore {
  /** Null: there is none. A list of null: what is there is no member list. */
  read(): Promise<{ readonly list: MemberList | null; readonly revision: number } | null>;
  /** A compare-and-set: `revision` null makes the first list. False: somebody was first. */
  write(list: MemberList, revision: number | null): Promise<boolean>;
  /** A hint that the list may have changed; never relied on. */
  onChange(handler: () => void): void;
}
