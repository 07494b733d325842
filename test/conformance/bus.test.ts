import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { connect, type NatsConnection } from "nats";

import { LocalNetwork } from "../../src/cluster/local-bus.ts";
import { connectNats } from "../../src/cluster/nats/connect.ts";
import { NatsBus } from "../../src/cluster/nats/nats-bus.ts";
import { nodeSubject } from "../../src/cluster/subjects.ts";
import type { Bus } from "../../src/core/ports/bus.ts";
import { systemRuntime } from "../../src/engine/runtime.ts";
import { type FaultProxy, startProxy } from "../support/fault-proxy.ts";
import { LogLines, systemClock } from "../support/http-fakes.ts";
import { startNats, type TestNats } from "../support/servers.ts";
import { STALL_MS } from "../support/stall.ts";
import { busSuite, connected, Inbox, roundTrip } from "./bus.suite.ts";

const CLUSTER_ID = "cluster-1";
const log = new LogLines();

busSuite("one process", () => {
  const network = new LocalNetwork();
  const runtime = systemRuntime(systemClock);
  const busesOf = (nodeId: string) => network.listeners(nodeId);
  return Promise.resolve({
    connect: (nodeId, clusterId = CLUSTER_ID) =>
      Promise.resolve(network.connect({ nodeId, clusterId, runtime, log })),
    inject: (nodeId, text) => {
      for (const bus of busesOf(nodeId)) bus.deliver(text);
    },
    cut: (nodeId) => Promise.resolve(busesOf(nodeId).forEach((bus) => bus.setConnected(false))),
    mend: (nodeId) => Promise.resolve(busesOf(nodeId).forEach((bus) => bus.setConnected(true))),
    close: () => Promise.resolve(),
  });
});

let server: TestNats;
let stranger: NatsConnection;

beforeAll(async () => {
  server = await startNats();
  stranger = await connect({ servers: server.url });
});

afterAll(async () => {
  await stranger.close();
  await server.stop();
});

async function natsBus(url: string, nodeId: string, clusterId = CLUSTER_ID): Promise<NatsBus> {
  const connection = await connectNats({ url, name: nodeId, log });
  const bus = new NatsBus({ connection, nodeId, clusterId, clock: systemClock, log });
  // The server has the subscriptions when it has answered what came after them.
  await connection.flush();
  return bus;
}

busSuite("nats-server", () => {
  const proxies = new Map<string, FaultProxy>();
  const buses: Bus[] = [];
  return Promise.resolve({
    async connect(nodeId, clusterId = CLUSTER_ID) {
      const proxy = await startProxy({ port: server.port });
      proxies.set(nodeId, proxy);
      const bus = await natsBus(`nats://${proxy.host}:${proxy.port}`, nodeId, clusterId);
      buses.push(bus);
      return bus;
    },
    inject: (nodeId, text) => stranger.publish(nodeSubject(nodeId), text),
    cut: (nodeId) => {
      const proxy = proxies.get(nodeId)!;
      proxy.acceptThenClose = true;
      proxy.cutAll();
      return Promise.resolve();
    },
    mend: (nodeId) => {
      proxies.get(nodeId)!.acceptThenClose = false;
      return Promise.resolve();
    },
    async close() {
      for (const bus of buses) await bus.close();
      for (const proxy of proxies.values()) await proxy.close();
    },
  });
});

describe("a NATS server that goes and comes back", () => {
  test("killed for 3 s: buses come back by themselves within seconds, with their subscriptions", async () => {
    const own = await startNats();
    const [a, b] = await Promise.all([natsBus(own.url, "a"), natsBus(own.url, "b")]);
    const inbox = new Inbox();
    b.onMessage(inbox.take);
    const lost = Promise.all([connected(a, false), connected(b, false)]);
    await own.kill();
    await lost;
    a.send("b", "during the outage");
    await Bun.sleep(3_000);
    const back = Promise.all([connected(a, true), connected(b, true)]);
    await own.restart();
    const startedMs = performance.now();
    await back;
    expect(performance.now() - startedMs).toBeLessThan(2_000 + STALL_MS);
    await roundTrip(a, inbox, "b");
    expect(inbox.texts).not.toContain("during the outage");
    await Promise.all([a.close(), b.close()]);
    await own.stop();
  }, 30_000);

  test("a link that says nothing any more is noticed by its pings", async () => {
    const proxy = await startProxy({ port: server.port });
    const bus = await natsBus(`nats://${proxy.host}:${proxy.port}`, "a");
    const lost = connected(bus, false);
    proxy.pause();
    const startedMs = performance.now();
    await lost;
    expect(performance.now() - startedMs).toBeLessThan(8_000 + STALL_MS);
    const back = connected(bus, true);
    proxy.resume();
    await back;
    await bus.close();
    await proxy.close();
  }, 30_000);

  test("a server that is not there at the start is waited for", async () => {
    const own = await startNats();
    const { url } = own;
    await own.kill();
    const connecting = natsBus(url, "a");
    await own.restart();
    const bus = await connecting;
    expect(bus.isConnected).toBe(true);
    await bus.close();
    await own.stop();
  }, 30_000);
});
