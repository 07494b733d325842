// What is under way between a turn and its answers: one commit or one check, and who waits for it.

import { Fault } from "../core/errors.ts";
import type { Commit, Term } from "../core/ports/journal.ts";
import type { LedgerRow } from "../core/ports/ledger.ts";
import type { BatchBuilder } from "../core/stock/codec.ts";
import type { Outcome } from "../core/stock/command.ts";
import type { StockBook } from "../core/stock/state.ts";
import type { Envelope } from "./mailbox.ts";
import type { Reading } from "./readings.ts";

export type Flight = {
  /** `envelopes[i]` hears `outcomes[i]`. */
  readonly envelopes: Envelope[];
  readonly outcomes: Outcome[];
  readonly readings: readonly Reading[];
  /** Null: only a check, there is nothing to write. */
  commit: Commit | null;
  row: LedgerRow | null;
  /** Monotonic time of the last send. */
  sentAtMs: number;
  /** How often it was found not to be written, and sent again. */
  resends: number;
};

export function flightOf(readings: readonly Reading[]): Flight {
  return {
    envelopes: [],
    outcomes: [],
    readings,
    commit: null,
    row: null,
    sentAtMs: 0,
    resends: 0,
  };
}

/** The flight carries this batch. Its id is unique: claims are, and a term uses a seq once. */
export function load(
  flight: Flight,
  batch: BatchBuilder,
  at: { readonly term: Term; readonly seq: number; readonly atMs: number },
): void {
  const { term, seq, atMs } = at;
  const { partition, owner, claim } = term;
  const { bytes, deltas, skuKeys } = batch.build();
  flight.commit = { term, seq, batchId: `${owner}.${claim}.${seq}`, bytes, deltas };
  flight.row = { partition, seq, claim, atMs, skuKeys, bytes };
}

/** The same batch, with its id, under another claim: that is the one that the journal will name. */
export function reload(flight: Flight, term: Term): Flight {
  flight.resends++;
  if (flight.commit === null || flight.row === null) return flight;
  flight.commit = { ...flight.commit, term };
  flight.row = { ...flight.row, claim: term.claim };
  return flight;
}

/** May this answer leave under a confirmation up to REFUSAL_FRESH_MS old? All others promise more. */
const REFUSALS: Readonly<Record<Outcome["kind"], boolean>> = {
  unknown_sku: true,
  in_checkout: true,
  not_open: true,
  paused: true,
  ended: true,
  cancelled: true,
  limit_reached: true,
  sold_out: true,
  all_held: true,
  too_few: true,
  hold_lapsed: true,
  hold_changed: true,
  held: false,
  given_back: false,
  pinned: false,
  unpinned: false,
  sold: false,
  refused: false,
  returned: false,
  configured: false,
  unchanged: false,
  below_committed: true,
};

/** Nothing in it promises more than a refusal does: an earlier confirmation will do. */
export function isOnlyRefusals(flight: Flight): boolean {
  for (const outcome of flight.outcomes) if (!REFUSALS[outcome.kind]) return false;
  for (const reading of flight.readings) if (reading.isStrict) return false;
  return true;
}

/** In decision order; readings see the book as the last decision left it. */
export function answerAll(flight: Flight, book: StockBook, nowMs: number): void {
  const { envelopes, outcomes, readings } = flight;
  for (let i = 0; i < envelopes.length; i++) envelopes[i]!.resolve(outcomes[i]!);
  for (const reading of readings) reading.answer(book, nowMs);
}

export function rejectAll(flight: Flight, fault: Fault): void {
  for (const envelope of flight.envelopes) envelope.reject(fault);
  for (const reading of flight.readings) reading.reject(fault);
}

/** Those whose time is up hear that their outcome is unknown; a later answer to them is dropped. */
export function rejectExpired(flight: Flight, monotonicMs: number): void {
  for (const waiting of [flight.envelopes, flight.readings]) {
    for (const { deadlineMs, reject } of waiting) {
      if (deadlineMs > monotonicMs) continue;
      reject(new Fault("unknown", "the store has not said whether it was written"));
    }
  }
}
