// The report as one page that works offline: no script, no font, nothing is loaded.

import type { Growth } from "../growth/growth.ts";
import type { ArmRow, BenchResult } from "./schema.ts";
import { barPlot, compact, escape, linePlot, stackPlot } from "./svg.ts";
import { problemsOf, sorted } from "./table.ts";

import STYLE from "./page.css" with { type: "text" };

export function htmlReport(result: BenchResult): string {
  const sections = [
    heading(result),
    section("Verdicts", verdicts(result)),
    ...[...new Set(result.arms.map(({ scenario }) => scenario))].map((scenario) =>
      section(`Answers a second: ${scenario}`, rates(result.arms, scenario)),
    ),
    section("All rows", rows(result.arms)),
    section("Latency by percentile at 70 % of each arm's capacity", curves(result.arms)),
    section("CPU time of each request", cpu(result.arms)),
    section("Growth", growthPlots(result.growth as Growth | null)),
    section("How it was made", made(result)),
  ];
  return page(`Doorbuster bench ${result.startedAt}`, sections.join("\n"));
}

export function growthPage(growth: Growth): string {
  return page("Doorbuster growth", `<h1>Growth</h1>${growthPlots(growth)}`);
}

function page(title: string, content: string): string {
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    `<title>${escape(title)}</title><meta name="viewport" content="width=device-width">`,
    `<style>${STYLE}</style></head><body>`,
    content,
    "</body></html>\n",
  ].join("\n");
}

function section(title: string, content: string): string {
  return content === "" ? "" : `<h2>${escape(title)}</h2>\n${content}`;
}

function heading(result: BenchResult): string {
  const { machine, commit, startedAt, command } = result;
  const state = result.passed
    ? '<span class="pass">passed</span>'
    : '<span class="fail">failed</span>';
  const problems = [...problemsOf(result), ...result.warnings].map(
    (one) => `<li>${escape(one)}</li>`,
  );
  return `<h1>Doorbuster bench: ${state}</h1>
<p>${escape(startedAt)} · commit ${escape(commit)} · <code>${escape(command)}</code><br>
${escape(machine.cpu)}, ${machine.cores} cores, ${machine.memoryMb} MB,
Linux ${escape(machine.kernel)}</p>
${problems.length === 0 ? "" : `<ul>${problems.join("")}</ul>`}`;
}

function verdicts({ verdicts: all }: BenchResult): string {
  const body = all.map((one) => {
    const value = one.value === null ? "not measured" : `${compact(one.value)} ${one.unit}`;
    const sign = one.bound === "at_least" ? "≥" : "≤";
    const name = one.verdict.replace("_", " ");
    const cells = [escape(one.title), name, value, `${sign} ${one.limit}`, String(one.aim)];
    return `<tr class="${one.verdict}">${cellsOf(cells)}</tr>`;
  });
  return table(["what must be reached", "verdict", "measured", "limit", "aim"], body);
}

function rates(arms: readonly ArmRow[], scenario: string): string {
  const bars = sorted(arms)
    .filter((row) => row.scenario === scenario)
    .map(({ id, answersPerSecond: { median, min, max } }) => ({
      label: id,
      value: median,
      min,
      max,
    }));
  return barPlot(bars, "/s");
}

function rows(arms: readonly ArmRow[]): string {
  const body = sorted(arms).map((row) => {
    const cells = [
      compact(row.acceptedPerSecond),
      compact(row.refusedPerSecond),
      row.storedPerSecond === null ? "–" : compact(row.storedPerSecond),
      row.ratioToBare?.toFixed(3) ?? "–",
      row.capacityPerSecond === null ? "–" : compact(row.capacityPerSecond),
      ...[row.p50Ms, row.p99Ms, row.p999Ms].map(compact),
      escape(row.latencyAt),
      row.redisCommandsPerRequest?.toFixed(2) ?? "–",
      row.batchSize?.toFixed(0) ?? "–",
      row.rssMb.toFixed(0),
      row.ledger === "ok" ? "ok" : `<span class="void">void: ${escape(row.ledger)}</span>`,
    ];
    const title = escape([row.durability, row.note].filter((part) => part !== "").join("; "));
    const names = `<td>${escape(row.scenario)}</td><td title="${title}">${escape(row.id)}</td>`;
    return `<tr>${names}${cellsOf(cells)}</tr>`;
  });
  const head = [
    "scenario",
    "arm",
    "accepted/s",
    "refused/s",
    "stored/s",
    "÷ bare",
    "capacity/s",
    "p50 ms",
    "p99",
    "p99.9",
    "at",
    "redis/req",
    "batch",
    "RSS MB",
    "ledger",
  ];
  const classes = [...new Map(arms.map(({ id, durability }) => [id, durability]))].map(
    ([id, durability]) => `<li><b>${escape(id)}</b>: ${escape(durability)}</li>`,
  );
  return `${table(head, body)}<p>What an acknowledged hold survives:</p><ul>${classes.join("")}</ul>`;
}

function cellsOf(cells: readonly string[]): string {
  return cells.map((cell) => `<td>${cell}</td>`).join("");
}

function table(head: readonly string[], body: readonly string[]): string {
  const cells = head.map((title) => `<th>${escape(title)}</th>`);
  return `<table><thead><tr>${cells.join("")}</tr></thead><tbody>${body.join("\n")}</tbody></table>`;
}

/** x: −log10(1 − q), so that each nine has the same width; y: log10 of milliseconds. */
function curves(arms: readonly ArmRow[]): string {
  const lines = arms.flatMap((row) => {
    const at70 = row.latency.find(({ loadPercent }) => loadPercent === 70);
    if (at70 === undefined) return [];
    const points = at70.curve.map(
      ([q, ms]) => [-Math.log10(1 - q), Math.log10(Math.max(0.01, ms))] as const,
    );
    return [{ label: `${row.id} at ${compact(at70.ratePerSecond)}/s`, points }];
  });
  if (lines.length === 0) return "";
  const nines: [number, string][] = [0, 0.5, 0.9, 0.99, 0.999, 0.9999].map((q) => [
    -Math.log10(1 - q),
    `${Number((q * 100).toFixed(2))} %`,
  ]);
  return linePlot(lines, { title: "percentile", ticks: nines }, logAxis("ms", -1, 3));
}

function logAxis(title: string, from: number, to: number) {
  const ticks: [number, string][] = [];
  for (let power = from; power <= to; power += 1) {
    ticks.push([power, power < 0 ? String(10 ** power) : compact(10 ** power)]);
  }
  return { title, ticks };
}

function cpu(arms: readonly ArmRow[]): string {
  const roles = [...new Set(arms.flatMap(({ cpuUsPerRequest }) => Object.keys(cpuUsPerRequest)))];
  // Arms in one row of Postgres take twenty times as long: they would flatten all others.
  const stacks = sorted(arms).map((row) => ({
    label: `${row.scenario} ${row.id}`,
    parts: row.cpuUsPerRequest,
  }));
  return stackPlot(stacks, roles, "µs");
}

function growthPlots(growth: Growth | null): string {
  if (growth === null) return "";
  const plots = growth.curves
    .filter(({ points }) => points.length > 1)
    .map(({ name, unit, points, slope }) => {
      const line = { label: `${name}: slope ${slope.toFixed(2)}`, points: logPoints(points) };
      const values = points.map(([, value]) => Math.log10(value));
      const [low, high] = [Math.floor(Math.min(...values)), Math.ceil(Math.max(...values))];
      return linePlot([line], logAxis("size", 2, 6), logAxis(unit, low, Math.max(low + 1, high)));
    });
  if (growth.nodes !== null) {
    const lines = (["even", "zipf"] as const).flatMap((kind) => [
      {
        label: `${kind} SKUs, random entry`,
        points: logPoints(growth.nodes?.[kind].map((at) => [at.nodes, at.randomPerSecond]) ?? []),
      },
      {
        label: `${kind} SKUs, entry at the owner`,
        points: logPoints(growth.nodes?.[kind].map((at) => [at.nodes, at.affinePerSecond]) ?? []),
      },
    ]);
    plots.push(linePlot(lines, logAxis("nodes (simulated)", 0, 2), logAxis("holds/s", 4, 7)));
  }
  return plots.join("\n");
}

function logPoints(points: readonly (readonly [number, number])[]): [number, number][] {
  return points.map(([x, y]) => [Math.log10(x), Math.log10(y)]);
}

function made({ versions, settings, selfTests, wrk, skipped }: BenchResult): string {
  const lines = [
    ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
    ...Object.entries(settings).map(([name, value]) => `${name}: ${value}`),
    `stall test: p95 ${selfTests.stallP95Ms.toFixed(0)} ms and p99 ` +
      `${selfTests.stallP99Ms.toFixed(0)} ms; truth 100 and 180`,
    `generator alone ${compact(selfTests.headroomPerSecond)}/s`,
    `oversell: ${selfTests.oversellCaught}`,
    ...wrk.map(
      (one) =>
        `wrk on ${one.id} ${compact(one.wrkPerSecond)}/s, ours ${compact(one.oursPerSecond)}/s`,
    ),
    ...skipped.map(({ id, reason }) => `skipped ${id}: ${reason}`),
  ];
  return `<ul>${lines.map((line) => `<li>${escape(line)}</li>`).join("")}</ul>`;
}
