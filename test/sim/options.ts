// The simulator's command line.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export const USAGE = `bun run sim [options]

  --seed N      the first seed; without it a fresh one, which is printed
  --runs N      how many seeds from there on (1,000; with --seed alone, 1)
  --minutes N   stop after so many
  --workers N   threads (one a core)
  --brief       stop at the first failure, say which, keep nothing
  --log         print the event log of the last failing run, or of a single run
  --help        this

Exit code 0: every run holds, and everything that must happen has; 1: not so; 2: wrong usage.`;

export type Options = {
  readonly first: number;
  readonly runs: number;
  readonly workers: number;
  readonly forMs: number;
  readonly isBrief: boolean;
  readonly hasLog: boolean;
};

/** With a fresh seed nobody meets the same runs twice. */
const FRESH_SEEDS = 2 ** 40;
const RUNS_DEFAULT = 1_000;
const MINUTES_DEFAULT = 60;

const SPEC = {
  seed: { type: "string" },
  runs: { type: "string" },
  minutes: { type: "string" },
  workers: { type: "string" },
  brief: { type: "boolean", default: false },
  log: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** `help`: only that was asked for. Throws: an Error that says what is wrong and what is allowed. */
export function parseOptions(args: readonly string[]): Options | "help" {
  const { values } = parseArgs({ args: [...args], options: SPEC });
  if (values.help) return "help";
  const first = numberOf("seed", values.seed, Math.floor(Math.random() * FRESH_SEEDS));
  const runs = numberOf("runs", values.runs, values.seed === undefined ? RUNS_DEFAULT : 1);
  const workers = numberOf("workers", values.workers, availableParallelism());
  return {
    first,
    runs,
    workers: Math.max(1, Math.min(workers, runs)),
    forMs: minutesOf(values.minutes) * 60_000,
    isBrief: values.brief,
    hasLog: values.log,
  };
}

/** Also parts of one. */
function minutesOf(text: string | undefined): number {
  const value = text === undefined ? MINUTES_DEFAULT : Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`--minutes is "${text}"; allowed: a number above 0`);
}

function numberOf(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0 && text.trim() !== "") return value;
  throw new Error(`--${name} is "${text}"; allowed: a whole number, 0 or more`);
}
