// Doorbuster as operators run it: src/main.ts with its environment, all projections on.

import { Database } from "bun:sqlite";
import { join } from "node:path";

import { Redis } from "ioredis";
import postgres from "postgres";

import { PARTITIONS_DEFAULT } from "../../src/core/limits.ts";
import { descendantsOf, remember } from "../../test/support/cleanup.ts";
import {
  startEngine,
  StartFailure,
  startNats,
  startRedis,
  startSimulator,
  type TestNats,
  type TestProgram,
  type TestRedis,
} from "../../test/support/servers.ts";
import { applySale } from "../../test/support/world-of-servers.ts";
import { until } from "../../test/support/world.ts";
import { doorbusterBooks, type ReportedSku, type StoredBatch } from "../audit/doorbuster-books.ts";
import {
  type ArmOptions,
  ArmSkipped,
  type Counters,
  REDIS_SETTINGS,
  type RunningArm,
  SALE,
} from "./arm.ts";
import { ownerOf } from "./owner-of.ts";
import { stagedKey, stagedSkus } from "./stage.ts";

export type DoorbusterId =
  "doorbuster" | "doorbuster-embedded" | "doorbuster-2" | "doorbuster-2-affine";

const WEBHOOK_SECRET = `whsec_${Buffer.from("w".repeat(32)).toString("base64")}`;
const STORED_WITHIN_MS = 60_000;
const ROOT = join(import.meta.dir, "..", "..");

/** What an engine stands on; all null for the embedded one. */
type Ground = {
  readonly redis: TestRedis | null;
  readonly nats: TestNats | null;
  readonly simulator: TestProgram | null;
  readonly shards: readonly string[];
};

export async function startDoorbuster(
  id: DoorbusterId,
  options: ArmOptions,
  newDatabase: () => Promise<string>,
  postgresPid: number,
): Promise<RunningArm> {
  const gc: Record<string, string> = options.logGc ? { BUN_JSC_logGC: "1" } : {};
  const env = { DOORBUSTER_LOG_LEVEL: "warn", DOORBUSTER_JWT_SECRET: options.secret, ...gc };
  const world =
    id === "doorbuster-embedded"
      ? await startEmbedded(env)
      : await startOnServers(id, env, newDatabase);
  const { engines, apiKey, ground } = world;
  const first = engines[0] as TestProgram;
  const skus = stagedSkus(options.stage);
  await applySale(first, apiKey, { sale: SALE, skus, holdFor: options.holdFor, payWithin: "60m" });
  const enginePids = engines.map(({ pid }) => pid);
  const ports = engines.map(({ port }) => port);
  const hotPorts =
    id === "doorbuster-2-affine" ? [ports[await ownerOfHot(world)] as number] : ports;
  const stored = () => everythingStored(engines);
  return {
    id,
    ports: id === "doorbuster-2-affine" ? hotPorts : ports,
    hotPorts,
    pids: () => ({
      server: enginePids,
      ...(ground.redis === null ? {} : { redis: [ground.redis.pid] }),
      ...(ground.redis === null ? {} : { postgres: [postgresPid, ...descendantsOf(postgresPid)] }),
      ...(ground.nats === null ? {} : { nats: [ground.nats.pid] }),
      ...(ground.simulator === null ? {} : { gateway: [ground.simulator.pid] }),
    }),
    counters: () => countersOf(engines, ground.redis),
    stored,
    report: async () => (await reportOf(first, apiKey)).skus,
    books: async () => {
      await stored();
      const reported = await reportOf(first, apiKey);
      await Promise.all(engines.map((engine) => engine.end()));
      const batches =
        ground.redis === null
          ? sqliteBatches(join(first.dataDir, "shop.sqlite"))
          : await postgresBatches(ground.shards);
      return doorbusterBooks(batches, reported.skus, reported.orders);
    },
    output: () => engines.map((engine) => engine.output()).join(""),
    stop: async () => {
      await Promise.all(engines.map((engine) => engine.kill()));
      await Promise.all(engines.map((engine) => engine.stop()));
      const { redis, nats, simulator } = ground;
      await Promise.all([redis?.stop(), nats?.stop(), simulator?.stop()]);
    },
  };
}

type World = {
  readonly engines: readonly TestProgram[];
  readonly apiKey: string;
  readonly ground: Ground;
};

async function startEmbedded(env: Record<string, string>): Promise<World> {
  const engine = await startEngine({ env });
  const apiKey = (await Bun.file(join(engine.dataDir, "merchant.key")).text()).trim();
  return {
    engines: [engine],
    apiKey,
    ground: { redis: null, nats: null, simulator: null, shards: [] },
  };
}

async function startOnServers(
  id: DoorbusterId,
  extra: Record<string, string>,
  newDatabase: () => Promise<string>,
): Promise<World> {
  const isCluster = id !== "doorbuster";
  const [redis, nats, simulator, control, ...shards] = await Promise.all([
    startRedis({ config: REDIS_SETTINGS }),
    isCluster ? startNats() : null,
    startSimulator({ env: { DOORBUSTER_PAYMENT_WEBHOOK_SECRET: WEBHOOK_SECRET } }),
    newDatabase(),
    newDatabase(),
    newDatabase(),
  ]);
  const ground: Ground = { redis, nats, simulator, shards };
  const env: Record<string, string> = {
    DOORBUSTER_REDIS_URL: redis.url,
    DOORBUSTER_CONTROL_DATABASE_URL: control,
    DOORBUSTER_SHARD_DATABASE_URLS: shards.join(","),
    DOORBUSTER_PAYMENT_URL: simulator.url,
    DOORBUSTER_PAYMENT_WEBHOOK_SECRET: WEBHOOK_SECRET,
    ...(nats === null ? {} : { DOORBUSTER_NATS_URL: nats.url }),
    ...extra,
  };
  await runCli(["migrate"], env);
  const made = JSON.parse(
    await runCli(["--json", "merchant", "create", "m", "--operator"], env),
  ) as { apiKey: string };
  const names = isCluster ? NODES : NODES.slice(0, 1);
  try {
    const engines = await Promise.all(
      names.map((name) => startEngine({ env: { ...env, DOORBUSTER_NODE_ID: name } })),
    );
    return { engines, apiKey: made.apiKey, ground };
  } catch (cause) {
    await Promise.all([redis.stop(), nats?.stop(), simulator.stop()]);
    if (!isCluster || !(cause instanceof StartFailure)) throw cause;
    const reason = /Error: (.*)|"msg":"([^"]*)"/.exec(cause.output)?.[0] ?? cause.output;
    throw new ArmSkipped(`a cluster does not start: ${reason.slice(0, 200)}`);
  }
}

const NODES = ["node-1", "node-2"] as const;

/** The index of the node that decides the hot SKU, once both have their share. */
async function ownerOfHot({ engines, apiKey, ground }: World): Promise<number> {
  if (ground.nats === null) throw new Error("one node owns all");
  const share = PARTITIONS_DEFAULT / NODES.length;
  await until("both nodes have their share", async () => {
    for (const engine of engines) {
      const headers = { authorization: `Bearer ${apiKey}` };
      const answer = await fetch(`${engine.url}/v1/admin/nodes`, { headers });
      const { items } = (await answer.json()) as { items: readonly { partitions: number }[] };
      if (!items.every(({ partitions }) => partitions === share)) return false;
    }
    return true;
  });
  const hot = { sale: SALE, sku: "hot", partitions: PARTITIONS_DEFAULT };
  const owner = await ownerOf(ground.nats.url, hot);
  return NODES.findIndex((name) => name === owner);
}

async function runCli(args: readonly string[], env: Record<string, string>): Promise<string> {
  const run = Bun.spawn([process.execPath, join(ROOT, "src/cli/main.ts"), ...args], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  remember(run, () => run.kill("SIGKILL"));
  const [output, errors] = await Promise.all([
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
  ]);
  if ((await run.exited) !== 0) throw new Error(`doorbuster ${args.join(" ")}: ${errors}`);
  return output;
}

async function metricsOf(engine: TestProgram): Promise<(name: string) => number> {
  const text = await (await fetch(`${engine.url}/metrics`)).text();
  return (name) => {
    const value = new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1];
    if (value === undefined) throw new Error(`no ${name} in the metrics`);
    return Number(value);
  };
}

async function countersOf(
  engines: readonly TestProgram[],
  redis: TestRedis | null,
): Promise<Counters> {
  const metrics = await Promise.all(engines.map(metricsOf));
  const sum = (name: string): number => metrics.reduce((total, read) => total + read(name), 0);
  return {
    redisCommands: redis === null ? 0 : await commandsOf(redis.url),
    commits: sum("doorbuster_batch_answers_count"),
    committedAnswers: sum("doorbuster_batch_answers_sum"),
  };
}

async function commandsOf(url: string): Promise<number> {
  const redis = new Redis(url);
  try {
    return Number(/total_commands_processed:(\d+)/.exec(await redis.info("stats"))?.[1]);
  } finally {
    redis.disconnect();
  }
}

async function everythingStored(engines: readonly TestProgram[]): Promise<void> {
  const endMs = performance.now() + STORED_WITHIN_MS;
  for (;;) {
    const metrics = await Promise.all(engines.map(metricsOf));
    if (metrics.every((read) => read("doorbuster_ledger_lag_batches") === 0)) return;
    if (performance.now() > endMs) throw new Error("the ledger is not stored after a minute");
    await Bun.sleep(20);
  }
}

type Report = {
  readonly skus: readonly ReportedSku[];
  readonly orders: Readonly<Record<string, number>>;
};

async function reportOf(engine: TestProgram, apiKey: string): Promise<Report> {
  const response = await fetch(`${engine.url}/v1/admin/sales/${SALE}/report`, {
    headers: { authorization: `Bearer ${apiKey}` },
  });
  if (!response.ok) throw new Error(`report: ${response.status} ${await response.text()}`);
  const { skus, orders } = (await response.json()) as {
    skus: (Omit<ReportedSku, "skuKey"> & { sku: string })[];
    orders: Record<string, number>;
  };
  return { skus: skus.map((sku) => ({ ...sku, skuKey: stagedKey(sku.sku) })), orders };
}

async function postgresBatches(shards: readonly string[]): Promise<StoredBatch[]> {
  const found: StoredBatch[] = [];
  for (const url of shards) {
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    try {
      const rows = await sql<{ partition: number; seq: string; bytes: string }[]>`
        select partition, seq, bytes from ledger order by partition, seq`;
      for (const { partition, seq, bytes } of rows) {
        found.push({ partition, seq: Number(seq), bytes });
      }
    } finally {
      await sql.end();
    }
  }
  return found.sort((a, b) => a.partition - b.partition || a.seq - b.seq);
}

function sqliteBatches(path: string): StoredBatch[] {
  const database = new Database(path, { readonly: true });
  try {
    return database
      .query<StoredBatch, []>(
        'select "partition", seq, bytes from ledger order by "partition", seq',
      )
      .all();
  } finally {
    database.close();
  }
}
