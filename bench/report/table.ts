// The result on a terminal: verdicts first.

import type { ArmRow, BenchResult, Verdict } from "./schema.ts";

const MARK = { aim: "✓✓", pass: "✓", fail: "✗", not_measured: "·" } as const;

export function terminalReport(result: BenchResult): string {
  const parts = [
    `${result.passed ? "PASSED" : "FAILED"}  ${result.mode} run, ` +
      `${result.tookS.toFixed(0)} s, seed ${result.seed}, commit ${result.commit}`,
    verdictTable(result.verdicts),
    [
      ...problemsOf(result).map((problem) => `✗ ${problem}`),
      ...result.warnings.map((warning) => `! ${warning}`),
    ].join("\n"),
    armTable(result.arms),
    latencyTable(result.arms),
    ...result.skipped.map(({ id, reason }) => `skipped ${id}: ${reason}`),
    selfTestLines(result),
    `${result.machine.cpu}, ${result.machine.cores} cores, ${Object.entries(result.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

export function problemsOf(result: BenchResult): readonly string[] {
  const broken = result.arms.filter(({ ledger }) => ledger !== "ok");
  return [
    ...result.selfTests.problems,
    ...broken.map(({ id, scenario, ledger }) => `${id} ${scenario} is void: ${ledger}`),
  ];
}

function verdictTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((one) => {
    const sign = one.bound === "at_least" ? "≥" : "≤";
    return [
      MARK[one.verdict],
      one.title,
      one.value === null ? "not measured" : `${numberText(one.value)} ${one.unit}`,
      `${sign} ${numberText(one.limit)}`,
      numberText(one.aim),
    ];
  });
  return columns([["", "what must be reached", "measured", "limit", "aim"], ...rows], [0, 1]);
}

function armTable(arms: readonly ArmRow[]): string {
  const head = [
    "scenario",
    "arm",
    "accepted/s",
    "refused/s",
    "stored/s",
    "other/s",
    "spread",
    "÷ bare",
    "server µs",
    "stores µs",
    "redis/req",
    "batch",
    "RSS MB",
    "ledger",
  ];
  const rows = sorted(arms).map((row) => {
    const { server = 0, generator: _, ...stores } = row.cpuUsPerRequest;
    const { median, min, max } = row.answersPerSecond;
    return [
      row.scenario,
      row.id,
      ...[row.acceptedPerSecond, row.refusedPerSecond].map(rate),
      row.storedPerSecond === null ? "–" : rate(row.storedPerSecond),
      rate(row.otherPerSecond),
      median === 0 ? "–" : `±${Math.round((50 * (max - min)) / median)} %`,
      row.ratioToBare === null ? "–" : row.ratioToBare.toFixed(3),
      server.toFixed(1),
      Object.values(stores)
        .reduce((sum, us) => sum + us, 0)
        .toFixed(1),
      row.redisCommandsPerRequest?.toFixed(2) ?? "–",
      row.batchSize?.toFixed(0) ?? "–",
      row.rssMb.toFixed(0),
      row.ledger === "ok" ? "ok" : "VOID",
    ];
  });
  return columns([head, ...rows], [0, 1, head.length - 1]);
}

function latencyTable(arms: readonly ArmRow[]): string {
  const profiled = sorted(arms).filter(({ scenario, latency }) => {
    return scenario === "hot" && latency.length > 0;
  });
  if (profiled.length === 0) return "";
  const head = [
    "open loop, ms",
    "capacity/s",
    ...[50, 70, 90].flatMap((percent) => [`p50 @${percent}%`, "p99", "p99.9"]),
  ];
  const rows = profiled.map((row) => [
    row.id,
    rate(row.capacityPerSecond ?? 0),
    ...row.latency.flatMap((at) => [at.p50Ms, at.p99Ms, at.p999Ms].map((ms) => ms.toFixed(1))),
  ]);
  return columns([head, ...rows], [0]);
}

/** By scenario, then the fastest first: who wins is seen at once. */
export function sorted(arms: readonly ArmRow[]): readonly ArmRow[] {
  const scenarios = [...new Set(arms.map(({ scenario }) => scenario))];
  return [...arms].sort(
    (a, b) =>
      scenarios.indexOf(a.scenario) - scenarios.indexOf(b.scenario) ||
      b.answersPerSecond.median - a.answersPerSecond.median,
  );
}

function selfTestLines({ selfTests, wrk }: BenchResult): string {
  const { stallP95Ms, stallP99Ms, stallClosedLoopP99Ms, headroomPerSecond } = selfTests;
  const lines = [
    `stall test: p95 ${stallP95Ms.toFixed(0)} ms, p99 ${stallP99Ms.toFixed(0)} ms ` +
      `(truth 100 and 180; a closed loop prints p99 ${stallClosedLoopP99Ms.toFixed(1)})`,
    `the generator alone: ${rate(headroomPerSecond)}/s, ` +
      `${selfTests.headroom?.toFixed(1) ?? "–"} × the fastest arm that decides`,
    `an arm that oversells: ${selfTests.oversellCaught || "NOT CAUGHT"}`,
    ...wrk.map(({ id, wrkPerSecond, oursPerSecond }) => {
      return `wrk on ${id}: ${rate(wrkPerSecond)}/s, ours ${rate(oursPerSecond)}/s`;
    }),
  ];
  return lines.join("\n");
}

function rate(perSecond: number): string {
  return Math.round(perSecond).toLocaleString("en");
}

function numberText(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toFixed(2)));
}

/** Columns named in `left` are aligned left, the others right. */
export function columns(rows: readonly (readonly string[])[], left: readonly number[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows
    .map((row) =>
      widths
        .map((width, column) => {
          const text = row[column] ?? "";
          return left.includes(column) ? text.padEnd(width) : text.padStart(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
