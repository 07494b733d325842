import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";

import { parseOptions } from "../../bench/options.ts";
import { compareReport } from "../../bench/report/compare.ts";
import { htmlReport } from "../../bench/report/html.ts";
import { type ArmRow, type BenchResult, benchResult } from "../../bench/report/schema.ts";
import { summarise } from "../../bench/report/summarise.ts";
import { terminalReport } from "../../bench/report/table.ts";
import type { LatencyProfile } from "../../bench/session/latency.ts";
import type { Figures } from "../../bench/session/measure.ts";
import { scenariosOf, stampededArms } from "../../bench/session/plan.ts";
import type { Sample } from "../../bench/session/rounds.ts";
import { judge } from "../../bench/thresholds.ts";
import { forgetFolder, temporaryFolder } from "../support/process.ts";

const FIGURES: Figures = {
  acceptedPerSecond: 0,
  refusedPerSecond: 0,
  storedPerSecond: null,
  otherPerSecond: 0,
  p50Ms: 1,
  p99Ms: 2,
  p999Ms: 3,
  maxMs: 4,
  cpuUsPerRequest: { server: 20, redis: 3, generator: 6 },
  generatorUtilisation: 0.5,
  redisCommandsPerRequest: 0.1,
  batchSize: 100,
  rssMb: 150,
  lagP99Ms: null,
  lostConnections: 0,
};

function sample(arm: Sample["arm"], acceptedPerSecond: number, round = 0): Sample {
  const figures = { ...FIGURES, acceptedPerSecond };
  return { arm, scenario: "hot", round, figures, ledger: "ok" };
}

function resultOf(rows: readonly ArmRow[]): BenchResult {
  return {
    schema: 1,
    startedAt: "2026-11-22T12:00:00.000Z",
    tookS: 60,
    command: "bun run bench --quick",
    mode: "quick",
    seed: 1,
    commit: "abc",
    machine: {
      cpu: "A <CPU>",
      cores: 2,
      memoryMb: 1,
      kernel: "6",
      stealPercent: 0,
      loadBefore: 0,
    },
    versions: { bun: "1.4.5" },
    settings: {},
    selfTests: {
      stallP95Ms: 100,
      stallP99Ms: 180,
      stallClosedLoopP99Ms: 1,
      headroomPerSecond: 100_000,
      headroom: 3,
      oversellCaught: "yes",
      problems: [],
    },
    wrk: [],
    arms: [...rows],
    skipped: [],
    growth: null,
    verdicts: [...judge({ rows, growth: null })],
    warnings: [],
    passed: true,
  };
}

const SAMPLES = [
  ...[90_000, 100_000, 110_000].map((rate, round) => sample("bare", rate, round)),
  ...[40_000, 80_000, 60_000].map((rate, round) => sample("doorbuster", rate, round)),
  sample("pg-lock", 1_000),
];

function profileOf(p99MsOfWindows: readonly number[]): LatencyProfile {
  const at = { loadPercent: 70, ratePerSecond: 40_000, figures: FIGURES, gc: null, curve: [] };
  return {
    arm: "doorbuster",
    capacityPerSecond: 57_000,
    at: [{ ...at, p99MsOfWindows }],
  };
}

describe("summarise", () => {
  const rows = summarise(SAMPLES, []);
  const row = (id: string): ArmRow | undefined => rows.find((one) => one.id === id);

  test("takes the median of the rounds and shows their spread", () => {
    expect(row("doorbuster")?.answersPerSecond).toEqual({
      median: 60_000,
      min: 40_000,
      max: 80_000,
    });
    expect(row("doorbuster")?.ratioToBare).toBeCloseTo(0.6, 9);
    expect(row("bare")?.ratioToBare).toBe(1);
  });

  test("one void round makes the row void", () => {
    const broken = { ...sample("doorbuster", 50_000, 3), ledger: "bench/hot is oversold" };
    const [voided] = summarise([...SAMPLES, broken], []).filter(({ id }) => id === "doorbuster");
    expect(voided?.ledger).toBe("bench/hot is oversold");
  });
});

describe("verdicts", () => {
  const rows = summarise(SAMPLES, []);
  const verdictOf = (id: string, of: readonly ArmRow[] = rows) =>
    judge({ rows: of, growth: null }).find((one) => one.id === id);

  test("pass at the limit, reach the aim at the aim, fail below", () => {
    expect(verdictOf("hot-bare")).toMatchObject({ verdict: "pass" });
    const at = (rate: number) =>
      verdictOf("hot-bare", summarise([sample("bare", 1_000), sample("doorbuster", rate)], []));
    expect([549, 550, 699, 700].map((rate) => at(rate)?.verdict)).toEqual([
      "fail",
      "pass",
      "pass",
      "aim",
    ]);
  });

  test("what was not measured is no verdict, and neither is a void row", () => {
    expect(verdictOf("hot-redis")).toMatchObject({ value: null, verdict: "not_measured" });
    const voided = rows.map((row) => ({ ...row, ledger: "x" }));
    expect(verdictOf("hot-bare", voided)?.verdict).toBe("not_measured");
  });

  test("a bound from above fails above it", () => {
    const growth = {
      liveHoldBytes: 301,
      idleSkuBytes: 500,
      millionSkusMb: 250,
      recoverySeconds: 0.1,
    };
    const verdicts = judge({ rows: [], growth });
    const of = (id: string) => verdicts.find((one) => one.id === id)?.verdict;
    expect(["hold-bytes", "sku-bytes", "million-skus", "recovery"].map(of)).toEqual([
      "fail",
      "pass",
      "aim",
      "aim",
    ]);
  });
});

describe("reports", () => {
  const result = resultOf(summarise(SAMPLES, []));

  test("the JSON is of its own schema, and one of another number is not", () => {
    expect(benchResult.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
    expect(benchResult.safeParse({ ...result, schema: 2 }).success).toBe(false);
  });

  test("the terminal shows the verdicts first, then the fastest arm", () => {
    const text = terminalReport(result);
    expect(text.indexOf("doorbuster hot ÷ bare")).toBeLessThan(text.indexOf("accepted/s"));
    const table = text.slice(text.indexOf("accepted/s"));
    expect(table.indexOf("bare ")).toBeLessThan(table.indexOf("pg-lock "));
  });

  test("the page loads nothing and escapes what it shows", () => {
    const html = htmlReport(result);
    expect(html).not.toMatch(/<script|<link|<img|url\(|https?:\/\//);
    expect(html).toContain("A &#60;CPU&#62;");
    expect(html).toContain("<svg");
    expect(html).not.toContain("NaN");
  });

  test("a comparison calls a change within the spread none", () => {
    const faster = [
      sample("doorbuster", 79_000),
      sample("pg-lock", 2_000),
      sample("bare", 100_000),
    ];
    const text = compareReport(result, resultOf(summarise(faster, [])));
    expect(text).toMatch(/doorbuster .*\+31\.7 % +about the same/);
    expect(text).toMatch(/pg-lock .*\+100\.0 % +0\.010 → 0\.020/);
    expect(text).not.toContain("!");
  });

  test("a comparison says when the p99 is of another number of windows", () => {
    const of = (...p99s: number[]) => resultOf(summarise(SAMPLES, [profileOf(p99s)]));
    expect(compareReport(of(9, 7, 8), of(8, 6, 9))).not.toContain("!");
    expect(compareReport(of(9), of(9, 7, 8))).toContain(
      "! p99 in the middle of 3 windows against 1",
    );
    const kept = benchResult.parse(JSON.parse(JSON.stringify(of(9, 7, 8))));
    expect(kept.arms.find(({ id }) => id === "doorbuster")?.latency[0]?.p99MsOfWindows).toEqual([
      9, 7, 8,
    ]);
    for (const at of kept.arms.flatMap(({ latency }) => latency)) delete at.p99MsOfWindows;
    expect(compareReport(kept, of(9, 7, 8))).toContain("against an unknown number");
  });
});

describe("the command line", () => {
  test.each([
    [["--arms", "nginx"], /unknown arm nginx/],
    [["--scenario", "cold"], /unknown scenario cold/],
    [["--soak", "long"], /a duration such as/],
    [["--rounds", "0"], /at least 1/],
    [["compare", "a.json"], /takes two files/],
    [["faster"], /unknown command/],
    [["--fast"], /fast/],
  ])("refuses %j", (args, message) => {
    const options = parseOptions(args);
    expect(options.kind).toBe("wrong");
    expect(options.kind === "wrong" ? options.message : "").toMatch(message);
  });

  test("a quick run is the four arms that matter, a soak is doorbuster alone", () => {
    const quick = parseOptions(["--quick", "--seed", "7"]);
    expect(quick.kind === "run" ? [quick.plan.arms.length, quick.plan.seed] : []).toEqual([4, 7]);
    const soak = parseOptions(["--soak", "90s"]);
    expect(soak.kind === "run" ? [soak.plan.arms, soak.plan.soakMs] : []).toEqual([
      ["doorbuster"],
      90_000,
    ]);
  });

  test("the reference runs whatever scenario is asked for, a million requests only once", () => {
    const flash = parseOptions(["--scenario", "flash", "--arms", "bare,doorbuster"]);
    if (flash.kind !== "run") throw new Error("a run");
    expect(scenariosOf("bare", flash.plan)).toEqual(["hot"]);
    expect(scenariosOf("doorbuster", flash.plan)).toEqual([]);
    expect(stampededArms(flash.plan)).toEqual(["doorbuster"]);
    expect(stampededArms({ ...flash.plan, scenarios: ["hot"] })).toEqual([]);
  });

  const folder = temporaryFolder("bench-report");
  afterAll(() => forgetFolder(folder));

  test("wrong usage exits with 2, a comparison of two results with 0", async () => {
    const file = join(folder, "a.json");
    await Bun.write(file, JSON.stringify(resultOf(summarise(SAMPLES, []))));
    const main = join(import.meta.dir, "../../bench/main.ts");
    const exitOf = async (...args: string[]): Promise<number> => {
      const run = Bun.spawn([process.execPath, main, ...args], {
        stdin: "ignore",
        stdout: "ignore",
        stderr: "ignore",
      });
      return run.exited;
    };
    expect(await exitOf("--arms", "nginx")).toBe(2);
    expect(await exitOf("compare", file, file)).toBe(0);
    expect(await exitOf("compare", file, main)).toBe(1);
  });
});
