import type { StatementVerdict } from "./coalescer.ts";
import { StatementRefused } from "./statement-refused.ts";

/**
 * What a fault of either store means for a coalesced statement. Classes 22 and 23 of SQLSTATE, and
 * SQLite's constraints, speak of one row's data; another refusal is the statement's own.
 */
export function verdictOf(error: unknown): StatementVerdict {
  if (!(error instanceof StatementRefused)) return "final";
  if (error.isTransient) return "again";
  return /^(2[23]...$|SQLITE_CONSTRAINT|SQLITE_MISMATCH|SQLITE_TOOBIG)/.test(error.state)
    ? "data"
    : "final";
}
