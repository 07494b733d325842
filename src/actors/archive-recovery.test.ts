// Recovery of a book of which a part is in the archive.

import { describe, expect, test } from "bun:test";

import { A, holdOf, type NodeBed, nodeBed, START_MS } from "../../test/support/actors.ts";
import {
  bedWithArchived,
  C,
  confirmOf,
  countsOf,
  crashed,
  ENDS_MS,
  isArchived,
  LIVE,
  OVER,
  returnOf,
} from "../../test/support/archive-bed.ts";
import { Fault } from "../core/errors.ts";
import { ARCHIVE_AFTER_MS } from "../core/limits.ts";

async function nextLife(bed: NodeBed): Promise<void> {
  await bed.node.stop();
  bed.node = bed.newNode("node-1/b");
  bed.node.own(0, 2);
  await bed.runtime.settle();
}

describe("recovery", () => {
  test("archived SKUs stay archived, from the journal and from a snapshot", async () => {
    const bed = await bedWithArchived();
    await crashed(bed);
    expect([isArchived(bed), bed.archive.gets]).toEqual([true, 0]);
    expect(await countsOf(bed)).toMatchObject({ released: 10, sold: 1, available: 9 });
    await bed.node.stop();
    expect(bed.model.dump()[0]?.snapshot?.pieces.join("")).toContain("\nA\tsale/a\t");
    bed.node = bed.newNode("node-1/c");
    bed.node.own(0, 3);
    await bed.runtime.settle();
    expect([isArchived(bed), bed.archive.gets]).toEqual([true, 0]);
    expect((await bed.told(returnOf("o1"))).kind).toBe("returned");
  });

  test("a replay over an event of an archived SKU reads it from the archive", async () => {
    const bed = await bedWithArchived();
    await nextLife(bed);
    await bed.told(returnOf("o1"));
    await bed.told(confirmOf("o2"));
    const gets = bed.archive.gets;
    bed.node = bed.newNode("node-1/c");
    bed.node.own(0, 3);
    await bed.runtime.settle();
    expect(bed.archive.gets).toBe(gets + 1);
    expect(isArchived(bed)).toBe(false);
    expect(await countsOf(bed)).toMatchObject({ released: 10, sold: 1, available: 9 });
    expect((await bed.told(returnOf("o1"))).kind).toBe("returned");
    expect((await bed.told(confirmOf("o2"))).kind).toBe("sold");
  });

  test("with the archive away then, the partition waits for it", async () => {
    const bed = await bedWithArchived();
    await bed.told(returnOf("o1"));
    bed.archive.fault = new Fault("store_unavailable", "away");
    await crashed(bed);
    expect(bed.node.partition(0).state).toBe("loading");
    bed.archive.fault = null;
    await bed.runtime.advance(1_000);
    expect(bed.node.partition(0).state).toBe("serving");
    expect((await bed.told(returnOf("o1"))).kind).toBe("returned");
  });

  test("with the text gone, the partition halts", async () => {
    const bed = await bedWithArchived();
    await bed.told(returnOf("o1"));
    bed.archive.texts.clear();
    await crashed(bed);
    expect(bed.node.partition(0).state).toBe("halted");
    expect(bed.node.partitions[0]!.haltReason).toContain("the archive has no sale/a");
  });

  test("a backup that says other than an archived SKU halts the partition", async () => {
    const bed = await bedWithArchived();
    bed.hand.through(async (method, _, work) => {
      const result = await work();
      return method === "stockOf"
        ? new Map([...(result as Map<string, number>), [A.key, 8]])
        : result;
    });
    await crashed(bed);
    expect(bed.node.partition(0).state).toBe("halted");
    expect(bed.node.partitions[0]!.haltReason).toContain("9 available, backup says 8");
  });

  test("a SKU that joined an archived group is replayed with what the group bought", async () => {
    const bed = await nodeBed();
    const group = { group: "g", groupLimit: 2, limit: 2 };
    await bed.open({ ...OVER, ...group });
    await bed.open({}, LIVE);
    await bed.told(confirmOf("o1"));
    await bed.runtime.advance(ENDS_MS + ARCHIVE_AFTER_MS + 200);
    expect(isArchived(bed)).toBe(true);
    const later = { ...group, version: 2, endsAtMs: START_MS + 1e9 };
    await bed.open(later, C);
    const limited = { kind: "limit_reached", limit: 2, held: 0, bought: 1 } as const;
    expect(await bed.told(holdOf("s1", 2), C)).toEqual(limited);
    await crashed(bed);
    expect(await bed.told(holdOf("s1", 2), C)).toEqual(limited);
  });
});
