// One turn's decisions: everything that is due lapses, then what waits is decided, in order,
// then what is quiet leaves the book.

import { Fault } from "../core/errors.ts";
import { BATCH_BYTES_MAX, BATCH_EVENTS_MAX } from "../core/limits.ts";
import { apply } from "../core/stock/apply.ts";
import { BatchBuilder } from "../core/stock/codec.ts";
import { decide, nextLapse } from "../core/stock/decide.ts";
import type { StockBook } from "../core/stock/state.ts";
import type { Announcements } from "./announcements.ts";
import type { Flight } from "./flight.ts";
import type { Inbox } from "./inbox.ts";

/** A decided event is at most about this long: room that a batch keeps for the next one. */
const EVENT_BYTES_MAX = 1_024;

/**
 * Hot path (bench/hold.ts). Reads no clock: the whole turn has one time.
 *
 * Changes  `book` and `inbox`, and fills `flight` with who was decided and what they hear. When it
 *          throws, the book is half changed and must be dropped.
 * Returns  the batch. When more lapses are due than fit it, nothing else is decided: no decision may
 *          see a hold that is over.
 */
export function decideTurn(
  book: StockBook,
  inbox: Inbox,
  flight: Flight,
  {
    nowMs,
    monotonicMs,
    format,
    announcements,
  }: {
    readonly nowMs: number;
    readonly monotonicMs: number;
    /** Of the batch. */
    readonly format: number;
    readonly announcements: Announcements;
  },
): BatchBuilder {
  const batch = new BatchBuilder(nowMs, format);
  inbox.restores.takeIn(book, nowMs);
  if (lapseDue(book, nowMs, batch)) return batch;

  while (batch.eventCount < BATCH_EVENTS_MAX) {
    if (batch.byteCount > BATCH_BYTES_MAX - EVENT_BYTES_MAX) break;
    const envelope = inbox.shift();
    if (envelope === undefined) break;
    if (envelope.deadlineMs <= monotonicMs) {
      envelope.reject(new Fault("deadline", "it waited too long to be decided"));
      continue;
    }
    if (book.archived.size > 0 && inbox.restores.park(book, envelope, nowMs)) continue;
    flight.envelopes.push(envelope);
    const decision = decide(book, envelope.key, envelope.command, nowMs);
    const { outcome, event } = announcements.isEmpty
      ? decision
      : announcements.bind(decision, envelope.key, nowMs);
    if (event !== null) batch.add(envelope.key, event, apply(book, envelope.key, event));
    flight.outcomes.push(outcome);
  }
  inbox.archiver.journal(book, batch, nowMs);
  return batch;
}

/** True when more is due than the batch takes. */
function lapseDue(book: StockBook, nowMs: number, batch: BatchBuilder): boolean {
  for (;;) {
    const lapse = nextLapse(book, nowMs);
    if (lapse === null) return false;
    if (batch.eventCount >= BATCH_EVENTS_MAX || batch.byteCount >= BATCH_BYTES_MAX / 2) return true;
    batch.add(lapse.key, lapse.event, apply(book, lapse.key, lapse.event));
  }
}
