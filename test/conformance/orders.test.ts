import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { BUCKETS } from "../../src/core/limits.ts";
import { applyMigrations } from "../../src/store/postgres/apply-migrations.ts";
import { PostgresDatabase } from "../../src/store/postgres/connect.ts";
import { PostgresOrders } from "../../src/store/postgres/orders.ts";
import { migrateSqlite } from "../../src/store/sqlite/migrate.ts";
import { SqliteDatabase } from "../../src/store/sqlite/open.ts";
import { SqliteOrders } from "../../src/store/sqlite/orders.ts";
import { removeFolder } from "../support/cleanup.ts";
import { startPostgres } from "../support/servers.ts";
import { ordersSuite, type PaymentRow } from "./orders.suite.ts";

const PAYMENT = `select state, token, amount_minor as "amountMinor",
  refunded_minor as "refundedMinor" from payments where order_id = `;

ordersSuite("SQLite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "doorbuster-orders-"));
  const database = new SqliteDatabase({ path: join(folder, "orders.db") });
  migrateSqlite(database);
  return {
    orders: new SqliteOrders({ database }),
    payment: (order) =>
      Promise.resolve(
        database.client.query<PaymentRow, [string]>(`${PAYMENT} ?`).get(order.orderId),
      ),
    close: () => {
      database.close();
      removeFolder(folder);
      return Promise.resolve();
    },
  };
});

ordersSuite("Postgres, two shards", async () => {
  const server = await startPostgres();
  const shards = await Promise.all(
    ["shard_0", "shard_1"].map(async (name) => {
      const database = new PostgresDatabase({ url: await server.createDatabase(name) });
      await applyMigrations(database);
      return database;
    }),
  );
  const bucketToShard = Array.from({ length: BUCKETS }, (_, bucket) => bucket % 2);
  return {
    orders: new PostgresOrders({ shards, bucketToShard }),
    payment: async (order) => {
      const found = await Promise.all(
        shards.map((shard) =>
          shard.run("payment", (_, sql) =>
            sql.unsafe<PaymentRow[]>(`${PAYMENT} $1`, [order.orderId]),
          ),
        ),
      );
      const [row = null] = found.flatMap((rows) => [...rows]);
      return row;
    },
    close: async () => {
      await Promise.all(shards.map((shard) => shard.close()));
      await server.stop();
    },
  };
});
