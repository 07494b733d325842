import { PostgresLedger } from "../../src/store/postgres/ledger.ts";
import { SqliteLedger } from "../../src/store/sqlite/ledger.ts";
import { openShards, openSqliteFile } from "../support/order-shards.ts";
import { startPostgres } from "../support/servers.ts";
import { ledgerSuite } from "./ledger.suite.ts";

ledgerSuite("SQLite", () => {
  const { database, close } = openSqliteFile();
  return Promise.resolve({
    ledger: new SqliteLedger({ database }),
    close: () => Promise.resolve(close()),
  });
});

ledgerSuite("Postgres, two shards", async () => {
  const server = await startPostgres();
  const shards = await openShards(server, 2);
  return {
    ledger: new PostgresLedger({ shards }),
    close: async () => {
      await Promise.all(shards.map((shard) => shard.close()));
      await server.stop();
    },
  };
});
