import { expect, test } from "bun:test";

import { missingOf } from "./migrations.ts";

const FIRST = { writtenAtMs: 10, hash: "a", sql: "" };
const SECOND = { writtenAtMs: 20, hash: "b", sql: "" };
const KNOWN = [FIRST, SECOND];
const place = "shop.sqlite";

test("what is missing is applied; what another build has added later is no matter", () => {
  expect(missingOf(KNOWN, { place, applied: [] })).toEqual(KNOWN);
  expect(missingOf(KNOWN, { place, applied: [FIRST] })).toEqual([SECOND]);
  const later = { writtenAtMs: 30, hash: "c" };
  expect(missingOf(KNOWN, { place, applied: [FIRST, SECOND, later] })).toEqual([]);
});

test.each([
  ["contents of its own", { writtenAtMs: 10, hash: "x" }],
  ["a migration that was written anew since", { writtenAtMs: 5, hash: "x" }],
])("a database with %s is refused by name", (_, foreign) => {
  const check = () => missingOf(KNOWN, { place, applied: [foreign] });
  expect(check).toThrow("config_invalid: shop.sqlite was set up by a build with other migrations");
});
