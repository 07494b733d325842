// Makes a failing schedule short: leaves out halves, then single faults, then shortens what is left,
// as long as the run still fails in the same way.

import type { SimFault } from "./faults.ts";
import { type RunResult, runSeed } from "./run.ts";

/** A run takes some 20 ms: a minute at most. */
const RUNS_MAX = 400;

/** Returns the result of the shortest schedule found. */
export function minimise(failed: RunResult): RunResult {
  let best = failed;
  let runs = 0;
  const tries = (faults: readonly SimFault[]): boolean => {
    if (runs++ >= RUNS_MAX) return false;
    const result = runSeed(failed.seed, faults);
    if (result.failure?.invariant !== failed.failure?.invariant) return false;
    best = result;
    return true;
  };

  for (let size = Math.ceil(best.faults.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < best.faults.length;) {
      const without = best.faults.filter((_, index) => index < from || index >= from + size);
      if (!tries(without)) from += size;
    }
  }
  for (let index = 0; index < best.faults.length; index++) {
    for (let shorter = true; shorter && best.faults[index]!.forMs > 50;) {
      const faults = best.faults.map((fault, at) => {
        return at === index ? { ...fault, forMs: Math.floor(fault.forMs / 2) } : fault;
      });
      shorter = tries(faults);
    }
  }
  return best;
}
