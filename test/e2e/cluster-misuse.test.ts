// What must not be done to a cluster, done: refused or ignored with a clear line in the log, never a
// crash, never a wrong sale.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { connect, type KV, type NatsConnection } from "nats";

import { broadcastSubject, nodeSubject } from "../../src/cluster/subjects.ts";
import { EVICT_AFTER_MS } from "../../src/core/limits.ts";
import { createTokens } from "../../src/http/tokens/tokens.ts";
import { metricOf } from "../support/audited-nodes.ts";
import type { TestProgram } from "../support/engine.ts";
import { forgetFolder, StartFailure, temporaryFolder } from "../support/process.ts";
import { JWT_SECRET, startNodes, type WorldOfNodes } from "../support/world-of-nodes.ts";
import { until } from "../support/world.ts";

const PARTITIONS = 16;
const SKUS = Array.from({ length: 24 }, (_, index) => `sku-${index}`);
const HOUR_MS = 3_600_000;
const GARBAGE_ROUNDS = 20;
const SHIM = join(import.meta.dir, "../support/clock-shim.ts");
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const tokens = createTokens({ secret: JWT_SECRET, clock });

let world: WorldOfNodes;
let nats: NatsConnection;
let shoppers = 0;

beforeAll(async () => {
  world = await startNodes({ count: 2, partitions: PARTITIONS });
  nats = await connect({ servers: world.nats.url });
  await openSale(world);
}, 60_000);
afterAll(async () => {
  await nats?.close();
  await world?.stop();
}, 60_000);

async function openSale(of: WorldOfNodes): Promise<void> {
  const skus = SKUS.map((sku) => ({ sku, stock: 1_000, limit: 2 }));
  await of.applySale(of.nodes[0]!, { sale: "drop", skus });
  await until("every node sells all", () => sellsAll(of.nodes));
}

/** Each SKU is sold at each of these nodes, to shoppers who were never here before. */
async function sellsAll(nodes: readonly TestProgram[]): Promise<boolean> {
  const asked = nodes.flatMap(({ url }) =>
    SKUS.map(async (sku) => {
      const { accessToken } = await tokens.sign(`shopper-${(shoppers += 1)}`);
      const response = await fetch(`${url}/v1/sales/drop/skus/${sku}/hold`, {
        method: "PUT",
        headers: { authorization: `Bearer ${accessToken}`, "content-type": "application/json" },
        body: '{"quantity":1}',
      });
      await response.text();
      return response.status;
    }),
  );
  return (await Promise.all(asked)).every((status) => status === 201);
}

/** Waits until they sell all. Returns whether they did at once: not so on a machine that stalls. */
async function sellAtOnce(nodes: readonly TestProgram[]): Promise<boolean> {
  if (await sellsAll(nodes)) return true;
  await until("every node sells all", () => sellsAll(nodes));
  return false;
}

function says(at: TestProgram, text: string, fromOutput = 0): Promise<void> {
  return until(`a line about ${text}`, () => at.output().slice(fromOutput).includes(text));
}

async function isWhole(at: TestProgram, nodes: number): Promise<boolean> {
  const rows = await world.members(at);
  const owned = rows.reduce((sum, { partitions }) => sum + partitions, 0);
  return rows.length === nodes && owned === PARTITIONS;
}

test("of two nodes with one id that start at once, one serves and the other exits 2", async () => {
  const started = await Promise.all(
    [0, 1].map(() => world.startNode("twin").catch((cause: unknown) => cause as StartFailure)),
  );
  const failed = started.filter((one) => one instanceof StartFailure);
  const alive = started.find((one) => !(one instanceof StartFailure)) as TestProgram;
  expect(failed.map(({ exitCode }) => exitCode)).toEqual([2]);
  expect(failed[0]?.output).toContain("another node with DOORBUSTER_NODE_ID=twin is alive");
  await until("three members", () => isWhole(alive, 3));
  await until("it sells all", () => sellsAll([alive]));
  await alive.stop();
  await until("two members", () => isWhole(world.nodes[0]!, 2));
}, 120_000);

test("a node with another partition count exits 2 and says both", async () => {
  const failure = await world
    .startNode("other", { DOORBUSTER_PARTITIONS: "32" })
    .catch((cause: unknown) => cause);
  expect(failure).toMatchObject({ exitCode: 2 });
  expect(String(failure)).toMatch(/DOORBUSTER_PARTITIONS is 32.* with 16/);
}, 20_000);

test("a node whose clock is an hour off owns nothing, is not ready and says so", async () => {
  const folder = temporaryFolder("skew");
  writeFileSync(join(folder, "offset"), String(HOUR_MS));
  const skewed = await world.startNode(
    "skewed",
    { CLOCK_OFFSET_FILE: join(folder, "offset") },
    { bunArgs: ["--preload", SHIM], probe: () => "/livez" },
  );
  await until("it is a member", async () => (await world.members(skewed)).length === 3);
  await says(skewed, "clocks disagree: this node claims nothing");
  const ready = await fetch(`${skewed.url}/readyz`);
  expect({ status: ready.status, text: await ready.text() }).toEqual({
    status: 503,
    text: expect.stringContaining("clock"),
  });
  const rows = await world.members(world.nodes[0]!);
  expect(rows.find(({ nodeId }) => nodeId === "skewed")).toMatchObject({
    state: "joining",
    partitions: 0,
  });
  // What enters at it is decided by the owners, on their time.
  await until("every node sells all", () => sellsAll([skewed, ...world.nodes]));
  await skewed.stop();
  forgetFolder(folder);
}, 120_000);

test("a member list edited by hand is ignored, said aloud and replaced", async () => {
  const kv = await memberBucket();
  const [first, second] = world.nodes as [TestProgram, TestProgram];
  const list = async () => JSON.parse((await kv.get("members"))!.string());
  const known = await list();
  const edits: readonly (readonly [edit: () => Promise<unknown>, says: string])[] = [
    [() => kv.put("members", "not json"), "it is no member list"],
    [() => kv.put("members", JSON.stringify({ ...known, view: 1 })), "is behind ours"],
    [() => kv.put("members", JSON.stringify({ ...known, clusterId: "x" })), "it is of cluster x"],
    [
      async () => kv.put("members", JSON.stringify({ ...(await list()), members: [] })),
      "it is no member list",
    ],
    [() => kv.delete("members"), "it is no member list"],
  ];
  let late = 0;
  for (const [edit, says_] of edits) {
    const before = [first.output().length, second.output().length] as const;
    const { view } = await list();
    await edit();
    await Promise.all([
      says(first, `the stored member list is ignored: `, before[0]),
      until("it is replaced", async () => (await list().catch(() => known)).view > view),
    ]);
    expect(first.output().slice(before[0])).toContain(says_);
    if (!(await sellAtOnce(world.nodes))) late += 1;
    for (const at of world.nodes) await until("it is whole", () => isWhole(at, 2));
  }
  expect(late).toBeLessThanOrEqual(1);
}, 180_000);

test("garbage on the subjects is counted, said once and ignored", async () => {
  const clusterId = await clusterIdOf();
  const head = `1\t${clusterId}\n`;
  const garbage = [
    "",
    "\n",
    "garbage",
    "\u0000\u0001\u0002",
    "x".repeat(700_000),
    `99\t${clusterId}\nq\tnode-1\ti\t1\t1`,
    `1\tanother\nh\tnode-1\ti\t1\t1\t`,
    head,
    `${head}q\tnode-1\ti\tNaN\t1\n\n1\t1\tZ`,
    `${head}a\tnode-1\ti\t1\t1\tnobody\n\n1\tZ`,
    `${head}l\tnode-1\ti\t1\t1\nX\t1`,
    `${head}h\tghost\ti\t999999\t1\t0:zz,1:zz`,
    `${head}g\tghost\ti\t3\t999999\t1`,
    `${head}r\tghost\ti\ti\t3\t1\tgiven`,
    `${head}o\tghost\ti\ti\t1`,
  ];
  const subjects = [
    ...["node-1", "node-2"].map((id) => nodeSubject(id)),
    ...(["heartbeat", "levels"] as const).map((topic) => broadcastSubject(topic)),
  ];
  let late = 0;
  for (let round = 0; round < GARBAGE_ROUNDS; round += 1) {
    for (const subject of subjects) for (const text of garbage) nats.publish(subject, text);
    await nats.flush();
    if (!(await sellAtOnce(world.nodes))) late += 1;
  }
  // A machine that stalls does so once.
  expect(late).toBeLessThanOrEqual(1);
  for (const at of world.nodes) {
    await says(at, '"reason":"garbage"');
    await says(at, '"reason":"other_cluster"');
    await says(at, '"reason":"other_format"');
    expect(at.output().split('"reason":"garbage"').length - 1).toBe(1);
    await until("it is whole", () => isWhole(at, 2));
  }
}, 120_000);

test("two clusters on one NATS, with nodes of the same names, do not meet", async () => {
  const other = await startNodes({ count: 2, partitions: 8, nats: world.nats });
  try {
    await openSale(other);
    await until("all sell all", () => sellsAll([...other.nodes, ...world.nodes]));
    for (const at of other.nodes) {
      const rows = await other.members(at);
      expect(rows.reduce((sum, { partitions }) => sum + partitions, 0)).toBe(8);
    }
    for (const at of world.nodes) await until("it is whole", () => isWhole(at, 2));
    await says(other.nodes[0]!, '"reason":"other_cluster"');
    // The end of one is no end of the other's node of the same name.
    const before = await evictionsBy(world.nodes);
    const [left, killed] = other.nodes as [TestProgram, TestProgram];
    await killed.kill();
    await until("its own evict it", async () => (await evictionsBy([left]))[0] === 1);
    await Bun.sleep(EVICT_AFTER_MS + 1_000);
    expect(await evictionsBy(world.nodes)).toEqual(before);
    for (const at of world.nodes) expect(await isWhole(at, 2)).toBe(true);
  } finally {
    await other.stop();
  }
}, 120_000);

function evictionsBy(nodes: readonly TestProgram[]): Promise<readonly number[]> {
  return Promise.all(nodes.map((at) => metricOf(at, "doorbuster_evictions_total")));
}

async function clusterIdOf(): Promise<string> {
  const line = world.nodes[0]!.output()
    .split("\n")
    .find((one) => one.includes('"clusterId"'));
  return String(JSON.parse(line ?? "").clusterId);
}

async function memberBucket(): Promise<KV> {
  const bucket = `doorbuster_${await clusterIdOf()}`;
  return nats.jetstream().views.kv(bucket);
}
