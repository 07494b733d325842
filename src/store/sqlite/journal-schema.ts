// The embedded journal's file: how it is opened and what tables it has.

import { Database } from "bun:sqlite";

import { Fault } from "../../core/errors.ts";
import { makePrivateFile } from "./private-file.ts";

/** `PRAGMA user_version` of the file; another number is another format. */
const JOURNAL_FILE_VERSION = 2;

const SCHEMA = `
  CREATE TABLE fence (
    partition INTEGER PRIMARY KEY,
    view INTEGER NOT NULL,
    claim INTEGER NOT NULL,
    owner TEXT NOT NULL,
    seq INTEGER NOT NULL,
    batch_id TEXT NOT NULL,
    generation TEXT NOT NULL,
    released INTEGER
  ) STRICT;
  CREATE TABLE stock (
    partition INTEGER NOT NULL,
    sku_key TEXT NOT NULL,
    available INTEGER NOT NULL CHECK (available >= 0),
    PRIMARY KEY (partition, sku_key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE journal (
    partition INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    claim INTEGER NOT NULL,
    bytes TEXT NOT NULL,
    PRIMARY KEY (partition, seq)
  ) STRICT;
  CREATE TABLE snapshot (
    partition INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL
  ) STRICT;
`;

/** Of the snapshot that is stored and of the one that is being written. */
const PIECES = `
  CREATE TABLE snapshot_piece (
    partition INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    piece INTEGER NOT NULL,
    bytes TEXT NOT NULL,
    PRIMARY KEY (partition, seq, piece)
  ) STRICT;
`;

/** Version 1 had no pieces but those of the stored snapshot. */
const FROM_VERSION_1 = `
  ALTER TABLE snapshot_piece RENAME TO snapshot_piece_1;
  ${PIECES}
  INSERT INTO snapshot_piece (partition, seq, piece, bytes)
    SELECT partition, seq, piece, bytes FROM snapshot_piece_1 JOIN snapshot USING (partition);
  DROP TABLE snapshot_piece_1;
`;

/**
 * Opens the file for this process alone; `:memory:` for none.
 *
 * Throws Fault("second_engine") when another process has it, Fault("config_invalid") when it is not
 * a journal of this version.
 */
export function openJournalFile(path: string): Database {
  const database = openFile(path);
  try {
    // EXCLUSIVE before the first access: the lock is then kept until close, and WAL needs no
    // shared memory. Nobody is waited for: who has the file keeps it.
    database.run("PRAGMA busy_timeout = 0");
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = FULL");
    database.run("BEGIN EXCLUSIVE");
    makeTables(database, path);
    database.run("COMMIT");
    return database;
  } catch (error) {
    database.close();
    throw openFaultOf(error, path);
  }
}

function openFile(path: string): Database {
  try {
    makePrivateFile(path);
    return new Database(path, { create: true, strict: true });
  } catch (error) {
    throw openFaultOf(error, path);
  }
}

function makeTables(database: Database, path: string): void {
  const row = database.query<{ user_version: number }, []>("PRAGMA user_version").get();
  const version = row?.user_version ?? 0;
  if (version === JOURNAL_FILE_VERSION) return;
  if (version === 1) {
    database.run(FROM_VERSION_1);
    database.run(`PRAGMA user_version = ${JOURNAL_FILE_VERSION}`);
    return;
  }
  const tables = database
    .query<{ count: number }, []>("SELECT count(*) AS count FROM sqlite_schema")
    .get();
  if (version !== 0 || tables?.count !== 0) {
    throw new Fault("config_invalid", `${path} is no journal of format ${JOURNAL_FILE_VERSION}`);
  }
  database.run(SCHEMA + PIECES);
  database.run(`PRAGMA user_version = ${JOURNAL_FILE_VERSION}`);
}

function openFaultOf(error: unknown, path: string): Fault {
  if (error instanceof Fault) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const detail = `${path}: ${error instanceof Error ? error.message : String(error)}`;
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) {
    return new Fault("second_engine", `another process has ${path}`, { cause: error });
  }
  if (code.startsWith("SQLITE_NOTADB"))
    return new Fault("config_invalid", detail, { cause: error });
  return new Fault("store_unavailable", detail, { cause: error });
}
