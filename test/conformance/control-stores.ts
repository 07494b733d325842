// The stores of the control database on both dialects, on servers and files of the test's own.

import { join } from "node:path";

import type { Accounts } from "../../src/core/ports/accounts.ts";
import type { Catalogue } from "../../src/core/ports/catalogue.ts";
import type { ClusterRecords } from "../../src/core/ports/cluster-record.ts";
import { PostgresAccounts } from "../../src/store/postgres/accounts.ts";
import { applyMigrations } from "../../src/store/postgres/apply-migrations.ts";
import { PostgresCatalogue } from "../../src/store/postgres/catalogue.ts";
import { PostgresClusterRecords } from "../../src/store/postgres/cluster-records.ts";
import { PostgresDatabase } from "../../src/store/postgres/connect.ts";
import { SqliteAccounts } from "../../src/store/sqlite/accounts.ts";
import { SqliteCatalogue } from "../../src/store/sqlite/catalogue.ts";
import { SqliteClusterRecords } from "../../src/store/sqlite/cluster-records.ts";
import { migrateSqlite } from "../../src/store/sqlite/migrate.ts";
import { SqliteDatabase } from "../../src/store/sqlite/open.ts";
import { forgetFolder, temporaryFolder } from "../support/process.ts";
import { startPostgres } from "../support/servers.ts";

export type ControlStores = {
  readonly catalogue: Catalogue;
  readonly accounts: Accounts;
  readonly clusterRecords: ClusterRecords;
  /** What `begin` writes down as its time. */
  readonly clock: { nowMs: number };
  /** Subjects of a merchant's audit entries, in the order of their times. */
  auditSubjects(merchantId: string): Promise<readonly string[]>;
  close(): Promise<void>;
};

export type ControlDialect = { readonly name: string; start(): Promise<ControlStores> };

export const CONTROL_DIALECTS: readonly ControlDialect[] = [
  { name: "SQLite", start: startSqliteStores },
  { name: "Postgres", start: startPostgresStores },
];

async function startSqliteStores(): Promise<ControlStores> {
  const folder = temporaryFolder("control");
  const database = new SqliteDatabase({ path: join(folder, "control.sqlite") });
  migrateSqlite(database);
  const clock = clockOf();
  return {
    catalogue: new SqliteCatalogue({ database, clock }),
    accounts: new SqliteAccounts({ database }),
    clusterRecords: new SqliteClusterRecords({ database }),
    clock,
    auditSubjects: async (merchantId) =>
      database.client
        .query<{ subject: string }, [string]>(
          "select subject from audit where merchant_id = ? order by at_ms",
        )
        .all(merchantId)
        .map((row) => row.subject),
    close: async () => {
      database.close();
      forgetFolder(folder);
    },
  };
}

async function startPostgresStores(): Promise<ControlStores> {
  const server = await startPostgres();
  const url = await server.createDatabase("control");
  const database = new PostgresDatabase({ url, statementMs: 20_000 });
  await applyMigrations(database);
  const clock = clockOf();
  return {
    catalogue: new PostgresCatalogue({ database, clock }),
    accounts: new PostgresAccounts({ database }),
    clusterRecords: new PostgresClusterRecords({ database }),
    clock,
    auditSubjects: async (merchantId) => {
      const rows = await database.run("read the audit trail", (_, sql) => {
        return sql<{ subject: string }[]>`
          select subject from audit where merchant_id = ${merchantId} order by at_ms`;
      });
      return rows.map((row) => row.subject);
    },
    close: async () => {
      await database.close();
      await server.stop();
    },
  };
}

function clockOf() {
  return {
    nowMs: 1_000,
    wallMs(): number {
      return this.nowMs;
    },
    monotonicMs(): number {
      return this.nowMs;
    },
  };
}
