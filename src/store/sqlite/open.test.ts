import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { getTableColumns, getTableName, is } from "drizzle-orm";
import { SQLiteTable } from "drizzle-orm/sqlite-core";

import { forgetFolder, temporaryFolder } from "../../../test/support/process.ts";
import { migrationsOf } from "../migrations.ts";
import { migrateSqlite } from "./migrate.ts";
import { SqliteDatabase } from "./open.ts";
import * as control from "./schema/control.ts";
import * as shard from "./schema/shard.ts";

let folder: string;
beforeAll(() => {
  folder = temporaryFolder("sqlite-open");
});
afterAll(() => forgetFolder(folder));

function faultOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return null;
}

const byName = (a: string, b: string): number => (a < b ? -1 : 1);

/** A module's path as a literal for a program of its own process. */
const at = (name: string): string => JSON.stringify(new URL(name, import.meta.url).pathname);

const pragma = (database: SqliteDatabase, name: string): unknown =>
  Object.values(
    database.client.query<Record<string, unknown>, []>(`pragma ${name}`).get() ?? {},
  )[0];

describe("an embedded database", () => {
  test("writes each commit to the disk before it answers", () => {
    const database = new SqliteDatabase({ path: join(folder, "settings.sqlite") });
    expect(pragma(database, "journal_mode")).toBe("wal");
    expect(pragma(database, "synchronous")).toBe(2);
    expect(pragma(database, "foreign_keys")).toBe(1);
    database.close();
  });

  test("is its user's alone: it has e-mails, addresses and hashes", () => {
    const name = "private.sqlite";
    const database = new SqliteDatabase({ path: join(folder, name) });
    database.client.run("create table a (b)");
    const files = readdirSync(folder).filter((file) => file.startsWith(name));
    expect(files.toSorted()).toEqual([name, `${name}-shm`, `${name}-wal`]);
    for (const file of files) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
    database.close();
  });

  test("opened for one engine refuses a second, in this process and in another", async () => {
    const path = join(folder, "exclusive.sqlite");
    const database = new SqliteDatabase({ path, exclusive: true });
    migrateSqlite(database);
    const again = faultOf(() => new SqliteDatabase({ path, exclusive: true }));
    expect(again).toMatchObject({ code: "second_engine" });
    const program = `const { SqliteDatabase } = await import(${at("./open.ts")});
      try { new SqliteDatabase({ path: ${JSON.stringify(path)}, exclusive: true }); }
      catch (error) { console.log(error.code); }`;
    const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" });
    expect((await new Response(child.stdout).text()).trim()).toBe("second_engine");
    database.close();
    new SqliteDatabase({ path, exclusive: true }).close();
  });

  test("a file that is no database, and a folder that is not there, are told by name", () => {
    const path = join(folder, "text.sqlite");
    writeFileSync(
      path,
      "This is not a database, but it is long enough to look like one.".repeat(9),
    );
    for (const wrong of [path, join(folder, "none", "x.sqlite")]) {
      const fault = faultOf(() => new SqliteDatabase({ path: wrong }));
      expect(fault).toMatchObject({ code: "config_invalid" });
      expect(String(fault)).toContain(wrong);
    }
  });

  test("a refused statement is told without its values, and its transaction is undone", () => {
    const database = new SqliteDatabase({ path: join(folder, "refused.sqlite") });
    migrateSqlite(database);
    const fault = faultOf(() =>
      database.write("make accounts", (db) => {
        for (const accountId of ["a", "b"]) {
          db.insert(control.accounts)
            .values({ account_id: accountId, email: "secret@example.com", password_hash: "h" })
            .run();
        }
      }),
    );
    expect(fault).toMatchObject({ code: "statement_refused", state: "SQLITE_CONSTRAINT_UNIQUE" });
    expect(Bun.inspect(fault)).not.toContain("secret@example.com");
    expect(database.run("read", (db) => db.select().from(control.accounts).all())).toEqual([]);
    database.close();
  });

  test("after the close, calls are refused", () => {
    const database = new SqliteDatabase({ path: join(folder, "closed.sqlite") });
    migrateSqlite(database);
    database.close();
    const fault = faultOf(() =>
      database.run("read", (db) => db.select().from(control.sales).all()),
    );
    expect(fault).toMatchObject({ code: "store_unavailable" });
  });
});

describe("the migrations of an embedded database", () => {
  test("make the schema's tables, and may be repeated", () => {
    const database = new SqliteDatabase({ path: join(folder, "migrated.sqlite") });
    migrateSqlite(database);
    migrateSqlite(database);
    const tables = Object.values({ ...control, ...shard }).filter((value) =>
      is(value, SQLiteTable),
    );
    for (const table of tables) {
      const rows = database.client
        .query<{ name: string }, []>(`select name from pragma_table_info('${getTableName(table)}')`)
        .all();
      const wanted = Object.values(getTableColumns(table)).map((column) => column.name);
      expect([getTableName(table), rows.map((row) => row.name).toSorted(byName)]).toEqual([
        getTableName(table),
        wanted.toSorted(byName),
      ]);
    }
    database.close();
  });

  test("run by five processes at once, are applied once", async () => {
    const path = join(folder, "at-once.sqlite");
    const program = `const { SqliteDatabase } = await import(${at("./open.ts")});
      const { migrateSqlite } = await import(${at("./migrate.ts")});
      const database = new SqliteDatabase({ path: ${JSON.stringify(path)} });
      migrateSqlite(database);
      database.close();`;
    const exits = await Promise.all(
      Array.from({ length: 5 }, () => Bun.spawn([process.execPath, "-e", program]).exited),
    );
    expect(exits).toEqual([0, 0, 0, 0, 0]);
    const database = new SqliteDatabase({ path });
    const applied = database.client.query("select hash from __drizzle_migrations").all();
    expect(applied).toHaveLength(migrationsOf("sqlite").length);
    database.close();
  });
});
