// Databases with our tables, for tests of the stores on both dialects.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { applyMigrations } from "../../src/store/postgres/apply-migrations.ts";
import { PostgresDatabase } from "../../src/store/postgres/connect.ts";
import { migrateSqlite } from "../../src/store/sqlite/migrate.ts";
import { SqliteDatabase } from "../../src/store/sqlite/open.ts";
import { removeFolder } from "./cleanup.ts";
import type { TestPostgres } from "./postgres.ts";

export async function openShards(server: TestPostgres, count: number): Promise<PostgresDatabase[]> {
  const names = Array.from({ length: count }, (_, shard) => `shard_${shard}`);
  return await Promise.all(
    names.map(async (name) => {
      const url = await server.createDatabase(name);
      const database = new PostgresDatabase({ url, plansOnce: true });
      await applyMigrations(database);
      return database;
    }),
  );
}

export function openSqliteFile(): {
  readonly database: SqliteDatabase;
  readonly close: () => void;
} {
  const folder = mkdtempSync(join(tmpdir(), "doorbuster-shard-"));
  const database = new SqliteDatabase({ path: join(folder, "shard.db") });
  migrateSqlite(database);
  return {
    database,
    close: () => {
      database.close();
      removeFolder(folder);
    },
  };
}
