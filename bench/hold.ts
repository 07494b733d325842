// The whole engine under a stampede on one hot SKU: accepted holds a second, with Redis at
// `appendfsync always` and the ledger in Postgres, and refusals a second once it is sold out, beside
// `bare` (Bun.serve, same path and body, awaits req.json(), no token, constant answer).
//
//   bun bench/hold.ts [seconds]
//
// Starts its own servers on free loopback ports and ends them. wrk sends distinct signed tokens of
// distinct shoppers. Prints CPU time of each process for each request: on a shared machine that is
// steadier than a rate.

import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServersEngine } from "../test/support/world-of-servers.ts";

const SALE = "drop";
const CONNECTIONS = 512;
const SECONDS = Number(process.argv[2] ?? 8);
const TOKENS = 60_000 * SECONDS;

const LUA = `
local tokens = {}
for line in io.lines(os.getenv("TOKENS_FILE")) do tokens[#tokens + 1] = line end
local n = tonumber(os.getenv("TOKEN_FROM") or "0")
local head = "PUT " .. os.getenv("TARGET_PATH") .. " HTTP/1.1\\r\\nHost: localhost\\r\\nAuthorization: Bearer "
local tail = "\\r\\nContent-Type: application/json\\r\\nContent-Length: 14\\r\\n\\r\\n{\\"quantity\\":1}"
request = function()
  n = n % #tokens + 1
  return head .. tokens[n] .. tail
end
`;

function mint(secret: string, shopper: string, nowS: number): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const ours = { aud: "doorbuster", iss: "doorbuster", jti: crypto.randomUUID() };
  const body = { ...ours, sub: shopper, role: "shopper", exp: nowS + 3_600, iat: nowS };
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(body)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

async function cpuMsOf(pid: number): Promise<number> {
  const stat = await Bun.file(`/proc/${pid}/stat`).text();
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

type Load = { readonly url: string; readonly path: string; readonly folder: string };

async function wrk(load: Load, seconds: number): Promise<string> {
  const run = Bun.spawn(
    [
      "wrk",
      "-t1",
      `-c${CONNECTIONS}`,
      `-d${seconds}s`,
      "--latency",
      "-s",
      join(load.folder, "hold.lua"),
      load.url,
    ],
    {
      stdout: "pipe",
      stderr: "inherit",
      env: {
        PATH: process.env["PATH"] ?? "",
        TOKENS_FILE: join(load.folder, "tokens.txt"),
        TARGET_PATH: load.path,
      },
    },
  );
  return new Response(run.stdout).text();
}

async function measure(
  name: string,
  load: Load,
  pids: Readonly<Record<string, number>>,
): Promise<number> {
  const before = await Promise.all(Object.values(pids).map(cpuMsOf));
  const report = await wrk(load, SECONDS);
  const after = await Promise.all(Object.values(pids).map(cpuMsOf));
  const count = Number(/(\d+) requests in/.exec(report)?.[1]);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(report)?.[1]);
  const p99 = /99%\s+(\S+)/.exec(report)?.[1] ?? "?";
  const other = /Non-2xx or 3xx responses: (\d+)/.exec(report)?.[1] ?? "0";
  const cpu = Object.keys(pids)
    .map(
      (pid, index) => `${pid} ${(((after[index]! - before[index]!) * 1_000) / count).toFixed(1)}`,
    )
    .join(", ");
  console.log(
    `${name.padEnd(9)} ${rate.toFixed(0).padStart(7)}/s  p99 ${p99.padStart(8)}  ` +
      `other than 2xx: ${other}  µs CPU each: ${cpu}`,
  );
  return rate;
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "doorbuster-bench-"));
  const secret = "bench-secret-bench-secret-bench-secret";
  const world = await startServersEngine({ jwtSecret: secret });
  const bare = Bun.spawn([process.execPath, import.meta.path, "bare"], { stdout: "pipe" });
  try {
    const nowS = Math.floor(Date.now() / 1_000);
    const tokens: string[] = [];
    for (let index = 0; index < TOKENS; index++)
      tokens.push(mint(secret, `shopper-${index}`, nowS));
    await Bun.write(join(folder, "hold.lua"), LUA);
    await Bun.write(join(folder, "tokens.txt"), tokens.join("\n"));
    await world.applySale({
      sale: SALE,
      skus: [
        { sku: "hot", stock: 900_000_000 },
        { sku: "gone", stock: 0 },
      ],
    });
    const { value } = await bare.stdout.getReader().read();
    const bareUrl = `http://127.0.0.1:${new TextDecoder().decode(value).trim()}`;
    const path = (sku: string): string => `/v1/sales/${SALE}/skus/${sku}/hold`;
    const engine = { url: world.engine.url, folder };
    const bareRate = await measure(
      "bare",
      { url: bareUrl, path: path("hot"), folder },
      { bare: bare.pid },
    );
    const accepted = await measure("accepted", { ...engine, path: path("hot") }, world.pids);
    const refused = await measure("refused", { ...engine, path: path("gone") }, world.pids);
    console.log(
      `accepted/bare ${(accepted / bareRate).toFixed(2)}  refused/bare ${(refused / bareRate).toFixed(2)}`,
    );
    console.log(await world.audit(SALE));
    const metrics = await (await fetch(`${world.engine.url}/metrics`)).text();
    const metric = (name: string): number =>
      Number(new RegExp(`^${name} (.*)$`, "m").exec(metrics)?.[1]);
    const commits = metric("doorbuster_batch_answers_count");
    const answers = metric("doorbuster_batch_answers_sum");
    const tookS = metric("doorbuster_commit_duration_seconds_sum");
    console.log(
      `commits ${commits}  answers each ${(answers / commits).toFixed(1)}  ` +
        `${((tookS / commits) * 1_000).toFixed(2)} ms each  ` +
        `ledger lag ${metric("doorbuster_ledger_lag_batches")} batches`,
    );
  } finally {
    bare.kill("SIGKILL");
    await bare.exited;
    await world.stop();
    await rm(folder, { recursive: true });
  }
}

if (process.argv[2] === "bare") {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    routes: {
      "/v1/sales/:sale/skus/:sku/hold": {
        PUT: async (request) => {
          await request.json();
          return new Response('{"held":true}', { headers: { "content-type": "application/json" } });
        },
      },
    },
    fetch: () => new Response(null, { status: 404 }),
  });
  console.log(server.port);
} else await main();
