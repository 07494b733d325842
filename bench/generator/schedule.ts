// When requests are meant to start. The schedule ignores completions: that is what makes the load
// open.

import { seededRandom } from "../stats/random.ts";

type Arrivals = "constant" | "poisson";

export type Schedule = {
  readonly ratePerSecond: number;
  readonly durationMs: number;
  readonly arrivals: Arrivals;
  readonly seed: number;
  /** The rate grows from nothing to its full height in this time; 0: at once. */
  readonly rampMs: number;
};

/** Returns: microseconds from the start, ascending. */
export function arrivalTimesUs(schedule: Schedule): Float64Array {
  const { ratePerSecond, durationMs, rampMs, arrivals } = schedule;
  const random = seededRandom(schedule.seed);
  const perUs = ratePerSecond / 1e6;
  const endUs = durationMs * 1_000;
  const rampUs = rampMs * 1_000;
  const times: number[] = [];
  // In units of requests: how many should have started by now. Its inverse gives the time.
  let due = 0;
  for (;;) {
    due += arrivals === "constant" ? 1 : -Math.log(1 - random());
    const inRamp = (perUs * rampUs) / 2;
    const timeUs =
      due < inRamp ? Math.sqrt((2 * due * rampUs) / perUs) : rampUs + (due - inRamp) / perUs;
    if (timeUs > endUs) return Float64Array.from(times);
    times.push(timeUs);
  }
}
