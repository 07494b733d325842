import { expect, test } from "bun:test";

import { SALE, SKU } from "../../test/support/http-fakes.ts";
import { SaleDirectory } from "./directory.ts";

test("sales are sorted once for each change, the latest start first, without drafts", () => {
  const directory = new SaleDirectory(4);
  directory.put(SALE, [SKU]);
  directory.put({ ...SALE, saleId: "b", version: 2, startsAtMs: SALE.startsAtMs + 1 }, []);
  directory.put({ ...SALE, saleId: "a", version: 1, startsAtMs: SALE.startsAtMs + 1 }, []);
  directory.put({ ...SALE, saleId: "draft", version: 0 }, []);
  const sorted = directory.byLatestStart();
  expect(sorted.map(({ saleId }) => saleId)).toEqual(["a", "b", "drop"]);
  expect(directory.byLatestStart()).toBe(sorted);
  directory.put({ ...SALE, saleId: "b", version: 3 }, []);
  expect(directory.byLatestStart().map(({ saleId }) => saleId)).toEqual(["a", "b", "drop"]);
  directory.put({ ...SALE, saleId: "b", version: 4, startsAtMs: SALE.startsAtMs - 1 }, []);
  expect(directory.byLatestStart().map(({ saleId }) => saleId)).toEqual(["a", "drop", "b"]);
});

test("the sum of versions follows every put, and an older version changes nothing", () => {
  const directory = new SaleDirectory(4);
  expect(directory.versionSum).toBe(0);
  directory.put(SALE, [SKU]);
  directory.put({ ...SALE, saleId: "other", version: 5 }, []);
  expect(directory.versionSum).toBe(8);
  directory.put({ ...SALE, saleId: "other", version: 4 }, []);
  directory.put({ ...SALE, saleId: "other", version: 7 }, []);
  expect(directory.versionSum).toBe(10);
});
