// An engine that must not start says why in one line and exits 2, before anything listens.

import { afterAll, beforeAll, expect, test } from "bun:test";

import postgres from "postgres";

import { startEngine } from "../support/engine.ts";
import { StartFailure } from "../support/process.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { runCli, startWorld, type World } from "../support/world.ts";

let world: World;
let careless: TestRedis;
beforeAll(async () => {
  [world, careless] = await Promise.all([
    startWorld("servers"),
    startRedis({ config: { appendfsync: "everysec" } }),
  ]);
  await world.engine.end();
}, 60_000);
afterAll(async () => {
  await careless.stop();
  await world.stop();
}, 60_000);

type Change = (
  shards: readonly string[],
) => Record<string, string> | Promise<Record<string, string>>;

const ROWS: readonly (readonly [name: string, change: Change, says: RegExp])[] = [
  [
    "Redis does not sync each write",
    () => ({ DOORBUSTER_REDIS_URL: careless.url }),
    /appendfsync everysec; required is appendfsync always/,
  ],
  [
    "the databases were never migrated",
    async () => {
      const [control, shard] = await Promise.all(["empty", "blank"].map((name) => database(name)));
      return databases(control!, [shard!]);
    },
    /migrate/,
  ],
  [
    "a shard was not migrated since the last upgrade",
    async () => {
      const urls = await cluster("behind");
      const shard = postgres(urls.shards[1]!, { max: 1, onnotice: () => {} });
      await shard`delete from drizzle.__drizzle_migrations
        where id = (select max(id) from drizzle.__drizzle_migrations)`;
      await shard.end();
      return databases(urls.control, urls.shards);
    },
    /behind2 lacks 1 of this build's migrations: run doorbuster migrate/,
  ],
  [
    "the databases were migrated, and no cluster was created",
    async () => {
      const { control, shards } = await cluster("nobody");
      const emptied = postgres(control, { max: 1, onnotice: () => {} });
      await emptied`truncate cluster cascade`;
      await emptied.end();
      return databases(control, shards);
    },
    /the control database has no cluster: run doorbuster migrate/,
  ],
  ["it asks for other partitions", () => ({ DOORBUSTER_PARTITIONS: "8" }), /64/],
  ["a shard is missing", ([first]) => ({ DOORBUSTER_SHARD_DATABASE_URLS: String(first) }), /shard/],
  [
    "the shards are in another order",
    (shards) => ({ DOORBUSTER_SHARD_DATABASE_URLS: [...shards].reverse().join(",") }),
    /shard/,
  ],
  [
    "a shard belongs to another cluster",
    async ([first]) => {
      const { shards } = await cluster("other");
      return { DOORBUSTER_SHARD_DATABASE_URLS: `${first},${shards[1]}` };
    },
    /cluster/,
  ],
  ["a setting is misspelt", () => ({ DOORBUSTER_REDIS_URI: "x" }), /DOORBUSTER_REDIS_URI/],
  ["the secret is short", () => ({ DOORBUSTER_JWT_SECRET: "short" }), /DOORBUSTER_JWT_SECRET/],
  ["the port is no port", () => ({ DOORBUSTER_PORT: "70000" }), /DOORBUSTER_PORT .*65535/],
];

test.each(ROWS)(
  "exits 2 when %s",
  async (_, change, says) => {
    const env = { ...world.env, ...(await change(world.on.shardUrls)) };
    const startedMs = performance.now();
    const failure = await startEngine({ env }).then(
      async (engine) => engine.stop(),
      (cause: unknown) => cause,
    );
    if (!(failure instanceof StartFailure)) throw new Error("the engine has started");
    const said = failure.output.trim().split("\n").at(-1) ?? "";
    expect(said).toStartWith("doorbuster: ");
    expect({ exitCode: failure.exitCode, said }).toEqual({
      exitCode: 2,
      said: expect.stringMatching(says),
    });
    expect(failure.output).not.toContain(world.env["DOORBUSTER_JWT_SECRET"]!);
    // A server that may still come is waited for twice as long.
    expect(performance.now() - startedMs).toBeLessThan(15_000);
  },
  60_000,
);

test("after all of it the engine starts on its own servers", async () => {
  await world.engine.restart();
  expect((await world.readiness()).status).toBe(200);
});

/** The databases of another, newly created cluster, whose Redis is gone. */
async function cluster(name: string): Promise<{ control: string; shards: readonly string[] }> {
  const names = [`${name}0`, `${name}1`, `${name}2`];
  const [control, ...shards] = await Promise.all(names.map((one) => database(one)));
  const redis = await startRedis();
  const urls = databases(control!, shards);
  await runCli(["migrate"], { ...world.env, ...urls, DOORBUSTER_REDIS_URL: redis.url });
  await redis.stop();
  return { control: control!, shards };
}

function database(name: string): Promise<string> {
  return world.on.postgres[0]!.createDatabase(name);
}

function databases(control: string, shards: readonly string[]): Record<string, string> {
  return {
    DOORBUSTER_CONTROL_DATABASE_URL: control,
    DOORBUSTER_SHARD_DATABASE_URLS: shards.join(","),
  };
}
