// Two runs side by side. A change within the rounds' own spread is none.

import type { ArmRow, BenchResult } from "./schema.ts";
import { columns } from "./table.ts";

export function compareReport(before: BenchResult, after: BenchResult): string {
  const rows: string[][] = [];
  for (const row of after.arms) {
    const old = before.arms.find(({ id, scenario }) => id === row.id && scenario === row.scenario);
    if (old === undefined) continue;
    rows.push([
      row.scenario,
      row.id,
      rate(old),
      rate(row),
      change(old.answersPerSecond.median, row.answersPerSecond.median),
      isWithinSpread(old, row) ? "about the same" : "",
      `${old.ratioToBare?.toFixed(3) ?? "–"} → ${row.ratioToBare?.toFixed(3) ?? "–"}`,
      `${old.p99Ms.toFixed(1)} → ${row.p99Ms.toFixed(1)}`,
      `${server(old)} → ${server(row)}`,
    ]);
  }
  const head = [
    "scenario",
    "arm",
    "before/s",
    "after/s",
    "change",
    "",
    "÷ bare",
    "p99 ms",
    "server µs",
  ];
  const names = [before, after].map(({ startedAt, commit }) => `${startedAt} ${commit}`);
  const isSame =
    before.machine.cpu === after.machine.cpu && before.machine.cores === after.machine.cores;
  const machines = isSame ? "" : "\n! different machines: only ratios may be compared\n";
  const notes = `${machines}${windowsNote(before, after)}`;
  return `${names.join("\n")}\n${notes}\n${columns([head, ...rows], [0, 1, 5])}\n`;
}

/** In the p99 of one window chance has more say than in the middle one of five. */
function windowsNote(before: BenchResult, after: BenchResult): string {
  const [old, now] = [before, after].map(windowsOf);
  if (old === undefined || now === undefined || old === now) return "";
  return `\n! p99 in the middle of ${now || "an unknown number of"} windows against ${old || "an unknown number"}: not to be compared\n`;
}

/** Undefined when no latency was measured, 0 in a file of before the windows were kept. */
function windowsOf({ arms }: BenchResult): number | undefined {
  const counts = arms.flatMap(({ latency }) => {
    return latency.map(({ p99MsOfWindows }) => p99MsOfWindows?.length ?? 0);
  });
  return counts.length === 0 ? undefined : Math.max(...counts);
}

function isWithinSpread(before: ArmRow, after: ArmRow): boolean {
  const [a, b] = [before.answersPerSecond, after.answersPerSecond];
  return a.min <= b.max && b.min <= a.max;
}

function rate({ answersPerSecond }: ArmRow): string {
  return Math.round(answersPerSecond.median).toLocaleString("en");
}

function change(before: number, after: number): string {
  if (before === 0) return "–";
  const percent = (100 * (after - before)) / before;
  return `${percent >= 0 ? "+" : ""}${percent.toFixed(1)} %`;
}

function server(row: ArmRow): string {
  return (row.cpuUsPerRequest["server"] ?? 0).toFixed(1);
}
