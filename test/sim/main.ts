#!/usr/bin/env bun
// The simulator: many clusters with bad luck, in no time.

import { type Campaign, combined, missingOf, summaryOf } from "./campaign.ts";
import { describeFault } from "./faults.ts";
import { minimise } from "./minimise.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { type RunResult, runSeed } from "./run.ts";
import { keepSeed } from "./seeds.ts";
import type { Share } from "./worker.ts";

const FAILURES_MAX = 5;

/** Ends the process when there is nothing to run. */
function optionsOrExit(): Options {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options !== "help") return options;
    process.stdout.write(`${USAGE}\n`);
    return process.exit(0);
  } catch (cause) {
    process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n\n${USAGE}\n`);
    return process.exit(2);
  }
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

const { first, runs, workers, forMs, isBrief, hasLog } = optionsOrExit();
if (!isBrief) print(`seeds ${first} to ${first + runs - 1}, ${workers} workers`);

const campaign = combined(
  await Promise.all(
    Array.from({ length: workers }, (_, index) =>
      runShare({
        first: first + index,
        step: workers,
        count: Math.ceil((runs - index) / workers),
        failuresMax: isBrief ? 1 : FAILURES_MAX,
        forMs,
      }),
    ),
  ),
);

let shown: RunResult | null = runs === 1 ? runSeed(first) : null;
for (const { seed, drill, message } of campaign.failed) {
  if (drill !== null) print(`seed ${seed}, drill ${drill}: ${message}`);
  else if (isBrief) print(`seed ${seed}: ${message}`);
  else shown = await report(seed);
}
if (hasLog && shown !== null) print(shown.lines.join("\n"));
if (!isBrief) print(summaryOf(campaign));
const missing = runs > 1 ? missingOf(campaign) : [];
if (missing.length > 0) print(`never happened: ${missing.join(", ")}`);
process.exit(campaign.failed.length === 0 && missing.length === 0 ? 0 : 1);
