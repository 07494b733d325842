import { expect, test } from "bun:test";

import fc from "fast-check";

import { DeadlineHeap } from "./deadlines.ts";

test("deadlines come earliest first, whatever was moved, freed and taken again", () => {
  const step = fc.record({ slot: fc.nat(300), deadlineMs: fc.option(fc.nat(1_000)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 900, size: "max" }), (steps) => {
      const live = new Map<number, number>();
      const heap = new DeadlineHeap((slot, deadlineMs) => live.get(slot) === deadlineMs);
      for (const { slot, deadlineMs } of steps) {
        if (live.has(slot)) heap.wentStale();
        if (deadlineMs === null) live.delete(slot);
        else {
          live.set(slot, deadlineMs);
          heap.push(slot, deadlineMs);
        }
      }
      expect(heap.size).toBeLessThanOrEqual(Math.max(64, 4 * live.size));
      const expected = [...live.values()].sort((left, right) => left - right);
      for (const deadlineMs of expected) {
        expect(heap.nextMs()).toBe(deadlineMs);
        expect(heap.due(deadlineMs - 1)).toBe(-1);
        const slot = heap.due(deadlineMs);
        expect(live.get(slot)).toBe(deadlineMs);
        live.delete(slot);
        heap.wentStale();
      }
      expect(heap.nextMs()).toBe(Number.POSITIVE_INFINITY);
      expect(heap.size).toBe(0);
    }),
    { numRuns: 200 },
  );
});
