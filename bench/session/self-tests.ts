// The generator proves itself before each run: it sees a stall that a closed loop would hide, it is
// faster than what it measures, and the audit catches an arm that oversells.

import { freePort } from "../../test/support/servers.ts";
import { SALE } from "../arms/arm.ts";
import { type Services, startArm, startProgram } from "../arms/start-arm.ts";
import { audit } from "../audit/audit.ts";
import type { Fleet, LoadResult } from "../generator/fleet.ts";
import type { Pace } from "../generator/job.ts";
import { Trial } from "./scenario.ts";

/** A stub that sleeps 200 ms every 2 s: a tenth of all requests waits 0–200 ms, evenly. */
const STALL_TRUTH = { p95Ms: 100, p99Ms: 180, tolerance: 0.05 };
const STALL_RATE = 1_000;

export type SelfTests = {
  readonly stallP95Ms: number;
  readonly stallP99Ms: number;
  /** What a closed loop would have printed for the same server. */
  readonly stallClosedLoopP99Ms: number;
  /** What the generator's CPU allows, measured against the cheapest server there is. */
  readonly headroomPerSecond: number;
  readonly oversellCaught: string;
  readonly problems: readonly string[];
};

export async function runSelfTests(of: {
  fleet: Fleet;
  services: Services;
  secret: string;
  isQuick: boolean;
}): Promise<SelfTests> {
  const { fleet, isQuick } = of;
  const problems: string[] = [];
  const stallMs = isQuick ? 4_000 : 8_000;
  const schedule = {
    ratePerSecond: STALL_RATE,
    durationMs: stallMs,
    arrivals: "constant",
    seed: 1,
    rampMs: 0,
  } as const;
  const open = await onStub(fleet, "stall", 64, { kind: "open", schedule });
  const closed = await onStub(fleet, "stall", 8, { kind: "closed", durationMs: 2_000 });
  const raw = await onStub(fleet, "raw", 256, { kind: "closed", durationMs: 1_000 });
  const stallP95Ms = open.latency.quantileUs(0.95) / 1_000;
  const stallP99Ms = open.latency.quantileUs(0.99) / 1_000;
  const { p95Ms, p99Ms, tolerance } = STALL_TRUTH;
  if (isOff(stallP95Ms, p95Ms, tolerance) || isOff(stallP99Ms, p99Ms, tolerance)) {
    problems.push(
      `stall test: p95 ${stallP95Ms.toFixed(0)} and p99 ${stallP99Ms.toFixed(0)} ms instead of ` +
        `${p95Ms} and ${p99Ms}`,
    );
  }
  const oversellCaught = await oversell(of);
  if (oversellCaught === "") problems.push("the audit did not catch the arm that oversells");
  return {
    stallP95Ms,
    stallP99Ms,
    stallClosedLoopP99Ms: closed.latency.quantileUs(0.99) / 1_000,
    // By its CPU time and not by the clock: the stub and whatever else runs share the cores.
    headroomPerSecond: (fleet.pids.length * 1e6 * raw.latency.count) / raw.cpuUs,
    oversellCaught,
    problems,
  };
}

function isOff(value: number, truth: number, tolerance: number): boolean {
  return Math.abs(value - truth) > truth * tolerance;
}

async function onStub(
  fleet: Fleet,
  kind: "stall" | "raw",
  connections: number,
  pace: Pace,
): Promise<LoadResult> {
  const port = await freePort();
  const stub = await startProgram("stub", "stub-server.ts", [String(port), kind], port);
  try {
    return await fleet.run({
      ports: [port],
      connections,
      firstShopper: 0,
      shopperStep: 1,
      count: 300_000,
      sale: SALE,
      choice: { kind: "one", sku: "hot" },
      pace,
      journey: "hold",
    });
  } finally {
    await stub.stop();
  }
}

/** Returns: the first thing that the audit found; empty: nothing, which is a failed test. */
async function oversell(of: { fleet: Fleet; services: Services; secret: string }): Promise<string> {
  const stage = { flashUnits: 100, catalogueSize: 0, hotUnits: 0 };
  const options = { stage, secret: of.secret, storeConnections: 1, logGc: false, holdFor: "60m" };
  const arm = await startArm("oversells", options, of.services);
  try {
    const trial = new Trial({ arm, fleet: of.fleet, catalogueSize: 0, seed: 1 });
    const pace = { kind: "closed", durationMs: 300 } as const;
    await trial.run({ scenario: "flash", connections: 64, pace });
    const books = await arm.books?.();
    if (books === undefined) return "";
    return audit(trial.heard, books).find((problem) => problem.includes("oversold")) ?? "";
  } finally {
    await arm.stop();
  }
}
