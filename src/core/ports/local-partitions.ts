import type { Command, Outcome } from "../stock/command.ts";
import type { CartHold, SkuCounts, SkuRef } from "./stock.ts";

export type LocalPartition = {
  readonly id: number;
  readonly state: "idle" | "loading" | "serving" | "doubt" | "halted";
  readonly view: number;
  readonly claim: number;
  readonly seq: number;
  readonly queueDepth: number;
};

/** The partitions of this node, for the cluster: who is asked here directly, and what is owned. */
export interface LocalPartitions {
  partition(id: number): LocalPartition;
  /**
   * Begins to claim and load under a view. Only when it is `idle`. What is asked waits from now on,
   * also while `after` (which never rejects) has not settled and nothing is claimed yet.
   */
  own(partition: number, view: number, after?: Promise<void>): void;
  /** Hands over cleanly: what was accepted is answered first, the claim released. */
  disown(partition: number): Promise<void>;
  /** Claims are made for this owner from now on: node id and incarnation. */
  claimAs(owner: string): void;
  /**
   * Asks with the time that the question has left. Rejects with Fault("not_owner") at once when the
   * partition is not here.
   */
  askWithin(sku: SkuRef, command: Command, leftMs: number): Promise<Outcome>;
  cartOf(partition: number, shopper: string, leftMs: number): Promise<readonly CartHold[]>;
  countsOf(
    partition: number,
    keys: readonly string[],
    leftMs: number,
  ): Promise<readonly (SkuCounts | null)[]>;
  /** Ownership as it happens: serving, lost (fenced), halted. */
  onOwnership(handler: (change: OwnershipChange) => void): void;
}

export type OwnershipChange =
  | { readonly kind: "serving"; readonly partition: number; readonly claim: number }
  | { readonly kind: "lost"; readonly partition: number; readonly owner: string }
  | { readonly kind: "halted"; readonly partition: number; readonly reason: string };
