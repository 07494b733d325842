// ADR-32 by raw requests, as the `nats` tool of an SRE sends them.

import { afterAll, beforeAll, expect, test } from "bun:test";

import { connect, type NatsConnection, RequestStrategy } from "nats";

import { startNats, type TestNats } from "../../../test/support/servers.ts";
import { NodeStats } from "../../actors/stats.ts";
import { nodeStatusOf } from "../node-status.ts";
import { startMicroService } from "./micro.ts";

let server: TestNats;
let sre: NatsConnection;
const ends: (() => Promise<void>)[] = [];
const stats = new NodeStats();

beforeAll(async () => {
  server = await startNats();
  sre = await connect({ servers: server.url });
  for (const nodeId of ["n1", "n2"]) await startNode(nodeId);
});

afterAll(async () => {
  for (const end of ends) await end();
  await sre.close();
  await server.stop();
});

async function startNode(nodeId: string): Promise<void> {
  const connection = await connect({ servers: server.url });
  const end = await startMicroService({
    connection,
    nodeId,
    incarnation: `life of ${nodeId}`,
    clusterId: "cluster-1",
    version: "0.1.0",
    status: () =>
      nodeStatusOf({
        nodeId,
        incarnation: () => `life of ${nodeId}`,
        partitions: () => [
          { id: 3, state: "serving", view: 7, claim: 12, seq: 345, queueDepth: 6 },
          { id: 4, state: "idle", view: 0, claim: 0, seq: 0, queueDepth: 0 },
        ],
        stats,
        router: {
          stats: { sent: 1, moved: 2, noResponders: 3, parked: 4, refused: 5, unknown: 6 },
          pendingCount: 7,
          parkedCount: 8,
        },
        view: () => 7,
        loopLagMs: () => 1.26,
      }),
  });
  await connection.flush();
  ends.push(async () => {
    await end();
    await connection.close();
  });
}

/** Scatter-gather: the answers of both nodes. */
async function askAll(subject: string): Promise<Record<string, unknown>[]> {
  const replies = await sre.requestMany(subject, "", {
    strategy: RequestStrategy.Count,
    maxMessages: 2,
    maxWait: 2_000,
  });
  const answers: Record<string, unknown>[] = [];
  for await (const reply of replies) answers.push(reply.json<Record<string, unknown>>());
  return answers.sort((a, b) => nodeOf(a).localeCompare(nodeOf(b)));
}

function nodeOf(answer: Record<string, unknown>): string {
  return (answer["metadata"] as { node: string }).node;
}

test("every node answers PING, by kind and by name", async () => {
  for (const subject of ["$SRV.PING", "$SRV.PING.doorbuster"]) {
    const answers = await askAll(subject);
    expect(answers.map(nodeOf)).toEqual(["n1", "n2"]);
    expect(answers[0]).toMatchObject({
      type: "io.nats.micro.v1.ping_response",
      name: "doorbuster",
      version: "0.1.0",
      metadata: { node: "n1", incarnation: "life of n1", cluster: "cluster-1" },
    });
  }
});

test("INFO names the status endpoint, and the endpoint answers", async () => {
  const answers = await askAll("$SRV.INFO.doorbuster");
  const [first] = answers;
  expect(first).toMatchObject({ type: "io.nats.micro.v1.info_response" });
  const [endpoint] = first!["endpoints"] as { name: string; subject: string }[];
  expect(endpoint).toMatchObject({ name: "status", subject: "db.node.n1.status" });
  const reply = await sre.request(endpoint!.subject);
  expect(reply.json<{ node: string }>().node).toBe("n1");
});

test("STATS carries the node's live data", async () => {
  stats.fenced = 2;
  stats.unknown = 1;
  for (let commit = 0; commit < 100; commit++) stats.commitMs.record(commit < 95 ? 0.7 : 30);
  const [first] = await askAll("$SRV.STATS.doorbuster");
  const [endpoint] = first!["endpoints"] as { name: string; data: unknown }[];
  expect(endpoint).toMatchObject({
    name: "status",
    data: {
      node: "n1",
      view: 7,
      partitions: [{ id: 3, state: "serving", view: 7, claim: 12, seq: 345, queueDepth: 6 }],
      queueDepth: 6,
      commitMs: { p50: 1, p99: 50 },
      fenced: 2,
      unknown: 1,
      loopLagMs: 1.3,
      router: { moved: 2, noResponders: 3, pending: 7, waiting: 8 },
    },
  });
});

test("one node is asked by its service id", async () => {
  const [first] = await askAll("$SRV.PING.doorbuster");
  const reply = await sre.request(`$SRV.STATS.doorbuster.${String(first!["id"])}`);
  expect(nodeOf(reply.json<Record<string, unknown>>())).toBe("n1");
});
