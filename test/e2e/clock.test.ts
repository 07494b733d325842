// The host's clock steps under a running engine. Time is the store's, or read once at the start, and
// goes on monotonic: no hold lapses early, no sale opens or ends early, and none late.

import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { codeOf } from "../support/history.ts";
import { forgetFolder, temporaryFolder } from "../support/process.ts";
import { holdIn } from "../support/shoppers.ts";
import { STALL_MS } from "../support/stall.ts";
import { MODES, startWorld, until, type World } from "../support/world.ts";

const HOUR_MS = 3_600_000;
const SHIM = join(import.meta.dir, "../support/clock-shim.ts");

let world: World | undefined;
let folder = "";
afterEach(async () => {
  await world?.stop();
  world = undefined;
  forgetFolder(folder);
}, 60_000);

describe.each(MODES)("%s", (mode) => {
  test.each([
    ["ahead", HOUR_MS],
    ["back", -HOUR_MS],
  ])(
    "a clock that steps an hour %s lapses no hold and opens no sale early",
    async (_, stepMs) => {
      folder = temporaryFolder("clock");
      const file = join(folder, "offset");
      world = await startWorld(mode, {
        bunArgs: ["--preload", SHIM],
        env: { CLOCK_OFFSET_FILE: file, DOORBUSTER_LOG_LEVEL: "info" },
      });
      const stepped = world;
      const skus = [{ sku: "shoe", stock: 10 }];
      await world.openSale({ sale: "open", skus, holdFor: "10m" });
      await world.openSale({ sale: "brief", skus, holdFor: "5s" });
      await world.openSale({ sale: "later", skus, startsInMs: HOUR_MS / 2 });
      await world.openSale({ sale: "soon", skus, startsInMs: 4_000 });
      const soonAtMs = Date.now() + 4_000;
      const shopper = await world.shopper("one");
      const before = holdIn(await shopper.hold("open", "shoe", 1));
      const brief = holdIn(await shopper.hold("brief", "shoe", 1));

      writeFileSync(file, String(stepMs));
      const after = await shopper.hold("open", "shoe", 1);
      expect({ status: after.status, hold: holdIn(after) }).toEqual({ status: 200, hold: before });
      expect(codeOf(await shopper.hold("later", "shoe", 1)).trim()).toBe("not_open");
      if (Date.now() < soonAtMs - 1_000) {
        expect(codeOf(await shopper.hold("soon", "shoe", 1)).trim()).toBe("not_open");
      }
      const { holds } = await shopper.cart();
      expect(holds.map(({ holdId }) => holdId).sort()).toEqual(
        [before.holdId, brief.holdId].sort(),
      );

      await until("the brief hold lapses in its own time", async () => {
        return (await stepped.counts("brief")).available === 10;
      });
      const lapsedLateMs = Date.now() - Date.parse(brief.expiresAt);
      expect(lapsedLateMs).toBeGreaterThanOrEqual(-50);
      expect(lapsedLateMs).toBeLessThan(1_500 + STALL_MS);
      expect((await shopper.hold("soon", "shoe", 1)).status).toBe(201);
      const paid = await shopper.checkout({
        sale: "open",
        lines: [{ sku: "shoe", quantity: 1 }],
        key: "a",
      });
      expect(paid.status).toBe(201);
      if (mode === "servers") {
        await until("it says that the clocks disagree", async () =>
          (await stepped.readiness()).text.includes("clock"),
        );
      }
    },
    60_000,
  );
});
