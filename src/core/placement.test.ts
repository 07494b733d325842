import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { placementOf } from "./placement.ts";

function idsOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `node-${index + 1}`);
}

function countsOf(owners: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return counts;
}

function movesOf(before: readonly string[], after: readonly string[]): number {
  return after.filter((owner, partition) => owner !== before[partition]).length;
}

const partitionCount = fc.oneof(
  fc.integer({ min: 8, max: 128 }),
  fc.constantFrom(256, 1_000, 1_024),
);

describe("placement", () => {
  test("golden values: another hash or order would move every partition of every cluster", () => {
    const three = placementOf(idsOf(3), 16);
    expect(three.map((id) => id.slice(-1)).join("")).toBe("1333221331112221");
    const four = placementOf(idsOf(4), 16, three);
    expect(four.map((id) => id.slice(-1)).join("")).toBe("1334221331144224");
    const two = placementOf(["node-1", "node-3"], 16, three);
    expect(two.map((id) => id.slice(-1)).join("")).toBe("1333111331113331");
  });

  test("no nodes own nothing; one node owns all", () => {
    expect(placementOf([], 8)).toEqual([]);
    expect(placementOf(["a"], 3)).toEqual(["a", "a", "a"]);
  });

  test("the order of the ids does not matter", () => {
    const ids = idsOf(7);
    const before = placementOf(ids, 64);
    expect(placementOf([...ids].reverse(), 64)).toEqual(before);
    const left = ids.slice(1);
    expect(placementOf([...left].reverse(), 64, before)).toEqual(placementOf(left, 64, before));
  });

  test("an unchanged list moves nothing", () => {
    const before = placementOf(idsOf(5), 64);
    expect(placementOf(idsOf(5), 64, before)).toEqual(before);
  });

  test("a first placement owns every partition once, no node above ⌈P/n⌉ + 1", () => {
    const nodes = fc.integer({ min: 1, max: 50 });
    fc.assert(
      fc.property(nodes, partitionCount, (nodeCount, partitions) => {
        const owners = placementOf(idsOf(nodeCount), partitions);
        expect(owners).toHaveLength(partitions);
        const most = Math.max(...countsOf(owners).values());
        expect(most).toBeLessThanOrEqual(Math.ceil(partitions / nodeCount) + 1);
      }),
      { numRuns: 100 },
    );
  });

  test("through any joins and leaves: all owned, none overloaded, at most 2.5 shares move", () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat()), { minLength: 1, maxLength: 60 });
    const start = fc.integer({ min: 1, max: 49 });
    fc.assert(
      fc.property(start, partitionCount, steps, (startCount, partitions, changes) => {
        let ids = idsOf(startCount);
        let owners = placementOf(ids, partitions);
        let born = startCount;
        for (const [wantsJoin, which] of changes) {
          const isJoin = ids.length === 1 || (wantsJoin && ids.length < 50);
          const next = isJoin
            ? [...ids, `node-${++born}`]
            : ids.filter((_, index) => index !== which % ids.length);
          const placed = placementOf(next, partitions, owners);
          const share = Math.ceil(partitions / Math.max(ids.length, next.length));
          expect(movesOf(owners, placed)).toBeLessThanOrEqual(2.5 * share);
          expect(placed).toHaveLength(partitions);
          for (const [owner, count] of countsOf(placed)) {
            expect(next).toContain(owner);
            expect(count).toBeLessThanOrEqual(Math.ceil(partitions / next.length) + 1);
          }
          [ids, owners] = [next, placed];
        }
      }),
      { numRuns: 60 },
    );
  });

  test("a join gives the new node its share at once", () => {
    for (const nodeCount of [1, 2, 5, 20, 49]) {
      const before = placementOf(idsOf(nodeCount), 256);
      const after = placementOf(idsOf(nodeCount + 1), 256, before);
      const got = countsOf(after).get(`node-${nodeCount + 1}`) ?? 0;
      expect(got).toBeGreaterThanOrEqual(Math.floor(256 / (nodeCount + 1)));
    }
  });
});
