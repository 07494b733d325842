// A cluster of engines on real servers: NATS, Redis, Postgres with two shards, the payment simulator.

import { PARTITIONS_DEFAULT } from "../../src/core/limits.ts";
import { type ProgramOptions, startEngine, startSimulator, type TestProgram } from "./engine.ts";
import { startNats, startPostgres, startRedis, type TestNats } from "./servers.ts";
import { applySale, type SmallSale } from "./world-of-servers.ts";

const WEBHOOK_SECRET = `whsec_${Buffer.from("w".repeat(32)).toString("base64")}`;
export const JWT_SECRET = "test-secret-test-secret-test-secret";

export type NodeRow = { nodeId: string; state: string; partitions: number };

export type WorldOfNodes = Awaited<ReturnType<typeof startNodes>>;

/** Starts the servers and `count` engines, node-1 first; each is ready when this resolves. */
export async function startNodes(options: {
  readonly count: number;
  readonly partitions?: number;
  readonly env?: Record<string, string>;
  /** Another world's, that stays its own. */
  readonly nats?: TestNats;
}) {
  const [redis, postgres, nats, simulator] = await Promise.all([
    startRedis(),
    startPostgres(),
    options.nats ?? startNats(),
    startSimulator({ env: { DOORBUSTER_PAYMENT_WEBHOOK_SECRET: WEBHOOK_SECRET } }),
  ]);
  const control = await postgres.createDatabase("control");
  const shards = [await postgres.createDatabase("shard0"), await postgres.createDatabase("shard1")];
  const env: Record<string, string> = {
    DOORBUSTER_REDIS_URL: redis.url,
    DOORBUSTER_NATS_URL: nats.url,
    DOORBUSTER_CONTROL_DATABASE_URL: control,
    DOORBUSTER_SHARD_DATABASE_URLS: shards.join(","),
    DOORBUSTER_JWT_SECRET: JWT_SECRET,
    DOORBUSTER_PAYMENT_URL: simulator.url,
    DOORBUSTER_PAYMENT_WEBHOOK_SECRET: WEBHOOK_SECRET,
    ...(options.partitions === undefined
      ? {}
      : { DOORBUSTER_PARTITIONS: String(options.partitions) }),
    ...options.env,
  };
  await doorbuster(["migrate"], env);
  const created = ["--json", "merchant", "create", "m", "--operator"];
  const { apiKey } = JSON.parse(await doorbuster(created, env)) as { apiKey: string };
  const startNode = (
    nodeId: string,
    extra: Record<string, string> = {},
    program: Omit<ProgramOptions, "env"> = {},
  ): Promise<TestProgram> =>
    startEngine({ ...program, env: { ...env, DOORBUSTER_NODE_ID: nodeId, ...extra } });
  const nodes: TestProgram[] = [];
  for (let index = 1; index <= options.count; index++) nodes.push(await startNode(`node-${index}`));
  const headers = { authorization: `Bearer ${apiKey}` };
  const partitions = options.partitions ?? PARTITIONS_DEFAULT;
  const members = async (at: TestProgram): Promise<readonly NodeRow[]> => {
    const response = await fetch(`${at.url}/v1/admin/nodes`, { headers });
    return ((await response.json()) as { items: NodeRow[] }).items;
  };
  return {
    redis,
    postgres,
    nats,
    simulator,
    env,
    controlUrl: control,
    shardUrls: shards,
    partitions,
    apiKey,
    nodes,
    startNode,
    doorbuster: (args: readonly string[]) => doorbuster(args, env),
    applySale: (at: TestProgram, sale: SmallSale) => applySale(at, apiKey, sale),
    /** The members as a node sees them. */
    members,
    /** So many are members, every partition has an owner that serves it, and every node sees so. */
    async isWhole(nodeCount: number): Promise<boolean> {
      for (const node of nodes) {
        const rows = await members(node).catch(() => []);
        const owned = rows.reduce((sum, row) => sum + row.partitions, 0);
        if (rows.length !== nodeCount || owned !== partitions) return false;
      }
      return true;
    },
    /** Engines of `nodes` that run are stopped first. */
    async stop(): Promise<void> {
      await Promise.all(nodes.map((node) => node.stop()));
      await Promise.all([redis.stop(), postgres.stop(), simulator.stop()]);
      if (options.nats === undefined) await nats.stop();
    },
  };
}

/** Runs the CLI; throws what it wrote when it fails. */
async function doorbuster(args: readonly string[], env: Record<string, string>): Promise<string> {
  const run = Bun.spawn([process.execPath, "src/cli/main.ts", ...args], {
    cwd: `${import.meta.dir}/../..`,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors] = await Promise.all([
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
  ]);
  if ((await run.exited) !== 0) throw new Error(`doorbuster ${args.join(" ")}: ${errors}`);
  return output;
}
