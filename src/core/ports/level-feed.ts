import type { Level } from "../sale/level.ts";

export type LevelChange = { readonly skuKey: string; readonly level: Level };

/**
 * Levels as they change, of SKUs anywhere in the cluster. News may be lost or doubled on its way:
 * whoever must be right asks for the counts now and then.
 */
export interface LevelFeed {
  onLevels(handler: (changes: readonly LevelChange[]) => void): void;
}
