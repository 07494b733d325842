import type { SkuCounts } from "../ports/stock.ts";

/** What shoppers see of stock: a word, not a number. */
export type Level = "available" | "low" | "all_held" | "sold_out";

/** `low` is at most a tenth of what was released, and always the last unit. */
export function levelOf(counts: Pick<SkuCounts, "released" | "available" | "held">): Level {
  const { released, available, held } = counts;
  if (available <= 0) return held > 0 ? "all_held" : "sold_out";
  return available <= Math.max(1, Math.floor(released / 10)) ? "low" : "available";
}
