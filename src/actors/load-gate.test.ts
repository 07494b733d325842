import { expect, test } from "bun:test";

import { nodeBed, rulesOf } from "../../test/support/actors.ts";
import { LOADS_AT_ONCE_MAX } from "../core/limits.ts";

test("at most LOADS_AT_ONCE_MAX claim and load at once, the busiest next", async () => {
  const count = LOADS_AT_ONCE_MAX + 4;
  const bed = await nodeBed({ count, serve: false });
  bed.hand.hold("claim");
  for (let partition = 0; partition < count; partition++) bed.node.own(partition, 1);
  await bed.runtime.settle();
  expect(bed.hand.held.length).toBe(LOADS_AT_ONCE_MAX);
  const busiest = count - 2;
  bed.ask(rulesOf(), { key: "sale/busy", partition: busiest });
  await bed.hand.take().release();
  await bed.runtime.settle();
  expect(bed.hand.held.length).toBe(LOADS_AT_ONCE_MAX);
  expect(bed.hand.held.at(-1)!.given[0]).toMatchObject({ partition: busiest });
  while (bed.hand.held.length > 0) {
    await bed.hand.take().release();
    await bed.runtime.settle();
  }
  expect(bed.node.partitions.every(({ state }) => state === "serving")).toBe(true);
});
