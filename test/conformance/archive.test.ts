import { describe, expect, test } from "bun:test";

import { Fault } from "../../src/core/errors.ts";
import { PostgresArchive } from "../../src/store/postgres/archive.ts";
import { SqliteArchive } from "../../src/store/sqlite/archive.ts";
import { MemoryArchive } from "../support/memory-archive.ts";
import { openShards, openSqliteFile } from "../support/order-shards.ts";
import { startPostgres } from "../support/servers.ts";
import { archiveSuite } from "./archive.suite.ts";

archiveSuite("a map", () => {
  return Promise.resolve({ archive: new MemoryArchive(), close: () => Promise.resolve() });
});

archiveSuite("SQLite", () => {
  const { database, close } = openSqliteFile();
  return Promise.resolve({
    archive: new SqliteArchive({ database }),
    close: () => Promise.resolve(close()),
  });
});

archiveSuite("Postgres, two shards", async () => {
  const server = await startPostgres();
  const shards = await openShards(server, 2);
  return {
    archive: new PostgresArchive({ shards }),
    close: async () => {
      await Promise.all(shards.map((shard) => shard.close()));
      await server.stop();
    },
  };
});

describe("the archive on two shards", () => {
  test("with one killed: its partitions' calls are faults, the other's go on", async () => {
    const servers = await Promise.all([startPostgres(), startPostgres()]);
    const shards = (await Promise.all(servers.map((server) => openShards(server, 1)))).flat();
    try {
      const archive = new PostgresArchive({ shards });
      const texts = [0, 1].map((partition) => ({
        partition,
        unit: "sale/a",
        digest: "d",
        text: `of ${partition}`,
      }));
      await archive.put(texts);
      await servers[1].kill();
      expect(await archive.get(texts[0]!)).toBe("of 0");
      // One after the other: a rejection that nobody awaits yet would end the run.
      for (const call of [() => archive.get(texts[1]!), () => archive.put([texts[1]!])]) {
        expect(await call().catch((cause: unknown) => cause)).toBeInstanceOf(Fault);
      }
      await servers[1].restart();
      expect(await archive.get(texts[1]!)).toBe("of 1");
    } finally {
      await Promise.all(shards.map((shard) => shard.close()));
      await Promise.all(servers.map((server) => server.stop()));
    }
  });
});
