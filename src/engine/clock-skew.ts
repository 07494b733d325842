import type { StockNode } from "../actors/stock-node.ts";
import type { Config } from "../config.ts";
import { CLOCK_SKEW_MAX_MS } from "../core/limits.ts";
import type { Journal } from "../core/ports/journal.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";

const LOOK_EVERY_MS = 5_000;

/**
 * Compares the OS clock with the store's now and every few seconds, and tells the stock node: above
 * CLOCK_SKEW_MAX_MS it claims nothing. Embedded there is one clock only, read once: nothing to do.
 *
 * Returns  what ends the watch.
 */
export async function watchClockSkew(options: {
  readonly config: Config;
  readonly stock: StockNode;
  readonly journal: Journal;
  readonly runtime: Runtime;
  readonly log: Logger;
}): Promise<() => void> {
  const { config, stock, journal, runtime, log } = options;
  if (config.mode === "embedded") return () => {};
  const look = async (): Promise<void> => {
    try {
      const sentAtMs = Date.now();
      const storeMs = await journal.timeMs();
      const receivedAtMs = Date.now();
      stock.clockSkewMs = (sentAtMs + receivedAtMs) / 2 - storeMs;
      if (Math.abs(stock.clockSkewMs) <= CLOCK_SKEW_MAX_MS) return;
      log.error({ skewMs: stock.clockSkewMs }, "clocks disagree: this node claims nothing");
    } catch (cause) {
      log.warn({ err: String(cause) }, "the store's clock could not be read");
    }
  };
  await look();
  return runtime.every(LOOK_EVERY_MS, () => void look());
}
