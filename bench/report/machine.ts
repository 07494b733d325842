// Where and with what a run was made.

import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";

import { type MachineCpu, machineCpu } from "../session/processes.ts";
import type { BenchResult } from "./schema.ts";

const ROOT = `${import.meta.dir}/../..`;

export class MachineWatch {
  readonly #start: MachineCpu = machineCpu();
  readonly #loadBefore = loadavg()[0] ?? 0;

  read(): BenchResult["machine"] {
    const now = machineCpu();
    const total = now.totalTicks - this.#start.totalTicks;
    return {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      memoryMb: Math.round(totalmem() / 1_048_576),
      kernel: release(),
      stealPercent: total === 0 ? 0 : (100 * (now.stealTicks - this.#start.stealTicks)) / total,
      loadBefore: this.#loadBefore,
    };
  }
}

export function commitNow(): string {
  const run = (...args: string[]): string =>
    Bun.spawnSync(["git", ...args], { cwd: ROOT, stderr: "ignore" })
      .stdout.toString()
      .trim();
  const commit = run("rev-parse", "--short=12", "HEAD");
  const isChanged = run("status", "--porcelain", "--untracked-files=no") !== "";
  return commit === "" ? "unknown" : `${commit}${isChanged ? " with changes" : ""}`;
}

export function versionsNow(): Record<string, string> {
  const of = (command: readonly string[], pattern: RegExp): string => {
    const path = Bun.which(command[0] ?? "") ?? Bun.which(`/usr/sbin/${command[0]}`);
    if (path === null) return "absent";
    const { stdout } = Bun.spawnSync([path, ...command.slice(1)], { stderr: "ignore" });
    return pattern.exec(stdout.toString())?.[1] ?? "unknown";
  };
  return {
    bun: Bun.version,
    redis: of(["redis-server", "--version"], /v=(\S+)/),
    postgres: of(["psql", "--version"], /\) (\S+)/),
    nats: of(["nats-server", "--version"], /: v?(\d\S*)/),
    elysia: packageVersion("elysia"),
    ioredis: packageVersion("ioredis"),
    "postgres.js": packageVersion("postgres"),
  };
}

function packageVersion(name: string): string {
  const text = readFileSync(`${ROOT}/node_modules/${name}/package.json`, "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
