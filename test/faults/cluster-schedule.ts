// The faults of a seeded schedule. Each ends with everything healed and every process running.

import type { FaultProxy } from "../support/fault-proxy.ts";
import type { FaultyNode, FaultyNodes } from "../support/faulty-nodes.ts";

export type FaultAt = {
  readonly faulty: FaultyNodes;
  readonly node: FaultyNode;
  readonly random: () => number;
};

export type ClusterFault = {
  readonly name: string;
  readonly run: (at: FaultAt) => Promise<void>;
};

type Wire = (at: FaultAt) => FaultProxy;
const toNats: Wire = ({ node }) => node.toNats;
const toRedis: Wire = ({ node }) => node.toRedis;
const toGateway: Wire = ({ faulty }) => faulty.toGateway;
const toDatabases: Wire = ({ faulty }) => faulty.toDatabases;

export const FAULTS: readonly ClusterFault[] = [
  {
    name: "SIGKILL",
    run: async ({ node, random }) => {
      await node.engine.kill();
      await Bun.sleep(random() * 3_000);
      await node.engine.restart();
    },
  },
  paused("SIGSTOP for a moment", 100, 1_000),
  paused("SIGSTOP", 1_000, 6_000),
  paused("SIGSTOP for long", 10_000, 30_000),
  {
    name: "NATS restarts",
    run: async ({ faulty, random }) => {
      await faulty.world.nats.kill();
      await Bun.sleep(random() * 8_000);
      await faulty.world.nats.restart();
    },
  },
  {
    name: "Redis restarts",
    run: async ({ faulty, random }) => {
      await faulty.world.redis.kill();
      await Bun.sleep(random() * 3_000);
      await faulty.world.redis.restart();
    },
  },
  {
    name: "Redis hangs",
    run: async ({ faulty, random }) => {
      faulty.world.redis.pause();
      await Bun.sleep(random() * 4_000);
      faulty.world.redis.resume();
    },
  },
  ...[
    { wire: toNats, name: "NATS", lastsMs: 8_000 },
    { wire: toRedis, name: "Redis", lastsMs: 8_000 },
  ].flatMap(({ wire, name, lastsMs }) => [
    broken(`cut from ${name}`, wire, lastsMs, (proxy) => proxy.cut()),
    broken(`${name} silent`, wire, lastsMs, (proxy) => proxy.pause()),
    broken(`${name} half-open`, wire, lastsMs, (proxy) => proxy.halfOpen()),
    broken(`${name} slow`, wire, lastsMs, (proxy) => {
      Object.assign(proxy, { latencyMs: 60, jitterMs: 200 });
    }),
    broken(`${name} resets`, wire, 1_000, (proxy) => proxy.resetAfter(4_000, "to_client")),
  ]),
  replies("replies of Redis are lost", (proxy) => proxy.dropReply(3)),
  replies("replies of Redis are cut", (proxy) => proxy.cutReply(3, 5)),
  broken("gateway cut", toGateway, 5_000, (proxy) => proxy.cut()),
  broken("gateway silent", toGateway, 5_000, (proxy) => proxy.pause()),
  broken("shards cut", toDatabases, 5_000, (proxy) => proxy.cut()),
  broken("shards silent", toDatabases, 5_000, (proxy) => proxy.pause()),
];

function paused(name: string, leastMs: number, mostMs: number): ClusterFault {
  return {
    name,
    run: async ({ node, random }) => {
      node.engine.pause();
      await Bun.sleep(leastMs + random() * (mostMs - leastMs));
      node.engine.resume();
    },
  };
}

function broken(
  name: string,
  wire: Wire,
  lastsMs: number,
  begin: (proxy: FaultProxy) => void,
): ClusterFault {
  return {
    name,
    run: async (at) => {
      const proxy = wire(at);
      begin(proxy);
      await Bun.sleep(at.random() * lastsMs);
      proxy.heal();
    },
  };
}

/** Several times, each in the middle of what it is about. */
function replies(name: string, arm: (proxy: FaultProxy) => Promise<void>): ClusterFault {
  return {
    name,
    run: async (at) => {
      for (let time = 0; time < 5; time += 1) {
        await Promise.race([arm(toRedis(at)), Bun.sleep(2_000)]);
        await Bun.sleep(at.random() * 500);
      }
      toRedis(at).heal();
    },
  };
}
