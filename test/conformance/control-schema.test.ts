import { describe, expect, test } from "bun:test";

import { getTableColumns, getTableName, is, SQL, Table } from "drizzle-orm";
import { getTableConfig as postgresConfig, PgTable } from "drizzle-orm/pg-core";
import { getTableConfig as sqliteConfig, SQLiteTable } from "drizzle-orm/sqlite-core";

import { migrationsOf } from "../../src/store/migrations.ts";
import * as postgresControl from "../../src/store/postgres/schema/control.ts";
import * as postgresShard from "../../src/store/postgres/schema/shard.ts";
import * as sqliteControl from "../../src/store/sqlite/schema/control.ts";
import * as sqliteShard from "../../src/store/sqlite/schema/shard.ts";

const postgresTables = Object.values({ ...postgresControl, ...postgresShard }).filter((value) =>
  is(value, PgTable),
);
const sqliteTables = Object.values({ ...sqliteControl, ...sqliteShard }).filter((value) =>
  is(value, SQLiteTable),
);

function columnsOf(table: Table): Record<string, string> {
  return Object.fromEntries(
    Object.values(getTableColumns(table)).map((column) => {
      const nullable = column.notNull ? "" : ", nullable";
      return [column.name, `${column.primary ? "primary" : "plain"}${nullable}`];
    }),
  );
}

function shapes(tables: readonly Table[]): Record<string, Record<string, string>> {
  return Object.fromEntries(tables.map((table) => [getTableName(table), columnsOf(table)]));
}

type Named = { readonly name?: string | undefined };
type Rules = {
  readonly name: string;
  readonly checks: readonly Named[];
  readonly indexes: readonly { readonly config: Named }[];
  readonly uniqueConstraints: readonly Named[];
};

function rulesOf(table: Rules): [string, Set<string>] {
  const { name, checks, indexes, uniqueConstraints } = table;
  return [
    name,
    new Set([
      ...checks.map((check) => `check ${check.name}`),
      ...indexes.map((index) => `index ${index.config.name}`),
      ...uniqueConstraints.map((unique) => `unique ${unique.name}`),
    ]),
  ];
}

describe("the two dialects' schemas", () => {
  test("have the same tables with the same columns", () => {
    expect(postgresTables.length).toBeGreaterThan(10);
    expect(shapes(sqliteTables)).toEqual(shapes(postgresTables));
  });

  test("have the same checks, and unique and other indexes of the same names", () => {
    const postgresRules = postgresTables.map((table) => rulesOf(postgresConfig(table)));
    const sqliteRules = sqliteTables.map((table) => rulesOf(sqliteConfig(table)));
    expect(Object.fromEntries(sqliteRules)).toEqual(Object.fromEntries(postgresRules));
  });

  test("name what holds the invariants", () => {
    const pending = postgresConfig(postgresControl.saleVersions).indexes.find(
      (index) => index.config.name === "sale_versions_one_pending",
    );
    expect(pending?.config.unique).toBe(true);
    expect(pending?.config.where).toBeInstanceOf(SQL);
  });

  test.each(["postgres", "sqlite"] as const)("%s: the migrations make every table", (dialect) => {
    const text = migrationsOf(dialect)
      .map((migration) => migration.sql)
      .join("\n");
    const namesOf = (form: RegExp) => [...text.matchAll(form)].map((match) => match[1]);
    const dropped = namesOf(/DROP TABLE ["`](\w+)["`]/g);
    const made = namesOf(/CREATE TABLE ["`](\w+)["`]/g).filter((name) => !dropped.includes(name));
    expect(new Set(made)).toEqual(new Set(postgresTables.map((table) => getTableName(table))));
  });
});
