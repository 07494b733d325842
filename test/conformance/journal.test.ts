// The journal's suite on each implementation, and random histories through all of them at once.

import { afterAll } from "bun:test";

import { startRedis } from "../support/servers.ts";
import { journalUpkeepSuite } from "./journal-upkeep.suite.ts";
import { modelHarness, redisHarness, sqliteHarness } from "./journal.harness.ts";
import { journalHistories } from "./journal.histories.ts";
import { journalSuite } from "./journal.suite.ts";

const redis = await startRedis();
afterAll(() => redis.stop());

const harnesses = [modelHarness, sqliteHarness, redisHarness(redis.url)];
for (const harness of harnesses) {
  journalSuite(harness);
  journalUpkeepSuite(harness);
}
journalHistories(harnesses);
