// What is under way between a turn and its answers: one commit or one check, and who waits for it.

import { Fault } from "../core/errors.ts";
import type { Commit } from "../core/ports/journal.ts";
import type { LedgerRow } from "../core/ports/ledger.ts";
import type { Outcome } from "../core/stock/command.ts";
import type { StockBook } from "../core/stock/state.ts";
import type { Envelope } from "./mailbox.ts";

/** A question about the whole book, answered like any other: only under a confirmation. */
export type Reading = {
  /** Monotonic. */
  readonly arrivedMs: number;
  readonly deadlineMs: number;
  /** True: the confirmation must have been asked for after the question arrived. */
  readonly isStrict: boolean;
  readonly answer: (book: StockBook, nowMs: number) => void;
  readonly reject: (fault: Fault) => void;
};

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
};

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

export function isRefusal(outcome: Outcome): boolean {
  return REFUSALS[outcome.kind];
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
  const fault = new Fault("unknown", "the store has not said whether it was written");
  for (const envelope of flight.envelopes) {
    if (envelope.deadlineMs <= monotonicMs) envelope.reject(fault);
  }
  for (const reading of flight.readings) {
    if (reading.deadlineMs <= monotonicMs) reading.reject(fault);
  }
}
