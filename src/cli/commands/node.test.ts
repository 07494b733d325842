import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  CLI_API_KEY,
  type CliRun,
  doorbuster,
  type Said,
  startScriptedApi,
} from "../../../test/support/cli.ts";

const ROWS = [
  { nodeId: "node-1", state: "up", partitions: 40, address: "http://127.0.0.1:3000" },
  { nodeId: "node-2", state: "up", partitions: 24, address: null },
];
const api = startScriptedApi();
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "doorbuster-node-"));
});
beforeEach(() => api.reset());
afterAll(async () => {
  await api.stop();
  await rm(folder, { recursive: true });
});

function command(...args: readonly string[]): Promise<CliRun> {
  const environment = { DOORBUSTER_SERVER: api.url, DOORBUSTER_API_KEY: CLI_API_KEY };
  return doorbuster(args, { cwd: folder, environment });
}

/** Answers the drain, and lists with node-2 this often before it has left. */
function drainTaking(looks: number): void {
  let left = looks;
  api.say(({ method }): Said => {
    if (method === "POST") return { status: 202, body: { nodeId: "node-2", state: "draining" } };
    const items = left-- > 0 ? ROWS : ROWS.slice(0, 1);
    return { body: { items, next: null } };
  });
}

test("list shows every node, its state and its partitions", async () => {
  api.say(() => ({ body: { items: ROWS, next: null } }));
  const ran = await command("node", "list");
  expect(ran.exitCode).toBe(0);
  expect(ran.stdout.split("\n").map((line) => line.trim().split(/ +/))).toEqual([
    ["NODE", "STATE", "PARTITIONS", "ADDRESS"],
    ["node-1", "up", "40", "http://127.0.0.1:3000"],
    ["node-2", "up", "24"],
    [""],
  ]);
});

test("drain asks once and does not wait by itself", async () => {
  drainTaking(1);
  const ran = await command("node", "drain", "node-2", "--json");
  expect(JSON.parse(ran.stdout)).toEqual({ nodeId: "node-2", state: "draining" });
  expect(api.asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "POST /v1/admin/nodes/node-2/drain",
  ]);
});

test("drain --wait ends when the node is no member any more", async () => {
  drainTaking(2);
  const ran = await command("node", "drain", "node-2", "--wait");
  expect(ran.exitCode).toBe(0);
  expect(ran.stdout).toContain("node-2 has left");
  expect(api.asked).toHaveLength(4);
});

test("drain --wait says how far it is when the time is up, and fails", async () => {
  drainTaking(100);
  const ran = await command("node", "drain", "node-2", "--wait", "--timeout", "0");
  expect(ran.exitCode).toBe(1);
  expect(ran.stderr).toContain("node-2 still serves 24 partitions");
});

test("draining an unknown node is not found; a bad timeout is wrong usage", async () => {
  const unknown = await command("node", "drain", "node-9");
  expect(unknown.exitCode).toBe(4);
  const wrong = await command("node", "drain", "node-2", "--timeout", "soon");
  expect(wrong.exitCode).toBe(2);
});
