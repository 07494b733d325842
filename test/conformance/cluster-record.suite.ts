import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import type { ControlDialect, ControlStores } from "./control-stores.ts";

const recordOf = (index: number) => ({
  clusterId: `clu_${index}`,
  partitions: 8 + index,
  generation: `gen_${index}`,
  state: "creating" as const,
});

/** What every cluster record does, whatever keeps it. The tests build on each other, in order. */
export function clusterRecordSuite(dialect: ControlDialect): void {
  describe(`a cluster record on ${dialect.name}`, () => {
    let stores: ControlStores;
    beforeAll(async () => {
      stores = await dialect.start();
    });
    afterAll(() => stores.close());

    test("is absent at first, and cannot be marked then", async () => {
      expect(await stores.clusterRecords.read()).toBeNull();
      await expect(stores.clusterRecords.markCreated("clu_0")).rejects.toThrow("config_invalid");
    });

    test("of 20 made at once, one is kept and all hear it", async () => {
      const records = Array.from({ length: 20 }, (_, index) => recordOf(index));
      const heard = await Promise.all(
        records.map((record) => stores.clusterRecords.create(record)),
      );
      const kept = await stores.clusterRecords.read();
      expect(records).toContainEqual(kept as (typeof records)[number]);
      for (const record of heard) expect(record).toEqual(kept as (typeof records)[number]);
    });

    test("is marked as created by its own id only, and stays so", async () => {
      const kept = await stores.clusterRecords.read();
      expect(kept?.state).toBe("creating");
      await expect(stores.clusterRecords.markCreated("clu_none")).rejects.toThrow("config_invalid");
      await stores.clusterRecords.markCreated(kept?.clusterId ?? "");
      await stores.clusterRecords.markCreated(kept?.clusterId ?? "");
      expect((await stores.clusterRecords.read())?.state).toBe("created");
      const late = await stores.clusterRecords.create(recordOf(99));
      expect(late).toEqual({ ...kept, state: "created" } as typeof late);
    });
  });
}
