// A1 and A3 of archiver.ts: what leaves memory, with time, turns, journal and archive held by hand.

import { describe, expect, test } from "bun:test";

import { B, batchesOf, holdOf, nodeBed, START_MS } from "../../test/support/actors.ts";
import {
  bedWithSale,
  confirmClaim,
  confirmOf,
  crashed,
  ENDS_MS,
  isArchived,
  LIVE,
  OVER,
  returnOf,
} from "../../test/support/archive-bed.ts";
import { Fault } from "../core/errors.ts";
import { ARCHIVE_AFTER_MS, ARCHIVE_AGAIN_MS } from "../core/limits.ts";

describe("what leaves memory", () => {
  test("a SKU whose sale has been over for the time, and not a moment before", async () => {
    const bed = await bedWithSale();
    await bed.runtime.advance(ENDS_MS + ARCHIVE_AFTER_MS - 100);
    await confirmClaim(bed);
    expect(isArchived(bed)).toBe(false);
    await bed.runtime.advance(400);
    expect(isArchived(bed)).toBe(true);
    expect(isArchived(bed, LIVE)).toBe(false);
    expect(batchesOf(bed.model).filter((events) => events.includes("archived"))).toEqual([
      ["archived"],
    ]);
    expect(bed.node.stats.archived).toBe(1);
  });

  test("of a sale that was ended or cancelled ahead of its time, from then on", async () => {
    for (const phase of ["ended", "cancelled"] as const) {
      const bed = await bedWithSale();
      await bed.open({ version: 2, endsAtMs: START_MS + 1e9, phase });
      await bed.runtime.advance(ARCHIVE_AFTER_MS - 1_000);
      await confirmClaim(bed);
      expect(isArchived(bed)).toBe(false);
      await bed.runtime.advance(2_000);
      await confirmClaim(bed);
      expect(isArchived(bed)).toBe(true);
    }
  });

  test("nothing while a hold lives, also one that an order has pinned", async () => {
    const bed = await nodeBed();
    await bed.open({ ...OVER, payMs: 2 * ARCHIVE_AFTER_MS });
    await bed.open({}, LIVE);
    await bed.told(holdOf("s1"));
    const pin = {
      kind: "pin",
      shopper: "s1",
      orderId: "o1",
      quantity: 1,
      priceMinor: 100,
    } as const;
    await bed.told(pin);
    await bed.runtime.advance(ENDS_MS + ARCHIVE_AFTER_MS + 1_000);
    await confirmClaim(bed);
    expect(isArchived(bed)).toBe(false);
    await bed.told(confirmOf("o1"));
    await bed.runtime.advance(200);
    expect(isArchived(bed)).toBe(true);
  });

  test("the SKUs of a group, all or none", async () => {
    const bed = await nodeBed();
    const group = { group: "g", groupLimit: 2 };
    await bed.open({ ...OVER, ...group });
    await bed.open({ ...OVER, ...group, endsAtMs: OVER.endsAtMs + 10_000 }, B);
    await bed.open({}, LIVE);
    await bed.runtime.advance(ENDS_MS + ARCHIVE_AFTER_MS + 5_000);
    await confirmClaim(bed);
    expect([isArchived(bed), isArchived(bed, B)]).toEqual([false, false]);
    await bed.runtime.advance(6_000);
    await confirmClaim(bed);
    expect([isArchived(bed), isArchived(bed, B)]).toEqual([true, true]);
    expect(bed.archive.texts.size).toBe(1);
  });

  test("many, a few at a tick", async () => {
    const bed = await nodeBed();
    const count = 300;
    for (let index = 0; index < count; index++) {
      await bed.open(OVER, { key: `sale/${index}`, partition: 0 });
    }
    await bed.runtime.advance(ENDS_MS + ARCHIVE_AFTER_MS + 1_000);
    expect(bed.node.stats.archived).toBe(count);
    expect(bed.archive.puts).toBeGreaterThan(3);
  });
});

describe("A1: what the journal calls archived is in the archive", () => {
  test("the event is decided only when the text is durable", async () => {
    const bed = await bedWithSale();
    bed.archive.hold();
    await bed.runtime.advance(ENDS_MS + ARCHIVE_AFTER_MS + 5_000);
    await confirmClaim(bed);
    expect(bed.archive.puts).toBe(1);
    expect(isArchived(bed)).toBe(false);
    bed.archive.release();
    await bed.runtime.settle();
    expect(isArchived(bed)).toBe(true);
  });

  test("a unit that changes meanwhile is not archived under the older text", async () => {
    const bed = await bedWithSale();
    bed.archive.hold();
    await bed.runtime.advance(ENDS_MS + ARCHIVE_AFTER_MS + 200);
    expect((await bed.told(returnOf("o1"))).kind).toBe("returned");
    bed.archive.release();
    await bed.runtime.settle();
    expect(isArchived(bed)).toBe(false);
    await bed.runtime.advance(500);
    expect(isArchived(bed)).toBe(true);
    expect(bed.archive.texts.size).toBe(2);
    expect((await bed.told(returnOf("o1"))).kind).toBe("returned");
  });

  test("a crash between the two leaves the SKU in memory, and it is archived later", async () => {
    const bed = await bedWithSale();
    await bed.runtime.advance(ENDS_MS + ARCHIVE_AFTER_MS - 50);
    bed.hand.hold("commit");
    await bed.runtime.advance(100);
    expect(bed.archive.texts.size).toBe(1);
    expect(bed.hand.held.length).toBe(1);
    bed.hand.hold();
    await crashed(bed);
    expect(isArchived(bed)).toBe(false);
    expect((await bed.told(confirmOf("o1"))).kind).toBe("sold");
    await bed.runtime.advance(500);
    expect(isArchived(bed)).toBe(true);
    expect(bed.archive.texts.size).toBe(1);
  });

  test("a commit of unknown outcome archives once, whether it was written or not", async () => {
    for (const way of ["cut", "lost"] as const) {
      const bed = await bedWithSale();
      await bed.runtime.advance(ENDS_MS + ARCHIVE_AFTER_MS - 50);
      bed.hand.hold("commit");
      await bed.runtime.advance(100);
      const call = bed.hand.take();
      bed.hand.hold();
      if (way === "cut") await call.cut();
      else call.fail(new Fault("unknown", "no answer"));
      await bed.runtime.advance(1_000);
      await confirmClaim(bed);
      expect(isArchived(bed)).toBe(true);
      expect(
        batchesOf(bed.model)
          .flat()
          .filter((kind) => kind === "archived").length,
      ).toBe(1);
    }
  });
});

describe("A3: an archive that is away", () => {
  test("keeps SKUs in memory, is not asked all the time, and is used when it is back", async () => {
    const bed = await bedWithSale();
    bed.archive.fault = new Error("connection refused");
    await bed.runtime.advance(ENDS_MS + ARCHIVE_AFTER_MS + ARCHIVE_AGAIN_MS / 2);
    await confirmClaim(bed);
    expect(isArchived(bed)).toBe(false);
    expect(bed.archive.puts).toBe(1);
    expect((await bed.told(returnOf("o1"))).kind).toBe("returned");
    bed.archive.fault = null;
    await bed.runtime.advance(ARCHIVE_AGAIN_MS);
    await confirmClaim(bed);
    expect(isArchived(bed)).toBe(true);
  });
});
