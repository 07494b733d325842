// Holds in Redis, a request at a time. ioredis with automatic pipelining: all that one turn of the
// event loop asks for leaves as one write, which also lets Redis sync its file once for all of it.
// What is asked for on a connection meanwhile waits for the answers, so there are several of them.

import { Redis } from "ioredis";
import postgres from "postgres";

import type { Ask, Decider, Verdict } from "./decider.ts";
import { stagedKey, type StagedSku } from "./stage.ts";

export type RedisRival = "redis-lua" | "redis-decr-pg" | "oversells";

/** What a hold does: stock, holder, a stream entry for whatever stores orders behind it. */
const HOLD_LUA = `
-- KEYS stock, holders, stream; ARGV shopper, quantity, deadline. 1 new, 0 had it, -1 sold out.
local left = tonumber(redis.call('GET', KEYS[1])) or 0
local quantity = tonumber(ARGV[2])
if left < quantity then
  if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return 0 end
  return -1
end
if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2] .. ':' .. ARGV[3]) == 0 then return 0 end
redis.call('DECRBY', KEYS[1], quantity)
redis.call('XADD', KEYS[3], '*', 's', ARGV[1], 'q', ARGV[2])
return 1`;

export function redisKeys(skuKey: string): [stock: string, holders: string, stream: string] {
  return [`stock:${skuKey}`, `holders:${skuKey}`, `orders:${skuKey}`];
}

export async function stageRedis(url: string, skus: readonly StagedSku[]): Promise<void> {
  const redis = new Redis(url);
  try {
    for (let from = 0; from < skus.length; from += 2_000) {
      const pipeline = redis.pipeline();
      for (const { sku, stock } of skus.slice(from, from + 2_000)) {
        pipeline.set(redisKeys(stagedKey(sku))[0], stock);
      }
      await pipeline.exec();
    }
  } finally {
    redis.disconnect();
  }
}

/** `connections` are to Redis, but to Postgres for the rival whose orders go there one by one. */
export function redisDecider(
  id: RedisRival,
  options: { redisUrl: string; databaseUrl: string | null; connections: number },
): Decider {
  const { redisUrl, databaseUrl, connections } = options;
  const open = () => new Redis(redisUrl, { enableAutoPipelining: true });
  if (id === "redis-lua") return scripted(Array.from({ length: connections }, open));
  const redis = open();
  if (id === "oversells") return (ask) => readThenWrite(redis, ask);
  const sql = postgres(databaseUrl ?? "", { max: connections, onnotice: () => {} });
  return (ask) => decrementThenInsert(redis, sql, ask);
}

/** By turns: a connection that waits for its answers sends nothing, and the next one does. */
function scripted(connections: readonly Redis[]): Decider {
  const loaded = connections[0]!.script("LOAD", HOLD_LUA) as Promise<string>;
  let sha: string | null = null;
  let turn = 0;
  return async ({ skuKey, shopper, quantity, deadlineMs }) => {
    sha ??= await loaded;
    turn = (turn + 1) % connections.length;
    const redis = connections[turn]!;
    const [stock, holders, stream] = redisKeys(skuKey);
    const code = await redis.evalsha(sha, 3, stock, holders, stream, shopper, quantity, deadlineMs);
    return code === 1 ? "new" : code === 0 ? "same" : "sold_out";
  };
}

/** The tutorial: count down, put back what was too much, then store. Not atomic, by design. */
async function decrementThenInsert(redis: Redis, sql: postgres.Sql, ask: Ask): Promise<Verdict> {
  const { skuKey, shopper, quantity, deadlineMs } = ask;
  const [stock] = redisKeys(skuKey);
  if ((await redis.decrby(stock, quantity)) < 0) {
    await redis.incrby(stock, quantity);
    return "sold_out";
  }
  const rows = await sql`
    insert into holds values (${skuKey}, ${shopper}, ${quantity}, ${deadlineMs})
    on conflict do nothing returning 1`;
  if (rows.length === 1) return "new";
  await redis.incrby(stock, quantity);
  return "same";
}

/** Reads, decides, writes, with awaits between: sells what is not there. */
async function readThenWrite(redis: Redis, ask: Ask): Promise<Verdict> {
  const { skuKey, shopper, quantity } = ask;
  const [stock, holders] = redisKeys(skuKey);
  if (Number(await redis.get(stock)) < quantity) return "sold_out";
  await redis.decrby(stock, quantity);
  await redis.hset(holders, shopper, quantity);
  return "new";
}
