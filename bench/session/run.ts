// A whole run: servers, self-tests, rounds, latency, verdicts. Whatever happens, everything that was
// started ends.

import { startPostgres } from "../../test/support/servers.ts";
import { decides, NODES_MAX, nodesOf, REDIS_SETTINGS } from "../arms/arm.ts";
import { Fleet } from "../generator/fleet.ts";
import { growthFigures, runGrowth } from "../growth/growth.ts";
import { commitNow, MachineWatch, versionsNow } from "../report/machine.ts";
import { type ArmRow, type BenchResult, SCHEMA_VERSION } from "../report/schema.ts";
import { summarise } from "../report/summarise.ts";
import { judge } from "../thresholds.ts";
import { bestConnections, connectionSettings } from "./connections.ts";
import type { Plan } from "./plan.ts";
import { runRounds } from "./rounds.ts";
import { runSelfTests, type SelfTests } from "./self-tests.ts";
import type { Session } from "./session.ts";
import { runSoak } from "./soak.ts";
import { runStampedes } from "./stampede.ts";
import { crossCheck } from "./wrk.ts";

/** Postgres as one would set it for this: everything is durable, nothing waits needlessly. */
const POSTGRES_SETTINGS = {
  shared_buffers: "256MB",
  max_wal_size: "4GB",
  checkpoint_timeout: "30min",
  wal_compression: "on",
  synchronous_commit: "on",
  fsync: "on",
};

const SHOPPERS_MAX = 4_000_000;
const HEADROOM_MIN = 2;
const GENERATOR_BUSY = 0.9;

export async function runBench(
  plan: Plan,
  command: string,
  say: (line: string) => void,
): Promise<BenchResult> {
  const startedAt = new Date();
  const watch = new MachineWatch();
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
  const postgres = await startPostgres({ config: POSTGRES_SETTINGS });
  const fleet = await Fleet.start({
    size: plan.workers * NODES_MAX,
    secret,
    shoppers: SHOPPERS_MAX,
  });
  try {
    const services = { postgres };
    say("self-tests: a stall, headroom, an arm that oversells");
    const selfTests = await runSelfTests({
      fleet: fleet.first(plan.workers),
      services,
      secret,
      isQuick: plan.mode === "quick",
    });
    const untried: Session = { plan, fleet, services, secret, best: new Map(), say };
    const isSoak = plan.mode === "soak";
    const session = isSoak ? untried : { ...untried, best: await bestConnections(untried) };
    const rounds = isSoak ? await runSoak(session) : await runRounds(session);
    const stampedes = await runStampedes(session, rounds.samples);
    const wrk = await crossCheck(session, rounds);
    const rows = summarise([...rounds.samples, ...stampedes], rounds.profiles);
    const growth = plan.isGrowthMeasured ? await runGrowth(say, { isShort: true, rows }) : null;
    const verdicts = judge({ rows, growth: growth === null ? null : growthFigures(growth) });
    const machine = watch.read();
    const tests = { ...selfTests, ...headroomOf(selfTests, rows) };
    const isVoid = rows.some(({ ledger }) => ledger !== "ok");
    const fails = verdicts.some(({ verdict }) => verdict === "fail");
    return {
      schema: SCHEMA_VERSION,
      startedAt: startedAt.toISOString(),
      tookS: (Date.now() - startedAt.getTime()) / 1_000,
      command,
      mode: plan.mode,
      seed: plan.seed,
      commit: commitNow(),
      machine,
      versions: versionsNow(),
      settings: settingsOf(session),
      selfTests: tests,
      wrk: [...wrk],
      arms: [...rows],
      skipped: [...rounds.skipped].map(([id, reason]) => ({ id, reason })),
      growth,
      verdicts: [...verdicts],
      warnings: warningsOf(rows, machine),
      passed: !isVoid && !fails && tests.problems.length === 0,
    };
  } finally {
    await fleet.stop();
    await postgres.stop();
  }
}

function headroomOf(
  selfTests: SelfTests,
  rows: readonly ArmRow[],
): Pick<BenchResult["selfTests"], "headroom" | "problems"> {
  const deciding = rows.filter(({ id }) => decides(id));
  // Each node of an arm has its own processes.
  const perNode = deciding.map(({ id, answersPerSecond }) => answersPerSecond.max / nodesOf(id));
  const fastest = Math.max(0, ...perNode);
  if (fastest === 0) return { headroom: null, problems: [...selfTests.problems] };
  const headroom = selfTests.headroomPerSecond / fastest;
  const problems = [...selfTests.problems];
  if (headroom < HEADROOM_MIN) {
    problems.push(`the generator has ${headroom.toFixed(2)} × headroom, ${HEADROOM_MIN} is needed`);
  }
  return { headroom, problems };
}

const OTHER_MAX = 0.01;
const SPREAD_MAX = 0.15;
const STEAL_MAX = 2;

function warningsOf(rows: readonly ArmRow[], machine: BenchResult["machine"]): string[] {
  const warnings: string[] = [];
  if (machine.stealPercent > STEAL_MAX) {
    warnings.push(`noisy: the hypervisor took ${machine.stealPercent.toFixed(1)} % of the CPU`);
  }
  if (machine.loadBefore > machine.cores / 2) {
    warnings.push(`noisy: load average was ${machine.loadBefore.toFixed(1)} before the start`);
  }
  for (const row of rows) {
    const { id, scenario, answersPerSecond, generatorUtilisation, otherPerSecond } = row;
    const { median, min, max } = answersPerSecond;
    if (otherPerSecond > OTHER_MAX * median) {
      const other = Math.round(otherPerSecond);
      warnings.push(`${id} ${scenario}: ${other} answers a second were neither yes nor no`);
    }
    if (median > 0 && (max - min) / 2 / median > SPREAD_MAX) {
      warnings.push(
        `noisy: ${id} ${scenario} spreads from ${Math.round(min)} to ${Math.round(max)}`,
      );
    }
    const utilisation = generatorUtilisation / nodesOf(id);
    if (utilisation > GENERATOR_BUSY) {
      const percent = Math.round(100 * utilisation);
      warnings.push(`generator-bound: ${percent} % of a core for ${id} ${scenario}`);
    }
  }
  return warnings;
}

function settingsOf({ plan, best }: Session): Record<string, string> {
  return {
    redis: textOf(REDIS_SETTINGS),
    "redis (doorbuster, redis-lua-fsync)": "appendonly yes, appendfsync always",
    "redis (redis-lua, redis-decr-pg)": "appendonly yes, appendfsync everysec",
    postgres: textOf(POSTGRES_SETTINGS),
    connections: String(plan.connections),
    "connections in funnel": String(plan.funnelConnections),
    "generator processes for each node": String(plan.workers),
    rounds: String(plan.rounds),
    ...connectionSettings(best),
  };
}

function textOf(settings: Readonly<Record<string, string>>): string {
  const each = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  return each.join(", ");
}
