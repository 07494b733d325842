#!/usr/bin/env bun
// The simulator: many clusters with bad luck, in no time.
//
// Usage   bun run sim [--seed N] [--runs M] [--minutes T] [--workers W] [--log]
//           --seed     the first seed; without it a fresh one, printed
//           --runs     how many seeds from there on (default 1,000; with --seed alone, 1)
//           --minutes  stop after this many
//           --workers  processes' worth of threads (default: one a core)
//           --brief    stop at the first failure, say which, keep nothing
//           --log      print the event log of the (last) failing run, or of a single run
// Exit    0 when every run holds and everything that must happen has; 1 otherwise.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

import { type Campaign, combined, missingOf, summaryOf } from "./campaign.ts";
import { describeFault } from "./faults.ts";
import { minimise } from "./minimise.ts";
import { type RunResult, runSeed } from "./run.ts";
import { keepSeed } from "./seeds.ts";
import type { Share } from "./worker.ts";

/** With a fresh seed nobody meets the same runs twice. */
const FRESH_SEEDS = 2 ** 40;
const FAILURES_MAX = 5;

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    runs: { type: "string" },
    minutes: { type: "string" },
    workers: { type: "string" },
    brief: { type: "boolean", default: false },
    log: { type: "boolean", default: false },
  },
});

function numberOf(text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  process.stderr.write(`${text} is not a number\n`);
  return process.exit(2);
}

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

function runShare(share: Share): Promise<Campaign> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url).href);
    worker.addEventListener("message", (event: MessageEvent<Campaign>) => {
      worker.terminate();
      resolve(event.data);
    });
    worker.addEventListener("error", (event) => reject(new Error(event.message)));
    worker.postMessage(share, []);
  });
}

async function report(seed: number): Promise<RunResult> {
  const failed = runSeed(seed);
  print(`seed ${seed}: ${failed.failure?.message ?? "holds now"}`);
  print(
    `  its schedule:\n${failed.faults.map((fault) => `    ${describeFault(fault)}`).join("\n")}`,
  );
  if (failed.failure === null) return failed;
  const shortest = minimise(failed);
  print(`  the shortest that fails alike: ${shortest.failure?.message}`);
  print(shortest.faults.map((fault) => `    ${describeFault(fault)}`).join("\n"));
  print(`  again: bun run sim --seed ${seed} --log`);
  await keepSeed({ seed, violation: failed.failure.message.slice(0, 200) });
  return shortest;
}

const first = numberOf(values.seed, Math.floor(Math.random() * FRESH_SEEDS));
const runs = numberOf(values.runs, values.seed === undefined ? 1_000 : 1);
const workers = Math.max(1, Math.min(numberOf(values.workers, availableParallelism()), runs));
const forMs = numberOf(values.minutes, 60) * 60_000;
if (!values.brief) print(`seeds ${first} to ${first + runs - 1}, ${workers} workers`);

const campaign = combined(
  await Promise.all(
    Array.from({ length: workers }, (_, index) =>
      runShare({
        first: first + index,
        step: workers,
        count: Math.ceil((runs - index) / workers),
        failuresMax: values.brief ? 1 : FAILURES_MAX,
        forMs,
      }),
    ),
  ),
);

let shown: RunResult | null = runs === 1 ? runSeed(first) : null;
for (const { seed, drill, message } of campaign.failed) {
  if (drill !== null) print(`seed ${seed}, drill ${drill}: ${message}`);
  else if (values.brief) print(`seed ${seed}: ${message}`);
  else shown = await report(seed);
}
if (values.log && shown !== null) print(shown.lines.join("\n"));
if (!values.brief) print(summaryOf(campaign));
const missing = runs > 1 ? missingOf(campaign) : [];
if (missing.length > 0) print(`never happened: ${missing.join(", ")}`);
process.exit(campaign.failed.length === 0 && missing.length === 0 ? 0 : 1);
