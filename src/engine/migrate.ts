import type { Config } from "../config.ts";
import { openShopDatabase } from "./embedded-stores.ts";
import { VERSION } from "./engine.ts";
import { createLogger } from "./logger.ts";
import { makeDataDir } from "./secrets.ts";
import { migrateServers } from "./server-stores.ts";

/**
 * Brings every database to the newest schema and creates a new cluster's partitions. May be run at
 * any time, and again.
 *
 * Returns  what was done, a line each.
 */
export async function runMigrations(config: Config): Promise<readonly string[]> {
  if (config.mode !== "embedded") {
    const log = createLogger({ level: "silent", nodeId: config.nodeId, version: VERSION });
    return migrateServers(config, log);
  }
  await makeDataDir(config.dataDir);
  openShopDatabase(config.dataDir).close();
  return [`schema up to date in ${config.dataDir}`];
}
