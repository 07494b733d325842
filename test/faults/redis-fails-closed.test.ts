// Redis comes back with less than it acknowledged, with other settings or with damaged keys: outside
// the failure model, so the partitions concerned sell nothing and say so (fail closed). Nothing is
// ever sold again.

import { afterEach, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, rmSync } from "node:fs";

import Redis from "ioredis";

import { partitionOf } from "../../src/core/ids.ts";
import { keysOf } from "../../src/store/redis/keys.ts";
import { untilQuiet } from "../support/audit.ts";
import { holdCall, type Shopper } from "../support/shoppers.ts";
import { startWorld, until, type World } from "../support/world.ts";
import { rounds } from "./rounds.ts";

const SALE = "rollback";
/** Sold before the copy was taken only, and after it. */
const QUIET = "quiet";
const BUSY = "busy";
const STOCK = 4;
const PARTITIONS = 64;

let world: World | undefined;
afterEach(async () => {
  await world?.stop();
  world = undefined;
}, 60_000);

/** The engine meets the loss while it runs, or when it starts. */
const MEETS = ["while it runs", "when it starts"] as const;

describe.each(MEETS)("I1: an engine that meets it %s", (meets) => {
  test("sells nothing on an empty Redis and is not ready", async () => {
    world = await soldOutWorld();
    const { redis } = world.on;
    await replaceRedis(world, meets, () => {
      rmSync(redis.dataDir, { recursive: true, force: true });
      mkdirSync(redis.dataDir);
    });
    await expectNothingServed(world, "its fence is");
    await expectNothingSold(world, [QUIET, BUSY]);
  }, 90_000);

  test("halts the partitions that an older copy of Redis' data has lost, and no others", async () => {
    world = await openWorld();
    const shopper = await world.shopper("early");
    expect((await shopper.hold(SALE, QUIET, 1)).status).toBe(201);
    const copied = world;
    const { redis } = world.on;
    const copy = `${redis.dataDir}.copy`;
    await redis.kill();
    cpSync(redis.dataDir, copy, { recursive: true });
    await redis.restart();
    await until("it serves again", async () => (await copied.readiness()).status === 200);
    await buyAll(world, [BUSY]);
    await untilQuiet(world, SALE);

    await replaceRedis(world, meets, () => {
      rmSync(redis.dataDir, { recursive: true, force: true });
      cpSync(copy, redis.dataDir, { recursive: true });
    });
    rmSync(copy, { recursive: true });
    await askUntilHalted(world, BUSY);
    await expectNothingSold(world, [BUSY]);
    expect(await haltedIn(world)).toContain(partitionOf(SALE, BUSY, null, PARTITIONS));
    const again = await (await world.shopper("early")).hold(SALE, QUIET, 1);
    expect(again.status).toBe(200);
    expect((await world.shopper("late").then((late) => late.hold(SALE, QUIET, 1))).status).toBe(
      201,
    );
  }, 90_000);

  test("serves nothing on a Redis of another generation and says which", async () => {
    world = await soldOutWorld();
    const { redis } = world.on;
    await changeGeneration(redis.url);
    await replaceRedis(world, meets, () => {});
    await expectNothingServed(world, "generation other");
    await expectNothingSold(world, [QUIET, BUSY]);
  }, 90_000);
});

test("I1: a running engine that Redis has lost holds of halts, also when the ledger lacks them", async () => {
  world = await openWorld();
  const { redis, postgres } = world.on;
  const shopper = await world.shopper("early");
  expect((await shopper.hold(SALE, BUSY, 1)).status).toBe(201);
  await untilQuiet(world, SALE);
  const copy = `${redis.dataDir}.copy`;
  cpSync(redis.dataDir, copy, { recursive: true });
  const [database] = postgres;
  database?.pause();
  try {
    expect((await shopper.hold(SALE, BUSY, STOCK)).status).toBe(200);
    await redis.kill();
    rmSync(redis.dataDir, { recursive: true, force: true });
    cpSync(copy, redis.dataDir, { recursive: true });
    await redis.restart();
    await askUntilHalted(world, BUSY);
  } finally {
    database?.resume();
    rmSync(copy, { recursive: true });
  }
  expect((await world.readiness()).text).toContain("this node has committed");
  await expectNothingSold(world, [BUSY]);
}, 90_000);

const WRONG_SETTINGS = [
  ["appendfsync", "everysec", "always"],
  ["appendonly", "no", "yes"],
  ["maxmemory-policy", "allkeys-lru", "noeviction"],
] as const;

test.each(WRONG_SETTINGS.slice(0, rounds({ short: 1, long: 3 })))(
  "I2: an engine serves nothing while Redis has %s %s",
  async (setting, wrong, right) => {
    world = await openWorld();
    const asked = world;
    const { redis } = world.on;
    const shopper = await world.shopper("one");
    expect((await shopper.hold(SALE, BUSY, 1)).status).toBe(201);
    const isKept = setting !== "appendonly";
    await redis.restart({ config: { [setting]: wrong } });
    await until("it is not ready", async () => {
      const answer = await shopper.send(holdCall(SALE, BUSY, 2));
      expect(answer?.status ?? 503).toBeGreaterThanOrEqual(503);
      return (await asked.readiness()).status === 503;
    });
    expect(world.engine.output()).toContain(`${setting} ${wrong}`);

    await redis.restart({ config: { [setting]: right } });
    // Without appendonly it wrote nothing and came back empty, which no setting repairs.
    if (!isKept) return;
    await until("it serves again", async () => (await asked.readiness()).status === 200);
    expect((await shopper.hold(SALE, BUSY, 1)).status).toBe(200);
  },
  90_000,
);

type Keys = ReturnType<typeof keysOf>;

const DAMAGES: readonly (readonly [string, (redis: Redis, keys: Keys) => Promise<unknown>])[] = [
  ["a stock that is no number", (redis, keys) => redis.hset(keys.stock, `${SALE}/${BUSY}`, "many")],
  ["a journal ahead of its fence", (redis, keys) => redis.xadd(keys.journal, "99-0", "claim", "1")],
  ["half a fence", (redis, keys) => redis.hdel(keys.fence, "view", "owner")],
  ["a fence that is no fence", (redis, keys) => redis.rename(keys.stock, keys.fence)],
];

test.each(DAMAGES)(
  "I1: %s halts that partition alone",
  async (_, damage) => {
    world = await openWorld();
    const open = world;
    const partition = partitionOf(SALE, BUSY, null, PARTITIONS);
    const redis = new Redis(world.on.redis.url);
    try {
      expect((await (await world.shopper("early")).hold(SALE, BUSY, 1)).status).toBe(201);
      await damage(redis, keysOf(partition));
      const shoppers = await world.shoppers(40, "late");
      const ask = (sku: string) => shoppers.map((late) => late.send(holdCall(SALE, sku, 1)));
      const [busy, quiet] = await Promise.all([Promise.all(ask(BUSY)), Promise.all(ask(QUIET))]);
      for (const answer of busy) expect(answer?.status).toBe(503);
      const statuses = quiet.map((answer) => answer?.status ?? 0);
      expect(statuses.filter((status) => status === 201)).toHaveLength(STOCK);
      expect(new Set(statuses)).toEqual(new Set([201, 409]));
      await until("its partition halts", async () => (await haltedIn(open)).includes(partition));
      expect(await haltedIn(world)).toEqual([partition]);
      expect(world.engine.output()).not.toContain("lost Redis");
      expect(world.engine.output().match(/partition halted/g)).toHaveLength(1);
    } finally {
      redis.disconnect();
    }
  },
  60_000,
);

async function openWorld(): Promise<World> {
  const opened = await startWorld("servers");
  await opened.openSale({
    sale: SALE,
    skus: [QUIET, BUSY].map((sku) => ({ sku, stock: STOCK, limit: STOCK })),
    holdFor: "60m",
    payWithin: "60m",
  });
  return opened;
}

async function soldOutWorld(): Promise<World> {
  const sold = await openWorld();
  await buyAll(sold, [QUIET, BUSY]);
  await untilQuiet(sold, SALE);
  return sold;
}

async function buyAll(open: World, skus: readonly string[]): Promise<void> {
  const shopper = await open.shopper("buyer");
  for (const sku of skus) {
    expect((await shopper.hold(SALE, sku, STOCK)).status).toBe(201);
    const lines = [{ sku, quantity: STOCK }];
    expect((await shopper.checkout({ sale: SALE, lines, key: sku })).status).toBe(201);
  }
}

async function replaceRedis(
  rolled: World,
  meets: (typeof MEETS)[number],
  change: () => void,
): Promise<void> {
  const { redis } = rolled.on;
  rolled.expectUnready();
  if (meets === "when it starts") await rolled.engine.kill();
  await redis.kill();
  // A partition that missed nothing keeps its claim, and a claim is what looks at the generation.
  if (meets === "while it runs") await missRedis(rolled);
  change();
  await redis.restart();
  if (meets === "when it starts") await rolled.engine.restart();
}

/** A cart asks every partition, and each asks Redis. */
async function missRedis(rolled: World): Promise<void> {
  const shopper = await rolled.shopper("misses");
  await until("Redis is missed", async () => !(await shopper.cart()).complete);
}

/** Every partition meets the loss at its next call to Redis; a cart asks all of them. */
async function expectNothingServed(rolled: World, reason: string): Promise<void> {
  const shopper = await rolled.shopper("asks");
  await until("it is not ready", async () => {
    await shopper.send({ method: "GET", path: "/v1/cart" });
    const { status, text } = await rolled.readiness();
    return status === 503 && text.includes("every partition is halted");
  });
  expect((await rolled.readiness()).text).toContain(reason);
  expect(rolled.engine.output()).toContain("partition halted: its SKUs sell nothing");
}

async function askUntilHalted(rolled: World, sku: string): Promise<void> {
  const shopper = await rolled.shopper("asks");
  await until("its partition halts", async () => {
    await shopper.send(holdCall(SALE, sku, 1));
    return (await haltedIn(rolled)).length > 0;
  });
  expect(rolled.engine.output()).toContain("partition halted: its SKUs sell nothing");
}

async function haltedIn(rolled: World): Promise<number[]> {
  const { text } = await rolled.readiness();
  return [...text.matchAll(/partition (\d+) is halted/g)].map((match) => Number(match[1]));
}

async function expectNothingSold(rolled: World, skus: readonly string[]): Promise<void> {
  const shoppers: Shopper[] = await rolled.shoppers(20, "late");
  const calls = skus.flatMap((sku) => shoppers.map((late) => late.send(holdCall(SALE, sku, 1))));
  for (const answer of await Promise.all(calls)) expect(answer?.status).toBe(503);
}

async function changeGeneration(url: string): Promise<void> {
  const redis = new Redis(url);
  try {
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const tag = `p${String(partition).padStart(3, "0")}`;
      await redis.hset(`db:{${tag}}:fence`, "generation", "other");
    }
  } finally {
    redis.disconnect();
  }
}
