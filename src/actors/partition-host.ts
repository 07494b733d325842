import type { Fault } from "../core/errors.ts";
import type { Archive } from "../core/ports/archive.ts";
import type { Journal, Term } from "../core/ports/journal.ts";
import type { LedgerRow } from "../core/ports/ledger.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import type { Announcements } from "./announcements.ts";
import type { LoadGate } from "./load-gate.ts";
import type { Recovered } from "./recovery.ts";
import type { Slots } from "./slots.ts";

/** What a partition needs of the node that it lives on. */
export interface PartitionHost {
  readonly journal: Journal;
  readonly archive: Archive;
  /** SKUs of a sale that has been over for this long leave memory. */
  readonly archiveAfterMs: number;
  readonly runtime: Runtime;
  readonly log: Logger;
  /** Node id and incarnation: no two engines ever share one. */
  readonly owner: string;
  /** The data set's: a fence of another generation is not ours. */
  readonly generation: string;
  readonly loads: LoadGate;
  /** Of batches, snapshots and archived units: one that every node reads. */
  writtenFormat(): number;
  /** What the edges were told about the partition's SKUs. */
  announcementsOf(partition: number): Announcements;
  requestTurn(partition: { turn(): void }): void;
  /** For snapshots that are written while the node serves. */
  readonly snapshotSlots: Slots;
  /** True while shoppers storm this node's partitions (rush.ts). */
  isInRush(): boolean;
  /** True while the ledger is so far behind that no new hold may be taken. */
  isBacklogFull(): boolean;
  /** May this node claim? False while its clock and the store's disagree. */
  mayClaim(): boolean;
  /** Highest seq of the partition in the ledger. Faults while the ledger is away. */
  ledgerSeq(partition: number): Promise<number>;
  /** Highest seq that the ledger is known to have, without asking. */
  knownLedgerSeq(partition: number): number;
  onCommitted(row: LedgerRow, tookMs: number, answerCount: number): void;
  /** `nowMs`: the partition's time. */
  onServing(term: Term, recovered: Recovered, nowMs: number): void;
  /** Fenced by another owner. */
  onLost(partition: number, owner: string, claim: number): void;
  onHalted(partition: number, reason: string): void;
  onArchived(unitCount: number): void;
  onRestored(): void;
  onUnknown(partition: number, fault: Fault): void;
  /** The store's time against the partition's. */
  onDrift(driftMs: number): void;
}
