import { Fault } from "../core/errors.ts";

/**
 * The store refused this statement whole: bad data, a broken constraint, a deadlock's victim.
 * Nothing of it was written, and the connection is well.
 *
 * Carries no values: `detail` of a driver's error quotes the row, which may be a shopper's.
 */
export class StatementRefused extends Fault {
  /** SQLSTATE on Postgres (`23505`), the result code's name on SQLite (`SQLITE_CONSTRAINT_…`). */
  readonly state: string;
  /** The constraint's name, where the store tells it; else "". */
  readonly constraint: string;

  constructor(what: string, refusal: { readonly state: string; readonly constraint: string }) {
    super("statement_refused", `${what}: ${refusal.state} ${refusal.constraint}`.trimEnd());
    this.state = refusal.state;
    this.constraint = refusal.constraint;
  }

  /** A deadlock's victim or a serialization failure: the same statement may succeed next time. */
  get isTransient(): boolean {
    return this.state === "40P01" || this.state === "40001";
  }
}
