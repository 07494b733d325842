// An embedded database file: SQLite through Bun, with every answered commit on the disk.
//
// Calls are synchronous. A call is one statement or one transaction without an await in it, so no
// other call of this process comes between; other processes wait `BUSY_MS` at most.

import { Database, SQLiteError } from "bun:sqlite";

import { DrizzleQueryError } from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sqlite";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";

import { Fault } from "../../core/errors.ts";
import { StatementRefused } from "../statement-refused.ts";
import { makePrivateFile } from "./private-file.ts";

export type SqliteDrizzle = BunSQLiteDatabase;

export type SqliteOptions = {
  /** A file, made when it is not there. */
  readonly path: string;
  /** Nobody else may open it: a second process is Fault("second_engine"). */
  readonly exclusive?: boolean;
};

/** While it waits the whole process stands still, so this is short. */
const BUSY_MS = 1_000;

export class SqliteDatabase {
  readonly path: string;
  readonly client: Database;
  readonly drizzle: SqliteDrizzle;

  /** Throws: Fault("second_engine" | "config_invalid"). */
  constructor(options: SqliteOptions) {
    this.path = options.path;
    this.client = opened(options);
    this.drizzle = drizzle({ client: this.client });
  }

  /**
   * Runs one call. `what` names it for operators.
   *
   * Throws: StatementRefused and Fault("store_unavailable"): nothing was written; Fault("unknown").
   */
  run<T>(what: string, work: (drizzle: SqliteDrizzle) => T): T {
    try {
      return work(this.drizzle);
    } catch (thrown) {
      throw failureOf(thrown, what);
    }
  }

  /** As `run`, in one transaction that takes the write lock first. */
  write<T>(what: string, work: (drizzle: SqliteDrizzle) => T): T {
    return this.run(what, (db) => this.client.transaction(() => work(db)).immediate());
  }

  /** Writes the WAL back into the file. Afterwards every call is Fault("store_unavailable"). */
  close(): void {
    this.client.close();
  }
}

function opened(options: SqliteOptions): Database {
  const { path, exclusive = false } = options;
  let client: Database | null = null;
  try {
    makePrivateFile(path);
    client = new Database(path, { create: true, readwrite: true, strict: true });
    client.run(`pragma busy_timeout = ${BUSY_MS}`);
    // Before WAL: then no shared memory is made, and the lock is kept from the first write on.
    if (exclusive) client.run("pragma locking_mode = exclusive");
    client.run("pragma journal_mode = wal");
    client.run("pragma synchronous = full");
    client.run("pragma foreign_keys = on");
    if (exclusive) client.run("begin immediate; commit");
    return client;
  } catch (cause) {
    client?.close();
    if (cause instanceof SQLiteError && cause.code?.startsWith("SQLITE_BUSY") === true) {
      throw new Fault("second_engine", `${path} is open in another process`, { cause });
    }
    throw new Fault("config_invalid", `${path} cannot be opened`, { cause });
  }
}

/** Codes after which SQLite has rolled the transaction back, or has not begun it. */
const NOT_WRITTEN = /^SQLITE_(BUSY|LOCKED|FULL|READONLY|CANTOPEN|NOMEM|INTERRUPT|PERM|AUTH)/;

function failureOf(thrown: unknown, what: string): unknown {
  const cause = thrown instanceof DrizzleQueryError ? thrown.cause : thrown;
  if (cause instanceof SQLiteError) {
    const state = cause.code ?? "SQLITE_ERROR";
    if (/^SQLITE_(CONSTRAINT|TOOBIG|MISMATCH|RANGE|ERROR)/.test(state)) {
      return new StatementRefused(what, { state, constraint: "" });
    }
    if (NOT_WRITTEN.test(state)) return new Fault("store_unavailable", `${what}: ${state}`);
    return new Fault("unknown", `${what}: ${state}`);
  }
  if (cause instanceof Error && /closed database/i.test(cause.message)) {
    return new Fault("store_unavailable", `${what}: closed`);
  }
  return cause;
}
