// The simulator's own durable book: charges, refunds, voids and the events that are still to be
// delivered, in SQLite. An answer may leave only after `transact` has returned.
//
// B1  `transact` is one transaction: all of its requests are durable when it returns, or none is.
// B2  A charge's change and its events are written together.
// B3  One process has the book open at a time.

import { Database, type Statement } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { assert } from "../../core/assert.ts";
import type { BookCharge, BookState, Decision, EventType, Moment, Request } from "./decide.ts";
import { decide, orderIdOfRequest } from "./decide.ts";

/** What `PRAGMA synchronous` answers for FULL. */
const SYNCHRONOUS_FULL = 2;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS charge (
    number INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL UNIQUE,
    amount_minor INTEGER NOT NULL CHECK (amount_minor >= 0),
    currency TEXT NOT NULL,
    token TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'paid', 'declined', 'voided')),
    refunded_minor INTEGER NOT NULL CHECK (refunded_minor BETWEEN 0 AND amount_minor),
    due_at_ms INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS charge_due ON charge (due_at_ms) WHERE state = 'pending';
  CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL,
    type TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at_ms INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX IF NOT EXISTS event_next ON event (next_at_ms, number);`;

const SELECT_CHARGE = `SELECT order_id AS orderId, amount_minor AS amountMinor, currency, token,
    state, refunded_minor AS refundedMinor, due_at_ms AS dueAtMs FROM charge WHERE order_id = ?`;

const WRITE_CHARGE = `INSERT INTO charge (order_id, amount_minor, currency, token, state,
    refunded_minor, due_at_ms, created_at_ms, updated_at_ms)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
  ON CONFLICT (order_id) DO UPDATE SET state = excluded.state,
    refunded_minor = excluded.refunded_minor, due_at_ms = excluded.due_at_ms,
    updated_at_ms = excluded.updated_at_ms`;

const WRITE_EVENT = `INSERT INTO event (order_id, type, amount_minor, currency, created_at_ms)
  VALUES (?, ?, ?, ?, ?)`;

const SELECT_EVENTS = `SELECT number, order_id AS orderId, type, amount_minor AS amountMinor,
    currency, created_at_ms AS createdAtMs, attempts, next_at_ms AS nextAtMs
  FROM event ORDER BY next_at_ms, number LIMIT ?`;

const DELAY_EVENT = "UPDATE event SET attempts = attempts + 1, next_at_ms = ? WHERE number = ?";

const SELECT_DUE = `SELECT order_id AS orderId FROM charge
  WHERE state = 'pending' AND due_at_ms <= ? ORDER BY due_at_ms LIMIT ?`;

const SELECT_NEXT_DUE = "SELECT min(due_at_ms) AS dueAtMs FROM charge WHERE state = 'pending'";

const SELECT_PAGE = `SELECT number, order_id AS orderId, amount_minor AS amountMinor, currency,
    token, state, refunded_minor AS refundedMinor, created_at_ms AS createdAtMs,
    updated_at_ms AS updatedAtMs
  FROM charge WHERE number > ? ORDER BY number LIMIT ?`;

const SELECT_TOTALS = `SELECT state, currency, count(*) AS count, sum(amount_minor) AS amountMinor,
    sum(refunded_minor) AS refundedMinor, sum(refunded_minor > 0) AS refundCount
  FROM charge GROUP BY state, currency`;

/** A row of `GET /v1/book`, oldest first; `number` is what `after` takes. */
export type BookEntry = Omit<BookCharge, "dueAtMs"> & {
  readonly number: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

export type BookTotals = {
  readonly states: Record<BookState, number>;
  /** Refunded payments; they count as `paid` too. */
  readonly refundCount: number;
  /** Paid charges by currency, refunded ones included. */
  readonly currencies: Record<string, { chargedMinor: number; refundedMinor: number }>;
  readonly undeliveredEvents: number;
};

export type BookEvent = {
  readonly number: number;
  readonly orderId: string;
  readonly type: EventType;
  readonly amountMinor: number;
  readonly currency: string;
  readonly createdAtMs: number;
  readonly attempts: number;
  readonly nextAtMs: number;
};

type TotalsRow = {
  state: BookState;
  currency: string;
  count: number;
  amountMinor: number;
  refundedMinor: number;
  refundCount: number;
};

export class Book {
  readonly #database: Database;
  readonly #hasEvents: boolean;
  readonly #selectCharge: Statement<BookCharge, [string]>;
  readonly #writeCharge: Statement;
  readonly #writeEvent: Statement;
  readonly #selectEvents: Statement<BookEvent, [number]>;
  readonly #deleteEvent: Statement;
  readonly #delayEvent: Statement;
  readonly #selectDue: Statement<{ orderId: string }, [number, number]>;
  readonly #selectNextDue: Statement<{ dueAtMs: number | null }, []>;
  readonly #selectPage: Statement<BookEntry, [number, number]>;
  readonly #selectTotals: Statement<TotalsRow, []>;
  readonly #countEvents: Statement<{ count: number }, []>;

  /** Throws  when another process has the book open (B3) or the disk refuses. */
  constructor(options: { readonly dataDir: string; readonly hasEvents: boolean }) {
    mkdirSync(options.dataDir, { recursive: true });
    this.#database = new Database(join(options.dataDir, "payments.sqlite"), { strict: true });
    this.#hasEvents = options.hasEvents;
    // Exclusive before WAL: then there is no shared memory file, and a second process is refused.
    this.#database.run("PRAGMA locking_mode = EXCLUSIVE");
    this.#database.run("PRAGMA journal_mode = WAL");
    this.#database.run("PRAGMA synchronous = FULL");
    // Some file systems cannot do WAL, and SQLite then goes on without a word.
    const mode = this.#database.query<{ journal_mode: string }, []>("PRAGMA journal_mode").get();
    const flush = this.#database.query<{ synchronous: number }, []>("PRAGMA synchronous").get();
    assert(mode?.journal_mode === "wal" && flush?.synchronous === SYNCHRONOUS_FULL, "durable (B1)");
    this.#database.run(SCHEMA);
    // What was waiting for its next attempt is tried at once: clocks may have jumped meanwhile.
    this.#database.run("UPDATE event SET next_at_ms = 0");
    this.#selectCharge = this.#database.prepare(SELECT_CHARGE);
    this.#writeCharge = this.#database.prepare(WRITE_CHARGE);
    this.#writeEvent = this.#database.prepare(WRITE_EVENT);
    this.#selectEvents = this.#database.prepare(SELECT_EVENTS);
    this.#deleteEvent = this.#database.prepare("DELETE FROM event WHERE number = ?");
    this.#delayEvent = this.#database.prepare(DELAY_EVENT);
    this.#selectDue = this.#database.prepare(SELECT_DUE);
    this.#selectNextDue = this.#database.prepare(SELECT_NEXT_DUE);
    this.#selectPage = this.#database.prepare(SELECT_PAGE);
    this.#selectTotals = this.#database.prepare(SELECT_TOTALS);
    this.#countEvents = this.#database.prepare("SELECT count(*) AS count FROM event");
  }

  /**
   * Decides each request in order and makes all of it durable (B1).
   *
   * Cost  about 10 µs a request and one fsync.
   */
  transact(requests: readonly Request[], moment: Moment): Decision[] {
    return this.#atomically(() =>
      requests.map((request) => {
        const known = this.#selectCharge.get(orderIdOfRequest(request));
        const decision = decide(known, request, moment);
        this.#write(decision, moment.nowMs);
        return decision;
      }),
    );
  }

  #write({ write, events }: Decision, nowMs: number): void {
    if (write === null) {
      assert(events.length === 0, "an event tells of a change");
      return;
    }
    const { orderId, amountMinor, currency, token, state, refundedMinor, dueAtMs } = write;
    this.#writeCharge.run(
      orderId,
      amountMinor,
      currency,
      token,
      state,
      refundedMinor,
      dueAtMs,
      nowMs,
    );
    if (!this.#hasEvents) return;
    const copies = token === "tok_event_twice" ? 2 : 1;
    for (const type of events) {
      for (let copy = 0; copy < copies; copy += 1) {
        this.#writeEvent.run(orderId, type, amountMinor, currency, nowMs);
      }
    }
  }

  /** Orders whose pending charge is due. */
  dueOrders(nowMs: number, limit: number): string[] {
    return this.#selectDue.all(nowMs, limit).map(({ orderId }) => orderId);
  }

  /** When the next pending charge is due, or null when none is pending. */
  nextDueAtMs(): number | null {
    return this.#selectNextDue.get()?.dueAtMs ?? null;
  }

  /** Undelivered events, those that may be tried soonest first. */
  events(limit: number): BookEvent[] {
    return this.#selectEvents.all(limit);
  }

  /** Takes delivered events out of the book and notes when the others are tried again. */
  settleEvents(settled: readonly { number: number; nextAtMs: number | null }[]): void {
    this.#atomically(() => {
      for (const { number, nextAtMs } of settled) {
        if (nextAtMs === null) this.#deleteEvent.run(number);
        else this.#delayEvent.run(nextAtMs, number);
      }
    });
  }

  page({ after, limit }: { after: number; limit: number }): BookEntry[] {
    return this.#selectPage.all(after, limit);
  }

  /** Cost: reads the whole book; for tests and people. */
  totals(): BookTotals {
    const rows = this.#selectTotals.all();
    const undeliveredEvents = this.#countEvents.get()?.count ?? 0;
    const states = { pending: 0, paid: 0, declined: 0, voided: 0 };
    const currencies: BookTotals["currencies"] = {};
    let refundCount = 0;
    for (const row of rows) {
      states[row.state] += row.count;
      refundCount += row.refundCount;
      if (row.state !== "paid") continue;
      assert(Number.isSafeInteger(row.amountMinor), "sums stay exact");
      currencies[row.currency] = {
        chargedMinor: row.amountMinor,
        refundedMinor: row.refundedMinor,
      };
    }
    return { states, refundCount, currencies, undeliveredEvents };
  }

  close(): void {
    // SQLite keeps the file, and its lock, until the last statement is gone.
    const statements = [
      this.#selectCharge,
      this.#writeCharge,
      this.#writeEvent,
      this.#selectEvents,
      this.#deleteEvent,
      this.#delayEvent,
      this.#selectDue,
      this.#selectNextDue,
      this.#selectPage,
      this.#selectTotals,
      this.#countEvents,
    ];
    for (const statement of statements) statement.finalize();
    this.#database.close(true);
  }

  #atomically<T>(work: () => T): T {
    this.#database.run("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.run("COMMIT");
      return result;
    } catch (cause) {
      if (this.#database.inTransaction) this.#database.run("ROLLBACK");
      throw cause;
    }
  }
}
