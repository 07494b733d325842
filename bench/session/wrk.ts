// A cross-check of the peak with a tool that is not ours, where it is installed. wrk is a closed loop
// in C: it says what the server can do, and nothing about latency under a schedule.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { forget, remember, removeFolder } from "../../test/support/cleanup.ts";
import { type ArmId, SALE } from "../arms/arm.ts";
import { startArm } from "../arms/start-arm.ts";
import { TokenMint } from "../generator/tokens.ts";
import { medianOf } from "../stats/summary.ts";
import { connectionsOf } from "./connections.ts";
import type { Rounds } from "./rounds.ts";
import { armOptions, type Session } from "./session.ts";

const CHECKED: readonly ArmId[] = ["bare", "redis-lua", "doorbuster"];
const SECONDS = 3;
/** Enough that none comes twice in the time. */
const TOKENS = 400_000;

const SCRIPT = `
local tokens = {}
for line in io.lines(os.getenv("TOKENS_FILE")) do tokens[#tokens + 1] = line end
local n = 0
local head = "PUT /v1/sales/${SALE}/skus/hot/hold HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nAuthorization: Bearer "
local tail = "\\r\\nContent-Type: application/json\\r\\nContent-Length: 14\\r\\n\\r\\n{\\"quantity\\":1}"
request = function()
  n = n % #tokens + 1
  return head .. tokens[n] .. tail
end`;

export type CrossCheck = {
  readonly id: ArmId;
  readonly wrkPerSecond: number;
  readonly oursPerSecond: number;
};

export async function crossCheck(session: Session, rounds: Rounds): Promise<readonly CrossCheck[]> {
  if (Bun.which("wrk") === null || session.plan.mode !== "full") return [];
  const folder = mkdtempSync(join(tmpdir(), "doorbuster-wrk-"));
  remember(folder, () => removeFolder(folder));
  const nowS = Math.floor(Date.now() / 1_000);
  const mint = new TokenMint({ secret: session.secret, nowS, capacity: TOKENS });
  const tokens = Array.from({ length: TOKENS }, (_, index) => mint.tokenOf(index));
  await Bun.write(join(folder, "tokens.txt"), tokens.join("\n"));
  await Bun.write(join(folder, "hold.lua"), SCRIPT);
  const checks: CrossCheck[] = [];
  for (const id of CHECKED.filter((arm) => session.plan.arms.includes(arm))) {
    const ours = rounds.samples
      .filter(({ arm, scenario }) => arm === id && scenario === "hot")
      .map(({ figures }) => figures.acceptedPerSecond);
    const storeConnections = connectionsOf(session.best, id, "hot");
    const options = armOptions(session, id, { storeConnections, logGc: false });
    const arm = await startArm(id, options, session.services);
    try {
      const wrkPerSecond = await rateOf(`http://127.0.0.1:${arm.hotPorts[0]}`, folder, session);
      checks.push({ id, wrkPerSecond, oursPerSecond: medianOf(ours) });
    } finally {
      await arm.stop();
    }
  }
  removeFolder(folder);
  forget(folder);
  return checks;
}

async function rateOf(url: string, folder: string, { plan }: Session): Promise<number> {
  const options = ["-t1", `-c${plan.connections}`, `-d${SECONDS}s`, "-s", join(folder, "hold.lua")];
  const run = Bun.spawn(["wrk", ...options, url], {
    env: { PATH: process.env["PATH"] ?? "", TOKENS_FILE: join(folder, "tokens.txt") },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  remember(run, () => run.kill("SIGKILL"));
  const report = await new Response(run.stdout).text();
  await run.exited;
  forget(run);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(report)?.[1] ?? 0);
}
