import { assert } from "../core/assert.ts";

/** Does the work for every item, at most `atOnceMax` at a time. Rejects with the first rejection. */
export async function forEachAtOnce<T>(
  items: readonly T[],
  atOnceMax: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  assert(atOnceMax >= 1, "something has to be done at a time");
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      // The index is below the length, and items are never undefined.
      await work(items[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnceMax, items.length) }, worker));
}
