// What a partition refuses to take in, and why. Everything else waits for a turn.

import { Fault } from "../core/errors.ts";
import type { StockBook } from "../core/stock/state.ts";
import type { Envelope } from "./mailbox.ts";

/** `doubt`: a call's outcome is not known, and being looked for. */
export type PartitionState = "idle" | "loading" | "serving" | "doubt" | "halted";

/** Null when it takes work now. */
export function closedFault(
  id: number,
  state: PartitionState,
  { isClosing, isStoreAway }: { readonly isClosing: boolean; readonly isStoreAway: boolean },
): Fault | null {
  if (state === "halted") return new Fault("halted", `partition ${id} is halted`);
  if (state === "idle") return new Fault("not_owner", `partition ${id} is not here`);
  // Nothing of it will be decided here: a router may ask the next owner at once.
  if (isClosing) return new Fault("not_owner", `partition ${id} is being given up`);
  if (isStoreAway) return new Fault("store_unavailable", "the journal is away");
  return null;
}

/** While the ledger is too far behind, only a holder may set a hold. */
export function backlogFault(
  host: { isBacklogFull(): boolean },
  book: StockBook,
  { key, command }: Envelope,
): Fault | null {
  if (command.kind !== "hold" || !host.isBacklogFull()) return null;
  const sku = book.skus.get(key);
  if (sku !== undefined && book.holds.get(sku, command.shopper) !== null) return null;
  return new Fault("busy", "the ledger is behind: no new holds");
}
