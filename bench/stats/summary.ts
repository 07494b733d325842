// Small statistics over rounds and sweeps.

export function medianOf(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** The one with the median value; of two the larger. Throws: RangeError when there is none. */
export function middleBy<T>(items: readonly T[], valueOf: (item: T) => number): T {
  const sorted = items.toSorted((a, b) => valueOf(a) - valueOf(b));
  const middle = sorted[sorted.length >> 1];
  if (middle === undefined) throw new RangeError("nothing has no middle");
  return middle;
}

export type Spread = { readonly median: number; readonly min: number; readonly max: number };

export function spreadOf(values: readonly number[]): Spread {
  return { median: medianOf(values), min: Math.min(...values), max: Math.max(...values) };
}

export type Line = { readonly slope: number; readonly intercept: number; readonly r2: number };

/** Least squares. */
export function lineOf(points: readonly (readonly [x: number, y: number])[]): Line {
  const count = points.length;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  let xx = 0;
  let xy = 0;
  let yy = 0;
  for (const [x, y] of points) {
    xx += (x - meanX) ** 2;
    xy += (x - meanX) * (y - meanY);
    yy += (y - meanY) ** 2;
  }
  const slope = xx === 0 ? 0 : xy / xx;
  const r2 = xx === 0 || yy === 0 ? 1 : (xy * xy) / (xx * yy);
  return { slope, intercept: meanY - slope * meanX, r2 };
}

/** The exponent b of y = a · x^b; 0 is constant, 1 is linear. */
export function logLogSlopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  return lineOf(points.map(([x, y]) => [Math.log10(x), Math.log10(y)] as const)).slope;
}
