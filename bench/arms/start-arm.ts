// Starts an arm in fresh processes and knows how to end it.

import { join } from "node:path";

import { Redis } from "ioredis";

import { descendantsOf } from "../../test/support/cleanup.ts";
import { ServerProcess, temporaryFolder } from "../../test/support/process.ts";
import {
  freePort,
  startRedis,
  type TestPostgres,
  type TestRedis,
} from "../../test/support/servers.ts";
import { postgresBooks, redisBooks } from "../audit/rival-books.ts";
import {
  type ArmId,
  type ArmOptions,
  type Counters,
  NO_COUNTERS,
  REDIS_SETTINGS,
  type RunningArm,
} from "./arm.ts";
import type { RivalId, RivalSpec } from "./decider.ts";
import { type PostgresRival, stagePostgres } from "./rival-postgres.ts";
import { stageRedis } from "./rival-redis.ts";
import { stagedSkus } from "./stage.ts";
import { startDoorbuster } from "./start-doorbuster.ts";

/** Shared by all arms of a session, each in databases of its own: starting it takes a second. */
export type Services = { readonly postgres: TestPostgres };

type NewDatabase = () => Promise<string>;

let databases = 0;

/**
 * An arm's databases go with it: else their vacuum and their dirty pages are work in the windows of
 * the arms after it.
 */
export async function startArm(
  id: ArmId,
  options: ArmOptions,
  { postgres }: Services,
): Promise<RunningArm> {
  const own: string[] = [];
  const newDatabase = (): Promise<string> => {
    databases += 1;
    const name = `bench_${databases}`;
    own.push(name);
    return postgres.createDatabase(name);
  };
  const arm = await startIn(id, options, newDatabase, postgres.pid);
  return {
    ...arm,
    stop: async () => {
      await arm.stop();
      for (const name of own) await postgres.dropDatabase(name);
    },
  };
}

function startIn(
  id: ArmId,
  options: ArmOptions,
  newDatabase: NewDatabase,
  postgresPid: number,
): Promise<RunningArm> {
  switch (id) {
    case "bare":
      return startBare();
    case "doorbuster":
    case "doorbuster-embedded":
    case "doorbuster-2":
    case "doorbuster-2-affine":
      return startDoorbuster(id, options, newDatabase, postgresPid);
    case "redis-lua-fsync":
      return startRival("redis-lua", id, options, newDatabase, postgresPid);
    default:
      return startRival(id, id, options, newDatabase, postgresPid);
  }
}

export async function startProgram(
  name: string,
  file: string,
  args: readonly string[],
  port: number,
  env: Record<string, string> = {},
): Promise<ServerProcess> {
  const server = new ServerProcess(temporaryFolder("bench"), {
    name,
    args: [process.execPath, join(import.meta.dir, file), ...args],
    cwd: join(import.meta.dir, "..", ".."),
    env,
    isReady: async () => (await fetch(`http://127.0.0.1:${port}/livez`)).ok,
    stopSignal: "SIGTERM",
  });
  await server.start();
  return server;
}

async function startBare(): Promise<RunningArm> {
  const port = await freePort();
  const server = await startProgram("bare", "bare-server.ts", [String(port)], port);
  const pids = { server: [server.pid] };
  return {
    id: "bare",
    ports: [port],
    hotPorts: [port],
    pids: () => pids,
    counters: () => Promise.resolve(NO_COUNTERS),
    stored: null,
    report: null,
    books: null,
    output: () => server.output(),
    stop: () => server.kill(),
  };
}

/** AOF as each arm's class asks for; the rest as in production. */
const FSYNC = { "redis-lua-fsync": "always" } as Readonly<Partial<Record<ArmId, string>>>;

const NEEDS_REDIS = new Set<RivalId>(["redis-lua", "redis-decr-pg", "oversells"]);
const POSTGRES_ARMS: readonly RivalId[] = ["pg-lock", "pg-update", "pg-skip-locked"];

async function startRival(
  rival: RivalId,
  id: ArmId,
  options: ArmOptions,
  newDatabase: NewDatabase,
  postgresPid: number,
): Promise<RunningArm> {
  const skus = stagedSkus(options.stage);
  const isPostgres = POSTGRES_ARMS.includes(rival);
  let redis: TestRedis | null = null;
  let databaseUrl: string | null = null;
  if (NEEDS_REDIS.has(rival)) {
    const appendfsync = FSYNC[id] ?? "everysec";
    redis = await startRedis({ config: { ...REDIS_SETTINGS, appendfsync } });
    await stageRedis(redis.url, skus);
  }
  if (isPostgres || rival === "redis-decr-pg") {
    databaseUrl = await newDatabase();
    const staged = rival as PostgresRival | "redis-decr-pg";
    await stagePostgres(databaseUrl, staged, skus, options.stage.hotUnits);
  }
  const port = await freePort();
  const spec: RivalSpec = {
    id: rival,
    port,
    secret: options.secret,
    stage: options.stage,
    storeConnections: options.storeConnections,
    redisUrl: redis?.url ?? null,
    databaseUrl,
  };
  const env = options.logGc ? { BUN_JSC_logGC: "1" } : {};
  const args = [JSON.stringify(spec)];
  const server = await startProgram(id, "rival-server.ts", args, port, env);
  const serverPid = server.pid;
  const booksOf = async () => {
    if (isPostgres) {
      const { hotUnits } = options.stage;
      return postgresBooks(databaseUrl ?? "", rival as PostgresRival, skus, hotUnits);
    }
    return redisBooks(redis?.url ?? "", databaseUrl, skus);
  };
  return {
    id,
    ports: [port],
    hotPorts: [port],
    pids: () => ({
      server: [serverPid],
      ...(redis === null ? {} : { redis: [redis.pid] }),
      ...(databaseUrl === null ? {} : { postgres: withChildren(postgresPid) }),
    }),
    counters: async () => ({
      ...NO_COUNTERS,
      redisCommands: redis === null ? 0 : await redisCommandsOf(redis.url),
    }),
    // What Postgres has acknowledged is stored; what is in Redis alone is not.
    stored: databaseUrl === null ? null : () => Promise.resolve(),
    report: null,
    books: rival === "elysia" ? null : booksOf,
    output: () => server.output(),
    stop: async () => {
      await server.kill();
      await redis?.stop();
    },
  };
}

function withChildren(pid: number): readonly number[] {
  return [pid, ...descendantsOf(pid)];
}

/** Commands that Redis has run, those inside scripts among them. */
async function redisCommandsOf(url: string): Promise<Counters["redisCommands"]> {
  const redis = new Redis(url);
  try {
    const info = await redis.info("stats");
    return Number(/total_commands_processed:(\d+)/.exec(info)?.[1]);
  } finally {
    redis.disconnect();
  }
}
