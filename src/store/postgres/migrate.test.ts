import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { getTableColumns, getTableName, is } from "drizzle-orm";
import { getViewConfig, PgTable, PgView } from "drizzle-orm/pg-core";

import { startPostgres } from "../../../test/support/servers.ts";
import type { TestPostgres } from "../../../test/support/servers.ts";
import { BUCKETS } from "../../core/limits.ts";
import { migrationsOf } from "../migrations.ts";
import { applyMigrations, checkMigrations } from "./apply-migrations.ts";
import { PostgresClusterRecords } from "./cluster-records.ts";
import { PostgresDatabase } from "./connect.ts";
import { migratePostgres } from "./migrate.ts";
import type { MigrateRequest } from "./migrate.ts";
import * as control from "./schema/control.ts";
import * as shard from "./schema/shard.ts";
import { PostgresTopology } from "./topology.ts";

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

let made = 0;

/** Fresh databases for a cluster with this many shards. */
async function requestFor(shards: number): Promise<MigrateRequest> {
  made += 1;
  const name = `c${made}`;
  const controlUrl = await server.createDatabase(`${name}_control`);
  const shardUrls: string[] = [];
  for (let index = 0; index < shards; index += 1) {
    shardUrls.push(await server.createDatabase(`${name}_shard_${index}`));
  }
  return { controlUrl, shardUrls, partitions: 64, clusterId: `clu_${name}`, generation: "gen_1" };
}

async function withDatabase<T>(
  url: string,
  work: (database: PostgresDatabase) => Promise<T>,
): Promise<T> {
  const database = new PostgresDatabase({ url, max: 4 });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

const columnsIn = (url: string) =>
  withDatabase(url, async (database) => {
    const rows = await database.run("read the columns", (_, sql) => {
      return sql<{ name: string }[]>`
        select table_name || '.' || column_name as name from information_schema.columns
        where table_schema = 'public' order by 1`;
    });
    return rows.map((row) => row.name).toSorted();
  });

const columnsOfSchema = Object.values({ ...control, ...shard })
  .flatMap((value: unknown) => {
    if (is(value, PgTable)) {
      const columns = Object.values(getTableColumns(value));
      return columns.map((column) => `${getTableName(value)}.${column.name}`);
    }
    if (!is(value, PgView)) return [];
    const { name, selectedFields } = getViewConfig(value);
    return Object.keys(selectedFields).map((column) => `${name}.${column}`);
  })
  .toSorted();

describe("migrate", () => {
  test("gives every database the schema's tables, and may be repeated", async () => {
    const request = await requestFor(2);
    const record = await migratePostgres(request);
    const { clusterId, partitions, generation } = request;
    expect(record).toEqual({ clusterId, partitions, generation, state: "creating" });
    for (const url of [request.controlUrl, ...request.shardUrls]) {
      expect(await columnsIn(url)).toEqual(columnsOfSchema);
    }
    await withDatabase(request.controlUrl, (database) =>
      new PostgresClusterRecords({ database }).markCreated(clusterId),
    );
    const again = await migratePostgres({ ...request, clusterId: "clu_new", generation: "gen_2" });
    expect(again).toEqual({ ...record, state: "created" });
  });

  test("run by five processes at once, they agree on one cluster", async () => {
    const request = await requestFor(2);
    const module = JSON.stringify(new URL("./migrate.ts", import.meta.url).pathname);
    const processes = Array.from({ length: 5 }, (_, index) => {
      const own = JSON.stringify({ ...request, clusterId: `clu_${index}` });
      const program = `const { migratePostgres } = await import(${module});
        console.log((await migratePostgres(${own})).clusterId);`;
      return Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "pipe" });
    });
    const heard = await Promise.all(
      processes.map(async (child) => {
        const [out, error] = await Promise.all([
          new Response(child.stdout).text(),
          new Response(child.stderr).text(),
        ]);
        expect({ error, exit: await child.exited }).toEqual({ error: "", exit: 0 });
        return out.trim();
      }),
    );
    expect(new Set(heard).size).toBe(1);
    expect(await columnsIn(request.controlUrl)).toEqual(columnsOfSchema);
    const applied = await withDatabase(request.controlUrl, (database) =>
      database.run("count", (_, sql) => sql`select hash from drizzle.__drizzle_migrations`),
    );
    expect(applied).toHaveLength(migrationsOf("postgres").length);
  });

  test("by 20 clients at once on one empty database, the tables are made once", async () => {
    const url = await server.createDatabase("at_once");
    await Promise.all(Array.from({ length: 20 }, () => withDatabase(url, applyMigrations)));
    expect(await columnsIn(url)).toEqual(columnsOfSchema);
  });

  test("killed in the middle leaves nothing half done, and can be repeated", async () => {
    const request = await requestFor(2);
    for (let round = 0; round < 3; round += 1) {
      const running = migratePostgres(request).then(
        () => "done",
        () => "failed",
      );
      await server.kill();
      await running;
      await server.restart();
    }
    await migratePostgres(request);
    expect(await columnsIn(request.controlUrl)).toEqual(columnsOfSchema);
  }, 30_000);

  test("refuses what does not fit the cluster, and says what", async () => {
    const request = await requestFor(2);
    const other = await requestFor(1);
    await migratePostgres(request);
    await migratePostgres(other);
    const [first = "", second = ""] = request.shardUrls;
    const [foreign = ""] = other.shardUrls;
    const empty = await server.createDatabase("refused_empty");
    const table: readonly [string, Partial<MigrateRequest>, string][] = [
      ["another number of partitions", { partitions: 128 }, "the cluster has 64"],
      ["no partitions", { partitions: 0 }, "allowed: 1–1024"],
      ["too many partitions", { partitions: 1_025 }, "allowed: 1–1024"],
      ["no shards", { shardUrls: [] }, "no shard database"],
      ["fewer shards", { shardUrls: [first] }, "the cluster has 2"],
      ["more shards", { shardUrls: [first, second, empty] }, "the cluster has 2"],
      ["another order", { shardUrls: [second, first] }, "keep the order"],
      ["one shard twice", { shardUrls: [first, first] }, "keep the order"],
      ["another cluster's shard", { shardUrls: [first, foreign] }, "belongs to cluster"],
    ];
    for (const [name, change, hint] of table) {
      const fault = await migratePostgres({ ...request, ...change }).catch((error) => error);
      expect([name, String(fault)]).toEqual([name, expect.stringContaining(hint)]);
      expect(fault).toMatchObject({ code: "config_invalid" });
    }
    await migratePostgres(request);
  });

  test("refuses a database that another build's migrations set up", async () => {
    const url = await server.createDatabase("other_build");
    await withDatabase(url, async (database) => {
      await applyMigrations(database);
      await database.run("change the list", (_, sql) => {
        return sql`update drizzle.__drizzle_migrations set hash = 'another'`;
      });
      const fault = await applyMigrations(database).catch((error) => error);
      expect(fault).toMatchObject({ code: "config_invalid" });
    });
  });
});

describe("the check at a start", () => {
  test("says how many migrations are missing, and changes nothing", async () => {
    const url = await server.createDatabase("unmigrated");
    await withDatabase(url, async (database) => {
      const fault = await checkMigrations(database).catch((error) => error);
      expect(fault).toMatchObject({ code: "config_invalid" });
      const count = migrationsOf("postgres").length;
      const hint = `unmigrated lacks ${count} of this build's migrations: run doorbuster migrate`;
      expect(String(fault)).toContain(hint);
    });
    expect(await columnsIn(url)).toEqual([]);
  });

  test("is content with all of ours, and with newer ones of a node that was upgraded first", async () => {
    const url = await server.createDatabase("upgraded");
    await withDatabase(url, async (database) => {
      await applyMigrations(database);
      await checkMigrations(database);
      await database.run("apply a newer one", (_, sql) => {
        return sql`insert into drizzle.__drizzle_migrations (hash, created_at)
          values ('newer', ${Date.UTC(2036, 0, 1)})`;
      });
      await checkMigrations(database);
    });
  });
});

describe("the check at a start by a role of its own", () => {
  const asNode = (url: string): string => url.replace("postgres@", "node@");
  const grant = (url: string, statement: string) =>
    withDatabase(url, (database) => database.run("grant", (_, sql) => sql.unsafe(statement)));

  test("names the grant that is missing, and is content with it", async () => {
    const url = await server.createDatabase("granted");
    await withDatabase(url, applyMigrations);
    await grant(url, "create role node login");
    const check = () => withDatabase(asNode(url), checkMigrations).catch((error) => error);
    const missing = [
      "grant usage on schema drizzle to node",
      "grant select on drizzle.__drizzle_migrations to node",
    ];
    for (const statement of missing) {
      const fault = await check();
      expect(fault).toMatchObject({ code: "config_invalid" });
      expect(String(fault)).toContain("granted: this role may not read the list of migrations");
      await grant(url, statement);
    }
    expect(await check()).toBeUndefined();
  });
});

describe("the topology", () => {
  test("places each bucket once, whatever is asked later", async () => {
    const request = await requestFor(2);
    await migratePostgres(request);
    await withTopology(request, async (topology) => {
      const map = await topology.bucketMap();
      expect(map).toEqual(Array.from({ length: BUCKETS }, (_, bucket) => bucket % 2));
      await topology.ensureBuckets();
      expect(await topology.bucketMap()).toEqual(map);
      await topology.checkCount();
      for (const shardNumber of [0, 1]) await topology.checkShard(request.clusterId, shardNumber);
    });
    await withTopology({ ...request, shardUrls: request.shardUrls.slice(0, 1) }, async (fewer) => {
      const fault = await fewer.bucketMap().catch((error) => error);
      expect(fault).toMatchObject({ code: "config_invalid" });
    });
  });

  test("knows a database that was never made a shard", async () => {
    const request = await requestFor(1);
    await migratePostgres(request);
    const bare = await server.createDatabase("bare");
    await withDatabase(bare, applyMigrations);
    await withTopology({ ...request, shardUrls: [bare] }, async (topology) => {
      const fault = await topology.checkShard(request.clusterId, 0).catch((error) => error);
      expect(String(fault)).toContain("doorbuster migrate");
    });
  });
});

async function withTopology(
  request: { readonly controlUrl: string; readonly shardUrls: readonly string[] },
  work: (topology: PostgresTopology) => Promise<void>,
): Promise<void> {
  const databases = [request.controlUrl, ...request.shardUrls].map(
    (url) => new PostgresDatabase({ url, max: 2 }),
  );
  const [first, ...shards] = databases;
  try {
    if (first !== undefined) await work(new PostgresTopology({ control: first, shards }));
  } finally {
    await Promise.all(databases.map((database) => database.close()));
  }
}
