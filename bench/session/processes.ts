// CPU time and memory of processes, from /proc. Where there is none, figures are absent.

import { readFileSync } from "node:fs";

/** The kernel counts in ticks of 10 ms (USER_HZ). */
const TICK_US = 10_000;
const PAGE_BYTES = 4_096;

export type Roles = Readonly<Record<string, readonly number[]>>;

/** User and system time so far in µs, by role. A process that ended counts nothing any more. */
export function cpuUsOf(roles: Roles): Readonly<Record<string, number>> {
  const entries = Object.entries(roles).map(([role, pids]) => {
    const ticks = pids.reduce((sum, pid) => sum + ticksOf(pid), 0);
    return [role, ticks * TICK_US] as const;
  });
  return Object.fromEntries(entries);
}

function ticksOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === null) return 0;
  // The command's name, in parentheses, may hold spaces: count from behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

export function rssMbOf(pids: readonly number[]): number {
  const pages = pids.reduce((sum, pid) => {
    const statm = read(`/proc/${pid}/statm`);
    return sum + Number(statm?.split(" ")[1] ?? 0);
  }, 0);
  return (pages * PAGE_BYTES) / (1_024 * 1_024);
}

export type MachineCpu = { readonly totalTicks: number; readonly stealTicks: number };

export function machineCpu(): MachineCpu {
  const [line = ""] = (read("/proc/stat") ?? "").split("\n");
  const ticks = line.trim().split(/\s+/).slice(1).map(Number);
  return { totalTicks: ticks.reduce((sum, tick) => sum + tick, 0), stealTicks: ticks[7] ?? 0 };
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process has ended, or this is no Linux.
    return null;
  }
}
