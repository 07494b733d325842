import { describe, expect, test } from "bun:test";

import { arrivalTimesUs } from "../../bench/generator/schedule.ts";
import { Histogram } from "../../bench/stats/histogram.ts";
import { seededRandom, shuffled, zipf } from "../../bench/stats/random.ts";
import { lineOf, logLogSlopeOf, medianOf, middleBy } from "../../bench/stats/summary.ts";

test("the middle of several is one of them, and of two the larger", () => {
  const windows = [10, 30, 20, 50, 40].map((p99Ms) => ({ p99Ms }));
  expect(middleBy(windows, ({ p99Ms }) => p99Ms)).toBe(windows[1]!);
  expect(middleBy(windows.slice(2, 4), ({ p99Ms }) => p99Ms)).toBe(windows[3]!);
  expect(() => middleBy([], Number)).toThrow(RangeError);
});

describe("a histogram", () => {
  test("is within 0.1 % of the exact percentiles over eight orders of magnitude", () => {
    const random = seededRandom(42);
    const histogram = new Histogram();
    const values = Array.from({ length: 50_000 }, () => Math.round(10 ** (random() * 8)));
    for (const value of values) histogram.record(value);
    values.sort((a, b) => a - b);
    for (const q of [0.01, 0.25, 0.5, 0.9, 0.99, 0.999]) {
      const exact = values[Math.ceil(q * values.length) - 1] as number;
      const off = Math.abs(histogram.quantileUs(q) - exact) / exact;
      expect(off).toBeLessThan(0.001);
    }
    expect(histogram.quantileUs(1)).toBe(values.at(-1) as number);
  });

  test("merged from two processes is the histogram of both", () => {
    const [one, two, both] = [new Histogram(), new Histogram(), new Histogram()];
    for (let value = 1; value <= 1_000; value += 1) {
      (value % 3 === 0 ? one : two).record(value * 100);
      both.record(value * 100);
    }
    const merged = Histogram.of(one.sparse(), two.sparse());
    expect(merged.sparse()).toEqual(both.sparse());
    expect(merged.count).toBe(1_000);
    expect(merged.quantileUs(0.99)).toBe(both.quantileUs(0.99));
  });

  test("of nothing is zero", () => {
    expect(new Histogram().quantileUs(0.99)).toBe(0);
  });
});

describe("arrivals", () => {
  const schedule = { ratePerSecond: 10_000, durationMs: 2_000, seed: 3, rampMs: 0 } as const;

  test("constant ones are evenly apart and as many as asked", () => {
    const times = arrivalTimesUs({ ...schedule, arrivals: "constant" });
    expect(times.length).toBe(20_000);
    expect((times[10] as number) - (times[9] as number)).toBeCloseTo(100, 6);
  });

  test("of a Poisson process have the rate and the variance of one, and repeat with the seed", () => {
    const times = arrivalTimesUs({ ...schedule, arrivals: "poisson" });
    expect(Math.abs(times.length - 20_000)).toBeLessThan(600);
    const gaps = Array.from(times.subarray(1), (time, index) => time - (times[index] as number));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    expect(variance / mean ** 2).toBeGreaterThan(0.9);
    expect(variance / mean ** 2).toBeLessThan(1.1);
    expect(arrivalTimesUs({ ...schedule, arrivals: "poisson" })).toEqual(times);
  });

  test("grow from nothing to the full rate in the ramp", () => {
    const times = arrivalTimesUs({ ...schedule, arrivals: "constant", rampMs: 100 });
    const within = (fromMs: number, toMs: number): number =>
      times.filter((time) => time >= fromMs * 1_000 && time < toMs * 1_000).length;
    expect(within(0, 50)).toBeCloseTo(125, -1);
    expect(within(50, 100)).toBeCloseTo(375, -1);
    expect(within(100, 200)).toBeCloseTo(1_000, -1);
  });
});

describe("small statistics", () => {
  test("the median of an even number is between the two in the middle", () => {
    expect(medianOf([4, 1, 3, 2])).toBe(2.5);
    expect(medianOf([9, 1, 5])).toBe(5);
    expect(medianOf([])).toBeNaN();
  });

  test("a power law has its exponent as slope, whatever its factor", () => {
    const points = [10, 100, 1_000].map((x) => [x, 7 * x ** 1.5] as const);
    expect(logLogSlopeOf(points)).toBeCloseTo(1.5, 9);
    expect(logLogSlopeOf([10, 100].map((x) => [x, 3] as const))).toBeCloseTo(0, 9);
  });

  test("a line is found with its fit", () => {
    const { slope, intercept, r2 } = lineOf([1, 2, 3].map((x) => [x, 5 + 2 * x] as const));
    expect([slope, intercept, r2]).toEqual([2, 5, 1]);
  });

  test("a zipf draw takes item k as often as 1/(k+1)", () => {
    const draw = zipf(100, 1, seededRandom(9));
    const counts = Array.from({ length: 100 }, () => 0);
    for (let index = 0; index < 100_000; index += 1) {
      const item = draw();
      counts[item] = (counts[item] as number) + 1;
    }
    expect((counts[0] as number) / (counts[9] as number)).toBeCloseTo(10, -0.5);
    expect(counts.at(-1)).toBeGreaterThan(0);
  });

  test("a shuffle keeps all, and its seed decides the order", () => {
    const items = [1, 2, 3, 4, 5, 6, 7, 8];
    const order = shuffled(items, seededRandom(1));
    expect(order).not.toEqual(items);
    expect([...order].sort((a, b) => a - b)).toEqual(items);
    expect(shuffled(items, seededRandom(1))).toEqual(order);
    expect(shuffled(items, seededRandom(2))).not.toEqual(order);
  });
});
