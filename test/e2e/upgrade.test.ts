// A rolling upgrade from this format version to the next, under load, with a build of the next one;
// and versions that must not meet.

import { afterAll, beforeAll, expect, test } from "bun:test";

import { FORMAT } from "../../src/core/formats.ts";
import { createTokens } from "../../src/http/tokens/tokens.ts";
import { ledgerOf } from "../support/audit.ts";
import { auditedNodes } from "../support/audited-nodes.ts";
import { versionAhead } from "../support/other-version.ts";
import { SteadyLoad } from "../support/steady-load.ts";
import { JWT_SECRET, startNodes, type WorldOfNodes } from "../support/world-of-nodes.ts";
import { until } from "../support/world.ts";

const SKUS = Array.from({ length: 12 }, (_, index) => `sku-${index}`);
const PARTITIONS = 16;
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const tokens = createTokens({ secret: JWT_SECRET, clock });

let world: WorldOfNodes;
beforeAll(async () => {
  world = await startNodes({ count: 3, partitions: PARTITIONS });
  const skus = SKUS.map((sku) => ({ sku, stock: 100, limit: 2 }));
  await world.applySale(world.nodes[0]!, { sale: "drop", skus });
}, 60_000);
afterAll(async () => {
  await world?.stop();
}, 60_000);

function rowsOf(isWritten: (format: number) => boolean) {
  return async (): Promise<number> => {
    const rows = await ledgerOf(auditedNodes(world));
    return rows.filter(({ bytes }) => isWritten(Number(bytes.split("\t", 1)[0]))).length;
  };
}
const oldRows = rowsOf((format) => format === FORMAT);
const newRows = rowsOf((format) => format === FORMAT + 1);

test("a build two versions ahead is refused at join, and says why", async () => {
  const failure = await world
    .startNode("node-4", {}, { root: versionAhead(2) })
    .catch((cause: unknown) => cause);
  expect(failure).toMatchObject({ exitCode: 2 });
  expect(String(failure)).toContain("upgrade one version at a time");
}, 20_000);

test("no 5xx for who repeats once while each node is replaced by one of the next version", async () => {
  const load = new SteadyLoad({
    ports: world.nodes.map(({ port }) => port),
    sale: "drop",
    skus: SKUS,
    shoppers: 24,
    thinkMs: 20,
    token: async (id) => (await tokens.sign(id)).accessToken,
  });
  const root = versionAhead(1);
  await load.start();
  for (const [index, old] of world.nodes.entries()) {
    await until("it sells", () => load.met.length > 200 * (index + 1));
    expect(await newRows()).toBe(0);
    await old.end();
    const id = `node-${index + 1}`;
    world.nodes[index] = await world.startNode(id, {}, { root, port: old.port });
    await until("it is whole", () => world.isWhole(3));
    // A roll-out gives those who were told to come back in a second the time to do so.
    await Bun.sleep(1_500);
  }
  const before = load.met.length;
  await until("it sells on", () => load.met.length > before + 500);
  await load.stop();
  expect(load.failedTwice).toEqual([]);
  await until("the new format is written", async () => (await newRows()) > 0);
  expect(await oldRows()).toBeGreaterThan(0);
  const { skus } = await auditedNodes(world).report("drop");
  for (const { released, available, held, sold } of skus) {
    expect(available + held + sold).toBe(released);
  }
}, 240_000);

test("an older build is refused once the new format is written, and says why", async () => {
  const failure = await world.startNode("node-4").catch((cause: unknown) => cause);
  expect(failure).toMatchObject({ exitCode: 2 });
  expect(String(failure)).toContain("there is no way back to an older version");
  expect(await world.isWhole(3)).toBe(true);
}, 20_000);
