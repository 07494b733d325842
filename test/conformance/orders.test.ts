import { BUCKETS } from "../../src/core/limits.ts";
import { PostgresOrders } from "../../src/store/postgres/orders.ts";
import { SqliteOrders } from "../../src/store/sqlite/orders.ts";
import { openShards, openSqliteFile } from "../support/order-shards.ts";
import { startPostgres } from "../support/servers.ts";
import { ordersSuite, type PaymentRow } from "./orders.suite.ts";

const PAYMENT = `select state, token, amount_minor as "amountMinor",
  refunded_minor as "refundedMinor" from payments where order_id = `;

ordersSuite("SQLite", () => {
  const { database, close } = openSqliteFile();
  const payment = database.client.prepare<PaymentRow, [string]>(`${PAYMENT} ?`);
  return Promise.resolve({
    orders: new SqliteOrders({ database }),
    payment: (order) => Promise.resolve(payment.get(order.orderId)),
    close: () => Promise.resolve(close()),
  });
});

ordersSuite("Postgres, two shards", async () => {
  const server = await startPostgres();
  const shards = await openShards(server, 2);
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
