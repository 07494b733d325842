// An engine on real servers: Redis, Postgres with a control database and two shards, the payment
// simulator, all on free loopback ports with temporary data.

import { startEngine, startSimulator, type TestProgram } from "./engine.ts";
import { startPostgres, startRedis } from "./servers.ts";

const WEBHOOK_SECRET = `whsec_${Buffer.from("w".repeat(32)).toString("base64")}`;

export type WorldOptions = {
  readonly jwtSecret?: string;
  readonly env?: Record<string, string>;
  /** For the engine's Bun, e.g. `["--cpu-prof"]`. */
  readonly bunArgs?: readonly string[];
};

export async function startServersEngine(options: WorldOptions = {}) {
  const [redis, postgres, simulator] = await Promise.all([
    startRedis(),
    startPostgres(),
    startSimulator({ env: { DOORBUSTER_PAYMENT_WEBHOOK_SECRET: WEBHOOK_SECRET } }),
  ]);
  const control = await postgres.createDatabase("control");
  const shards = [await postgres.createDatabase("shard0"), await postgres.createDatabase("shard1")];
  const env: Record<string, string> = {
    DOORBUSTER_REDIS_URL: redis.url,
    DOORBUSTER_CONTROL_DATABASE_URL: control,
    DOORBUSTER_SHARD_DATABASE_URLS: shards.join(","),
    DOORBUSTER_JWT_SECRET: options.jwtSecret ?? "test-secret-test-secret-test-secret",
    DOORBUSTER_PAYMENT_URL: simulator.url,
    DOORBUSTER_PAYMENT_WEBHOOK_SECRET: WEBHOOK_SECRET,
    DOORBUSTER_LOG_LEVEL: "warn",
    ...options.env,
  };
  await runCli(["migrate"], env);
  const made = JSON.parse(await runCli(["--json", "merchant", "create", "m", "--operator"], env));
  const apiKey = String(made.apiKey);
  const engine = await startEngine({ env, bunArgs: options.bunArgs ?? [] });
  return {
    redis,
    postgres,
    simulator,
    engine,
    env,
    apiKey,
    pids: { engine: engine.pid, redis: redis.pid },
    applySale: (sale: SmallSale) => applySale(engine, apiKey, sale),
    async audit(sale: string): Promise<string> {
      const headers = { authorization: `Bearer ${apiKey}` };
      const response = await fetch(`${engine.url}/v1/admin/sales/${sale}/report`, { headers });
      return response.text();
    },
    async stop(): Promise<void> {
      await engine.stop();
      await Promise.all([redis.stop(), postgres.stop(), simulator.stop()]);
    },
  };
}

export type SmallSale = {
  readonly sale: string;
  readonly skus: readonly { sku: string; stock: number; limit?: number; group?: string }[];
  readonly holdFor?: string;
  readonly payWithin?: string;
};

/** Opens a sale a minute ago for two hours. */
export async function applySale(engine: TestProgram, apiKey: string, small: SmallSale) {
  const instant = (offsetMs: number): string =>
    new Date(Date.now() + offsetMs).toISOString().slice(0, 19);
  const body = {
    sale: small.sale,
    title: "A sale",
    currency: "INR",
    timeZone: "UTC",
    startsAt: instant(-60_000),
    endsAt: instant(7_200_000),
    holdFor: small.holdFor ?? "5m",
    payWithin: small.payWithin ?? "10m",
    skus: small.skus.map(({ sku, stock, limit = 2 }) => ({
      sku,
      title: sku,
      price: "10.00",
      stock,
      limitPerShopper: limit,
    })),
  };
  const response = await fetch(`${engine.url}/v1/admin/sales/${small.sale}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`apply: ${response.status} ${await response.text()}`);
}

async function runCli(args: readonly string[], env: Record<string, string>): Promise<string> {
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
