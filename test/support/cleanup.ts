// What the run must not leave behind, and how to remove it: at the end, on a signal, at exit.
//
// Kept on globalThis because `bun test --isolate` evaluates this file once for each test file.

import { readdirSync, readFileSync, rmSync } from "node:fs";

type Leftovers = Map<unknown, () => void>;

const LEFTOVERS = Symbol.for("doorbuster.test.leftovers");

const holder = globalThis as { [LEFTOVERS]?: Leftovers };
const leftovers: Leftovers = holder[LEFTOVERS] ?? armed();
holder[LEFTOVERS] = leftovers;

/** Registers something to remove should nobody do so before; `remove` must be synchronous. */
export function remember(key: unknown, remove: () => void): void {
  leftovers.set(key, remove);
}

export function forget(key: unknown): void {
  leftovers.delete(key);
}

/** Removes all that is left, the newest first: processes before the folders they write to. */
export function removeLeftovers(): void {
  for (const [key, remove] of [...leftovers].reverse()) {
    leftovers.delete(key);
    remove();
  }
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Signals one process; one that is gone already is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ESRCH") throw cause;
  }
}

/** Pids of all processes below this one, from /proc; empty where there is none. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const [child, parent] of parentsOfAll()) {
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [child]);
    else siblings.push(child);
  }
  const found = [...(children.get(pid) ?? [])];
  for (const child of found) found.push(...(children.get(child) ?? []));
  return found;
}

function* parentsOfAll(): Generator<[child: number, parent: number]> {
  for (const entry of procEntries()) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    } catch {
      continue; // ended between the listing and the reading
    }
    // The command's name, in parentheses, may hold spaces: count from behind it.
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    yield [pid, parent];
  }
}

function procEntries(): string[] {
  try {
    return readdirSync("/proc");
  } catch {
    return [];
  }
}

function armed(): Leftovers {
  process.on("exit", removeLeftovers);
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));
  return new Map();
}
