import { migrationsOf, missingOf } from "../migrations.ts";
import type { AppliedMigration, Migration } from "../migrations.ts";
import type { SqliteDatabase } from "./open.ts";

/**
 * Brings the file's tables up to date. Safe in several processes at once: the write lock is taken
 * before the look at what is there.
 *
 * Throws: Fault("config_invalid") for a file of another build; else as `database.write`.
 */
export function migrateSqlite(database: SqliteDatabase): void {
  const known = migrationsOf("sqlite");
  if (missing(database, known).length === 0) return;
  database.write("apply the migrations", () => {
    database.client.run(`create table if not exists __drizzle_migrations (
      id integer primary key, hash text not null, created_at integer)`);
    for (const migration of missing(database, known)) {
      database.client.run(migration.sql);
      database.client.run("insert into __drizzle_migrations (hash, created_at) values (?, ?)", [
        migration.hash,
        migration.writtenAtMs,
      ]);
    }
  });
}

function missing(database: SqliteDatabase, known: readonly Migration[]): readonly Migration[] {
  const applied = database.run("read the migrations", () => {
    const list = database.client
      .query("select 1 from sqlite_master where type = 'table' and name = '__drizzle_migrations'")
      .get();
    if (list === null) return [];
    return database.client
      .query<AppliedMigration, []>(
        `select created_at as "writtenAtMs", hash from __drizzle_migrations order by id`,
      )
      .all();
  });
  return missingOf(known, { place: database.path, applied });
}
