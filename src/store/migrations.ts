// The migrations that drizzle-kit wrote, as data. Each dialect applies them in its own way.

import { fileURLToPath } from "node:url";

import { readMigrationFiles } from "drizzle-orm/migrator";

import { Fault } from "../core/errors.ts";

export type Migration = {
  /** All its statements. */
  readonly sql: string;
  /** When it was written: its name in the database's own list. */
  readonly writtenAtMs: number;
  readonly hash: string;
};

/** A migration as a database remembers it. */
export type AppliedMigration = { readonly writtenAtMs: number; readonly hash: string };

/** In the order of their making. Cost: reads files. */
export function migrationsOf(dialect: "postgres" | "sqlite"): readonly Migration[] {
  const folder = fileURLToPath(new URL(`../../drizzle/${dialect}`, import.meta.url));
  return readMigrationFiles({ migrationsFolder: folder }).map((file) => ({
    sql: file.sql.map((statement) => `${statement.trim().replace(/;$/, "")};`).join("\n"),
    writtenAtMs: file.folderMillis,
    hash: file.hash,
  }));
}

/**
 * What a database still lacks. It may know newer ones: another node was upgraded first.
 *
 * Throws: Fault("config_invalid") when it has one of the same name with other contents, or an older
 *         one that is not ours: this build's first migration is not what its tables were made by.
 */
export function missingOf(
  known: readonly Migration[],
  database: { readonly place: string; readonly applied: readonly AppliedMigration[] },
): readonly Migration[] {
  const ours = new Map(known.map(({ writtenAtMs, hash }) => [writtenAtMs, hash]));
  const newestMs = Math.max(...ours.keys());
  const isForeign = ({ writtenAtMs, hash }: AppliedMigration): boolean =>
    writtenAtMs <= newestMs && ours.get(writtenAtMs) !== hash;
  if (database.applied.some(isForeign)) {
    const detail = `${database.place} was set up by a build with other migrations`;
    throw new Fault("config_invalid", detail);
  }
  const applied = new Set(database.applied.map(({ writtenAtMs }) => writtenAtMs));
  return known.filter(({ writtenAtMs }) => !applied.has(writtenAtMs));
}
