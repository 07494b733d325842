import { expect, test } from "bun:test";

import { processMetrics } from "./process-metrics.ts";

test("a scrape says what the process takes, and walks no heap for it", async () => {
  const text = await processMetrics().metrics();
  const valueOf = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  expect(valueOf("process_cpu_seconds_total")).toBeGreaterThan(0);
  expect(valueOf("process_resident_memory_bytes")).toBeGreaterThan(1e6);
  expect(valueOf("nodejs_heap_size_used_bytes")).toBeGreaterThan(1e5);
  expect(text).toContain("nodejs_eventloop_lag_p99_seconds");
  expect(text).not.toContain("nodejs_heap_space_size");
});
