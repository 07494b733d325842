// The mutants themselves are run by `bun run mutants`, which takes long. That each still finds its
// place in the code is looked at with every run of the tests: else they rot unseen.

import { expect, test } from "bun:test";
import { join, resolve } from "node:path";

import { ACTOR_MUTANTS, PROJECTION_MUTANTS } from "./actors.ts";
import { CLUSTER_MUTANTS, ROUTER_MUTANTS, SCRIPT_MUTANTS } from "./cluster.ts";
import { CORE_MUTANTS, HOLD_MUTANTS } from "./core.ts";

const ROOT = resolve(import.meta.dir, "../..");
const MUTANTS = [
  ...CORE_MUTANTS,
  ...HOLD_MUTANTS,
  ...ACTOR_MUTANTS,
  ...PROJECTION_MUTANTS,
  ...CLUSTER_MUTANTS,
  ...ROUTER_MUTANTS,
  ...SCRIPT_MUTANTS,
];

test("each mutant's text stands exactly once in its file, and is changed", async () => {
  const misfits: string[] = [];
  for (const { name, file, find, replace } of MUTANTS) {
    const source = await Bun.file(join(ROOT, file)).text();
    const places = source.split(find).length - 1;
    if (places !== 1) misfits.push(`${name}: ${places} places in ${file}`);
    if (find === replace) misfits.push(`${name}: changes nothing`);
  }
  expect(misfits).toEqual([]);
});

test("each mutant has a name of its own", () => {
  const names = MUTANTS.map(({ name }) => name);
  expect(names.length).toBe(new Set(names).size);
});
