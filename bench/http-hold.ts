// The HTTP side of a stampede alone: PUT …/hold over a stock that answers from memory, against
// `bare`, a Bun.serve route with the same path and body that awaits req.json(), checks no token and
// answers a constant. Each server is a process of its own; wrk sends distinct tokens.
//
//   bun bench/http-hold.ts [seconds]
//
// Arms are interleaved and the best of the rounds counts: the machine is shared. Where wrk is the
// slower side the rates are its own; CPU time of the server for each request tells the arms apart.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Stock } from "../src/core/ports/stock.ts";
import type { Command, HoldOutcome, OutcomeOf } from "../src/core/stock/command.ts";
import { serve } from "../src/http/serve.ts";
import { createTokens } from "../src/http/tokens/tokens.ts";
import { fakeApp, SECRET, systemClock } from "../test/support/http-fakes.ts";

const PATH = "/v1/sales/drop/skus/phone/hold";
const TOKENS = 20_000;
const ROUNDS = 3;
/** `routed` is `accepted` through Elysia's router instead of a raw Bun route. */
const ARMS = ["bare", "accepted", "routed", "refused", "refused_early"] as const;
type Arm = (typeof ARMS)[number];

const SECONDS = Number(process.argv[2] ?? 5);

const LUA = `
local tokens = {}
for line in io.lines(os.getenv("TOKENS_FILE")) do tokens[#tokens + 1] = line end
local requests, n = {}, 0
init = function()
  for i, token in ipairs(tokens) do
    local headers = { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json" }
    requests[i] = wrk.format("PUT", "${PATH}", headers, '{"quantity":1}')
  end
end
request = function()
  n = n % #requests + 1
  return requests[n]
end
`;

const HELD: HoldOutcome = {
  kind: "held",
  isNew: true,
  hold: {
    number: 1,
    quantity: 1,
    priceMinor: 1_999_900,
    deadlineMs: Date.UTC(2026, 10, 30),
    paying: false,
  },
};
const SOLD_OUT: HoldOutcome = { kind: "sold_out" };

function isAccepting(arm: Arm): boolean {
  return arm === "accepted" || arm === "routed";
}

/** Answers in the next turn, like a partition that has something else to write anyway. */
function stockOf(arm: Arm): Stock {
  const outcome = isAccepting(arm) ? HELD : SOLD_OUT;
  let waiting: ((outcome: HoldOutcome) => void)[] = [];
  const flush = () => {
    const turn = waiting;
    waiting = [];
    for (const resolve of turn) resolve(outcome);
  };
  return {
    ask<C extends Command>(): Promise<OutcomeOf<C>> {
      return new Promise((resolve) => {
        if (waiting.length === 0) setImmediate(flush);
        waiting.push(resolve as (outcome: HoldOutcome) => void);
      });
    },
    refuseEarly: () => (arm === "refused_early" ? { kind: "sold_out" } : null),
    cart: () => Promise.resolve({ holds: [], complete: true }),
    counts: () => Promise.resolve([]),
  };
}

function serveArm(arm: Arm): number {
  if (arm !== "bare") {
    const { app } = fakeApp({ stock: stockOf(arm) });
    const served = arm === "routed" ? { ...app, direct: [] } : app;
    return serve(served, { host: "127.0.0.1", port: 0 }).port;
  }
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    routes: {
      "/v1/sales/:sale/skus/:sku/hold": {
        PUT: async (request) => {
          await request.json();
          return new Response('{"held":true}', {
            headers: { "content-type": "application/json" },
          });
        },
      },
    },
    fetch: () => new Response(null, { status: 404 }),
  });
  return server.port ?? 0;
}

type Measured = { readonly rate: number; readonly cpuUs: number };

/** User and system time of a process so far; the kernel counts in 10 ms. */
async function cpuMsOf(pid: number): Promise<number> {
  const stat = await Bun.file(`/proc/${pid}/stat`).text();
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function measure(arm: Arm, files: { lua: string; tokens: string }): Promise<Measured> {
  const child = Bun.spawn([process.execPath, import.meta.path, "serve", arm], {
    stdout: "pipe",
    env: { ...process.env, NODE_ENV: "production" },
  });
  try {
    const { value } = await child.stdout.getReader().read();
    const url = `http://127.0.0.1:${new TextDecoder().decode(value).trim()}`;
    const load = ["wrk", "-t1", "-c256", `-d${SECONDS}s`, "-s", files.lua, url];
    const environment = { ...process.env, TOKENS_FILE: files.tokens };
    const beforeMs = await cpuMsOf(child.pid);
    const wrk = Bun.spawn(load, { stdout: "pipe", env: environment });
    const report = await new Response(wrk.stdout).text();
    const cpuMs = (await cpuMsOf(child.pid)) - beforeMs;
    const count = Number(/(\d+) requests in/.exec(report)?.[1]);
    const rate = /Requests\/sec:\s+([\d.]+)/.exec(report)?.[1];
    const isRefusing = report.includes("Non-2xx");
    if (isRefusing !== (arm === "refused" || arm === "refused_early")) throw new Error(report);
    if (rate === undefined) throw new Error(`wrk said: ${report}`);
    return { rate: Number(rate), cpuUs: (cpuMs * 1_000) / count };
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "doorbuster-bench-"));
  try {
    const files = { lua: join(folder, "hold.lua"), tokens: join(folder, "tokens.txt") };
    const minter = createTokens({ secret: SECRET, clock: systemClock });
    const lines: string[] = [];
    for (let index = 0; index < TOKENS; index += 1) {
      lines.push((await minter.sign(`acc_${crypto.randomUUID()}`)).accessToken);
    }
    await Bun.write(files.lua, LUA);
    await Bun.write(files.tokens, lines.join("\n"));
    const best = new Map<Arm, Measured>();
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const arm of ARMS) {
        const measured = await measure(arm, files);
        const known = best.get(arm) ?? measured;
        best.set(arm, {
          rate: Math.max(known.rate, measured.rate),
          cpuUs: Math.min(known.cpuUs, measured.cpuUs),
        });
      }
    }
    const bare = best.get("bare")?.rate ?? Number.NaN;
    for (const [arm, { rate, cpuUs }] of best) {
      const ratio = (rate / bare).toFixed(2);
      const cpu = `${cpuUs.toFixed(1)} µs of CPU each`;
      console.log(`${arm.padEnd(14)} ${rate.toFixed(0).padStart(8)}/s  ${ratio}  ${cpu}`);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (process.argv[2] === "serve") console.log(serveArm(process.argv[3] as Arm));
else await main();
