// Everything a sale needs, as real processes: the engine, the payment simulator and, on servers,
// Redis and Postgres. One world is one shop with data of its own.

import { Database } from "bun:sqlite";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { createTokens } from "../../src/http/tokens/tokens.ts";
import { startEngine, startSimulator, type TestProgram } from "./engine.ts";
import { History } from "./history.ts";
import { freePort } from "./ports.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { RawClient } from "./raw-client.ts";
import { startRedis, type TestRedis } from "./redis.ts";
import { Shopper } from "./shoppers.ts";
import { ROOT } from "./tidy/source.ts";

export type Mode = "embedded" | "servers";
export const MODES: readonly Mode[] = ["embedded", "servers"];

export const JWT_SECRET = "a-secret-of-the-tests-a-secret-of-the-tests";
export const WEBHOOK_SECRET = `whsec_${Buffer.from("w".repeat(32)).toString("base64")}`;
const PRICE = "10.00";
export const PRICE_MINOR = 1_000;

export type WorldOptions = {
  /** The control database and each shard on a server of its own, so that one can be killed. */
  readonly separateDatabases?: boolean;
  /** False: the gateway tells nothing by itself; an engine that waits has to ask. */
  readonly events?: boolean;
  readonly env?: Record<string, string>;
  readonly bunArgs?: readonly string[];
};

export type Servers = {
  readonly redis: TestRedis;
  /** One server for all databases, or: control, shard 0, shard 1. */
  readonly postgres: readonly TestPostgres[];
  readonly controlUrl: string;
  readonly shardUrls: readonly string[];
};

export type SaleWish = {
  readonly sale: string;
  readonly skus: readonly { sku: string; stock: number; limit?: number; group?: string }[];
  readonly holdFor?: string;
  readonly payWithin?: string;
  /** From now; a minute ago when absent. */
  readonly startsInMs?: number;
  readonly title?: string;
  readonly groups?: Record<string, { limitPerShopper: number }>;
};

export type AdminAnswer = {
  readonly status: number;
  readonly etag: string | null;
  readonly text: string;
};

export type SkuReport = {
  readonly sku: string;
  readonly released: number;
  readonly available: number;
  readonly held: number;
  readonly paying: number;
  readonly sold: number;
};

export type Report = {
  readonly skus: readonly SkuReport[];
  readonly orders: Readonly<Record<string, number>>;
};

/** Starts it all and waits until the engine is ready. */
export async function startWorld(mode: Mode, options: WorldOptions = {}): Promise<World> {
  const port = await freePort();
  const webhookUrl = `http://127.0.0.1:${port}/v1/payments/events`;
  const [simulator, servers] = await Promise.all([
    startSimulator({
      env: {
        DOORBUSTER_PAYMENT_WEBHOOK_SECRET: WEBHOOK_SECRET,
        ...((options.events ?? true) ? { DOORBUSTER_SIMULATOR_WEBHOOK_URL: webhookUrl } : {}),
      },
    }),
    mode === "servers" ? startServers(options.separateDatabases ?? false) : null,
  ]);
  const env: Record<string, string> = {
    DOORBUSTER_JWT_SECRET: JWT_SECRET,
    DOORBUSTER_PAYMENT_URL: simulator.url,
    DOORBUSTER_PAYMENT_WEBHOOK_SECRET: WEBHOOK_SECRET,
    DOORBUSTER_LOG_LEVEL: "warn",
    ...(servers === null ? {} : environmentOf(servers)),
    ...options.env,
  };
  let apiKey = "";
  if (servers !== null) {
    await runCli(["migrate"], env);
    const made = await runCli(["--json", "merchant", "create", "m", "--operator"], env);
    apiKey = String(JSON.parse(made).apiKey);
  }
  const world = { probe: "/readyz" as "/readyz" | "/livez" };
  const engine = await startEngine({
    env,
    port,
    bunArgs: options.bunArgs ?? [],
    probe: () => world.probe,
  });
  if (servers === null) apiKey = readFileSync(join(engine.dataDir, "merchant.key"), "utf8").trim();
  return new World({ mode, engine, simulator, servers, env, apiKey, probe: world });
}

export class World {
  readonly mode: Mode;
  readonly engine: TestProgram;
  readonly simulator: TestProgram;
  readonly servers: Servers | null;
  readonly env: Readonly<Record<string, string>>;
  readonly apiKey: string;
  readonly client: RawClient;
  readonly history = new History();
  readonly #probe: { probe: "/readyz" | "/livez" };
  readonly #tokens = createTokens({
    secret: JWT_SECRET,
    clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
  });

  constructor(parts: {
    mode: Mode;
    engine: TestProgram;
    simulator: TestProgram;
    servers: Servers | null;
    env: Record<string, string>;
    apiKey: string;
    probe: { probe: "/readyz" | "/livez" };
  }) {
    this.mode = parts.mode;
    this.engine = parts.engine;
    this.simulator = parts.simulator;
    this.servers = parts.servers;
    this.env = parts.env;
    this.apiKey = parts.apiKey;
    this.#probe = parts.probe;
    this.client = new RawClient({ port: parts.engine.port });
  }

  /** The servers of a world that has them. */
  get on(): Servers {
    if (this.servers === null) throw new Error("an embedded world has no servers");
    return this.servers;
  }

  /** From now on an engine has started when it lives, ready or not. */
  expectUnready(): void {
    this.#probe.probe = "/livez";
  }

  async token(shopper: string): Promise<string> {
    return (await this.#tokens.sign(shopper)).accessToken;
  }

  async shopper(id: string, client: RawClient = this.client): Promise<Shopper> {
    return new Shopper({ id, token: await this.token(id), client, history: this.history });
  }

  shoppers(count: number, prefix = "shopper"): Promise<Shopper[]> {
    return Promise.all(
      Array.from({ length: count }, (_, index) => this.shopper(`${prefix}-${index}`)),
    );
  }

  async admin(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<AdminAnswer> {
    const response = await fetch(`${this.engine.url}/v1/admin${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.apiKey}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { status } = response;
    return { status, etag: response.headers.get("etag"), text: await response.text() };
  }

  /** Applies a sale that is there with all its SKUs when this resolves. */
  async openSale(wish: SaleWish): Promise<void> {
    const file = saleFileOf(wish);
    await until(`sale ${wish.sale} is applied`, async () => {
      const { status, text } = await this.admin("PUT", `/sales/${wish.sale}`, file);
      // On a busy machine it may still be on its way, or unknown: the same again says.
      if (status >= 400 && status < 500) throw new Error(`apply: ${status} ${text}`);
      return status === 200 || status === 201;
    });
  }

  async report(sale: string): Promise<Report> {
    const { status, text } = await this.admin("GET", `/sales/${sale}/report`);
    if (status !== 200) throw new Error(`report: ${status} ${text}`);
    return JSON.parse(text);
  }

  /** The report of a sale's only SKU, or of the one named. */
  async counts(sale: string, sku?: string): Promise<SkuReport> {
    const { skus } = await this.report(sale);
    const found = sku === undefined ? skus[0] : skus.find((one) => one.sku === sku);
    if (found === undefined) throw new Error(`no SKU ${sku ?? ""} in the report of ${sale}`);
    return found;
  }

  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.engine.url}/metrics`)).text();
    const line = text.split("\n").find((one) => one.startsWith(`${name} `));
    if (line === undefined) throw new Error(`no metric ${name}`);
    return Number(line.slice(name.length + 1));
  }

  async readiness(): Promise<{ status: number; text: string }> {
    const response = await fetch(`${this.engine.url}/readyz`);
    return { status: response.status, text: await response.text() };
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.engine.stop();
    await this.simulator.stop();
    if (this.servers === null) return;
    const { redis, postgres } = this.servers;
    await Promise.all([redis.stop(), ...postgres.map((server) => server.stop())]);
  }

  /** Reads one of an embedded engine's files. The journal is free only after the engine's end. */
  readFile<T>(name: "shop.sqlite" | "journal.sqlite", read: (database: Database) => T): T {
    const database = new Database(join(this.engine.dataDir, name), { readwrite: true });
    try {
      return read(database);
    } finally {
      database.close();
    }
  }
}

/** The sale file as JSON. */
export function saleFileOf(wish: SaleWish) {
  const { sale, skus, holdFor = "5m", payWithin = "10m", startsInMs = -60_000 } = wish;
  const startsAtMs = Math.floor((Date.now() + startsInMs) / 1_000) * 1_000;
  const instant = (atMs: number): string => new Date(atMs).toISOString().slice(0, 19);
  return {
    sale,
    title: wish.title ?? "A sale",
    currency: "INR",
    timeZone: "UTC",
    startsAt: instant(startsAtMs),
    endsAt: instant(startsAtMs + 7_200_000),
    holdFor,
    payWithin,
    ...(wish.groups === undefined ? {} : { groups: wish.groups }),
    skus: skus.map(({ sku, stock, limit = 2, group }) => ({
      sku,
      title: sku,
      price: PRICE,
      stock,
      limitPerShopper: limit,
      ...(group === undefined ? {} : { group }),
    })),
  };
}

/** Polls until `look` says true; `what` names what never came. */
export async function until(
  what: string,
  look: () => boolean | Promise<boolean>,
  withinMs = 20_000,
): Promise<void> {
  const startedMs = performance.now();
  while (!(await look())) {
    if (performance.now() - startedMs > withinMs) throw new Error(`never came: ${what}`);
    await Bun.sleep(20);
  }
}

export async function runCli(
  args: readonly string[],
  env: Record<string, string>,
): Promise<string> {
  const run = Bun.spawn([process.execPath, "src/cli/main.ts", ...args], {
    cwd: ROOT,
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

async function startServers(separateDatabases: boolean): Promise<Servers> {
  const [redis, ...postgres] = await Promise.all([
    startRedis(),
    ...Array.from({ length: separateDatabases ? 3 : 1 }, () => startPostgres()),
  ]);
  const [first] = postgres;
  const [, second = first, third = first] = postgres;
  if (first === undefined || second === undefined || third === undefined) {
    throw new Error("no Postgres");
  }
  const controlUrl = await first.createDatabase("control");
  const shardUrls = [await second.createDatabase("shard0"), await third.createDatabase("shard1")];
  return { redis, postgres, controlUrl, shardUrls };
}

function environmentOf({ redis, controlUrl, shardUrls }: Servers): Record<string, string> {
  return {
    DOORBUSTER_REDIS_URL: redis.url,
    DOORBUSTER_CONTROL_DATABASE_URL: controlUrl,
    DOORBUSTER_SHARD_DATABASE_URLS: shardUrls.join(","),
  };
}
