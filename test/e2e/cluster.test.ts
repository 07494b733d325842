// Three engines as real processes on real servers: join, death, return, drain, misuse.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { EVICT_AFTER_MS, REJOIN_AFTER_MS, WELL_CONNECTED_MS } from "../../src/core/limits.ts";
import { createTokens } from "../../src/http/tokens/tokens.ts";
import type { TestProgram } from "../support/engine.ts";
import { JWT_SECRET, startNodes, type WorldOfNodes } from "../support/world-of-nodes.ts";

const PARTITIONS = 16;
const SKUS = Array.from({ length: 40 }, (_, index) => `sku-${index}`);
/** Evicted for a second time, as on a machine that stalls. */
const BACK_WITHIN_MS = REJOIN_AFTER_MS[1] + 10_000;
let world: WorldOfNodes;
const tokens = createTokens({
  secret: JWT_SECRET,
  clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
});

beforeAll(async () => {
  world = await startNodes({ count: 3, partitions: PARTITIONS });
  const skus = SKUS.map((sku) => ({ sku, stock: 1_000, limit: 2 }));
  await world.applySale(world.nodes[0]!, { sale: "drop", skus });
}, 60_000);
afterAll(async () => {
  await world.stop();
}, 60_000);

async function hold(at: TestProgram, shopper: string, sku: string): Promise<number> {
  const { accessToken } = await tokens.sign(shopper);
  const response = await fetch(`${at.url}/v1/sales/drop/skus/${sku}/hold`, {
    method: "PUT",
    headers: { authorization: `Bearer ${accessToken}`, "content-type": "application/json" },
    body: JSON.stringify({ quantity: 1 }),
  });
  await response.text();
  return response.status;
}

/** Polls; there is nothing to subscribe to from outside. */
async function until(what: string, isTrue: () => Promise<boolean>, limitMs = 20_000) {
  const startedMs = performance.now();
  for (;;) {
    if (await isTrue().catch(() => false)) return;
    if (performance.now() - startedMs > limitMs) {
      throw new Error(`not within ${limitMs} ms: ${what}`);
    }
    await Bun.sleep(20);
  }
}

async function ownedAt(at: TestProgram): Promise<readonly number[]> {
  return (await world.members(at)).map(({ partitions }) => partitions);
}

async function allOwned(at: TestProgram, nodeCount: number): Promise<boolean> {
  const owned = await ownedAt(at);
  return owned.length === nodeCount && owned.reduce((sum, count) => sum + count, 0) === PARTITIONS;
}

let shoppers = 0;

/** To a shopper who was never here before: a 200 would be an earlier hold. */
async function sellsEverySku(at: TestProgram): Promise<boolean> {
  shoppers += 1;
  return (await holdEverySku(at, `shopper-${shoppers}`)).every((status) => status === 201);
}

async function holdEverySku(at: TestProgram, shopper: string): Promise<readonly number[]> {
  return Promise.all(SKUS.map((sku) => hold(at, shopper, sku)));
}

async function allComeBack(): Promise<void> {
  for (const at of world.nodes) await until("three", () => allOwned(at, 3), BACK_WITHIN_MS);
}

function node(index: number): TestProgram {
  return world.nodes[index]!;
}

describe("a cluster of three", () => {
  test("every partition is owned once, and every node sees that", async () => {
    for (const at of world.nodes) await until("owned once", () => allOwned(at, 3));
    for (const count of await ownedAt(node(2))) expect(count).toBeLessThanOrEqual(7);
  }, 60_000);

  test("any node grants holds of any SKU, of a sale that another node published", async () => {
    for (const at of world.nodes) await until("it sells all", () => sellsEverySku(at));
  }, 60_000);

  test("a second engine with a living node's id ends with code 2 and says why", async () => {
    const failure = await world.startNode("node-2").catch((cause: unknown) => cause);
    expect(String(failure)).toContain("another node with DOORBUSTER_NODE_ID=node-2 is alive");
    expect(failure).toMatchObject({ exitCode: 2 });
    expect(await allOwned(node(0), 3)).toBe(true);
  });

  // The nodes are young: one judges others only when it has been connected for WELL_CONNECTED_MS.
  // How long it takes nodes that are well is measured by `bun bench/cluster/main.ts kill`.
  test("after kill −9 everything sells again, and the node comes back", async () => {
    await node(1).kill();
    const left = [node(0), node(2)];
    await until("all SKUs sell", async () => {
      const sells = await Promise.all(left.map(sellsEverySku));
      return sells.every(Boolean);
    });
    for (const at of left) await until("two members", () => allOwned(at, 2));
    await node(1).restart();
    await allComeBack();
  }, 120_000);

  test("a node paused for 5 s is replaced, steps down and comes back", async () => {
    node(2).pause();
    await until("it is evicted", () => allOwned(node(0), 2));
    await Bun.sleep(1_000);
    node(2).resume();
    await allComeBack();
    await until("it sells all", () => sellsEverySku(node(2)));
  }, 120_000);

  test("NATS away for 6 s: owners sell on, nobody is evicted, all is back", async () => {
    const before = await Promise.all(world.nodes.map((at) => evictions(at)));
    await world.nats.kill();
    await Bun.sleep(6_000);
    const statuses = await holdEverySku(node(0), "no-nats");
    expect(statuses).toContain(201);
    expect(new Set(statuses)).toEqual(new Set([201, 503]));
    await world.nats.restart();
    await until("all SKUs sell at every node", async () => {
      const all = await Promise.all(world.nodes.map(sellsEverySku));
      return all.every(Boolean);
    });
    // Who is wrongly found silent is evicted this long after NATS is back.
    await Bun.sleep(WELL_CONNECTED_MS + EVICT_AFTER_MS + 1_000);
    expect(await Promise.all(world.nodes.map((at) => evictions(at)))).toEqual(before);
    for (const at of world.nodes) expect(await allOwned(at, 3)).toBe(true);
  }, 60_000);

  test("node drain --wait moves everything, and the node leaves", async () => {
    const cli = ["--server", node(0).url, "--api-key", world.apiKey, "--json"];
    const said = await world.doorbuster([...cli, "node", "drain", "node-3", "--wait"]);
    expect(JSON.parse(said)).toEqual({ nodeId: "node-3", state: "left" });
    const list = JSON.parse(await world.doorbuster([...cli, "node", "list"]));
    expect(list.items.map(({ nodeId }: { nodeId: string }) => nodeId).sort()).toEqual([
      "node-1",
      "node-2",
    ]);
    await until("two own all", () => allOwned(node(1), 2));
    await until("it sells all", () => sellsEverySku(node(2)));
  }, 60_000);
});

async function evictions(at: TestProgram): Promise<string> {
  const text = await (await fetch(`${at.url}/metrics`)).text();
  return /^doorbuster_evictions_total (\d+)$/m.exec(text)?.[1] ?? "none";
}
