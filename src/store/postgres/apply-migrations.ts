// Brings one database's tables up to date. Safe when any number of processes do it at once, and
// when the connection breaks at any moment: each migration is one request to the server, which the
// server runs whole or not at all. The list of what was applied is drizzle-kit's own.

import { Fault } from "../../core/errors.ts";
import { migrationsOf, missingOf } from "../migrations.ts";
import type { AppliedMigration, Migration } from "../migrations.ts";
import { StatementRefused } from "../statement-refused.ts";
import type { PostgresDatabase } from "./connect.ts";

/** Any number will do, as long as nobody else locks it in these databases. */
const ADVISORY_LOCK = 4_070_119;

/** A SQLSTATE of ours: somebody else applied it between our look and our lock. */
const APPLIED_MEANWHILE = "DB001";

const INSUFFICIENT_PRIVILEGE = "42501";

/** Throws: Fault("config_invalid") for a database of another build; else as `database.run`. */
export async function applyMigrations(database: PostgresDatabase): Promise<void> {
  for (const migration of await missingIn(database)) await apply(database, migration);
}

/**
 * Changes nothing. A database that knows newer migrations than this build is fine.
 *
 * Throws: Fault("config_invalid") when one is missing, or when this role may not look; else as
 * `applyMigrations`.
 */
export async function checkMigrations(database: PostgresDatabase): Promise<void> {
  const missing = await missingIn(database).catch((cause: unknown) => {
    if (!(cause instanceof StatementRefused) || cause.state !== INSUFFICIENT_PRIVILEGE) throw cause;
    const needs = "grant usage on schema drizzle and select on its table __drizzle_migrations";
    const detail = `${database.place}: this role may not read the list of migrations: ${needs}`;
    throw new Fault("config_invalid", detail, { cause });
  });
  if (missing.length === 0) return;
  const detail = `${database.place} lacks ${missing.length} of this build's migrations`;
  throw new Fault("config_invalid", `${detail}: run doorbuster migrate`);
}

async function missingIn(database: PostgresDatabase): Promise<readonly Migration[]> {
  const applied = await appliedTo(database);
  return missingOf(migrationsOf("postgres"), { place: database.place, applied });
}

async function appliedTo(database: PostgresDatabase): Promise<readonly AppliedMigration[]> {
  const [list] = await database.run("look for migrations", (_, sql) => {
    return sql<{ exists: boolean }[]>`
      select to_regclass('drizzle.__drizzle_migrations') is not null as exists`;
  });
  if (list?.exists !== true) return [];
  return database.run("read the migrations", (_, sql) => {
    return sql<AppliedMigration[]>`
      select created_at as "writtenAtMs", hash from drizzle.__drizzle_migrations order by id`;
  });
}

async function apply(database: PostgresDatabase, migration: Migration): Promise<void> {
  const { writtenAtMs, hash } = migration;
  // Without parameters this is one simple query: one transaction over all its statements, each
  // with a snapshot of its own, so that the check after the lock sees what the lock waited for.
  const request = `
    select pg_advisory_xact_lock(${ADVISORY_LOCK});
    create schema if not exists drizzle;
    create table if not exists drizzle.__drizzle_migrations (
      id serial primary key, hash text not null, created_at bigint
    );
    do $$ begin
      if exists (select from drizzle.__drizzle_migrations where created_at = ${writtenAtMs}) then
        raise exception 'applied meanwhile' using errcode = '${APPLIED_MEANWHILE}';
      end if;
    end $$;
    ${migration.sql}
    insert into drizzle.__drizzle_migrations (hash, created_at) values ('${hash}', ${writtenAtMs});
  `;
  try {
    await database.run("apply a migration", (_, sql) => sql.unsafe(request));
  } catch (cause) {
    if (!(cause instanceof StatementRefused && cause.state === APPLIED_MEANWHILE)) throw cause;
  }
}
