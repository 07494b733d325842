// A cluster in which every wire can be cut: each node reaches NATS and Redis through proxies of its
// own, and all reach the gateway and the shards through one each.

import type { Audited } from "./audit.ts";
import { auditedNodes } from "./audited-nodes.ts";
import type { TestProgram } from "./engine.ts";
import { type FaultProxy, startProxy } from "./fault-proxy.ts";
import { startNodes, type WorldOfNodes } from "./world-of-nodes.ts";

export type FaultyNode = {
  readonly id: string;
  readonly engine: TestProgram;
  readonly toNats: FaultProxy;
  readonly toRedis: FaultProxy;
};

/** The nodes have proxies; `world` is what they stand on. */
export class FaultyNodes {
  readonly world: WorldOfNodes;
  readonly nodes: FaultyNode[] = [];
  readonly toGateway: FaultProxy;
  readonly toDatabases: FaultProxy;

  constructor(world: WorldOfNodes, toGateway: FaultProxy, toDatabases: FaultProxy) {
    this.world = world;
    this.toGateway = toGateway;
    this.toDatabases = toDatabases;
  }

  /** A node of that id more, ready when this resolves. */
  async add(id: string, env: Record<string, string> = {}): Promise<FaultyNode> {
    const { nats, redis } = this.world;
    const [toNats, toRedis] = await Promise.all([
      startProxy({ port: nats.port }),
      startProxy({ port: redis.port }),
    ]);
    const own = {
      DOORBUSTER_NATS_URL: `nats://127.0.0.1:${toNats.port}`,
      DOORBUSTER_REDIS_URL: `redis://127.0.0.1:${toRedis.port}`,
      ...this.#shared(),
      ...env,
    };
    const engine = await this.world.startNode(id, own);
    const node = { id, engine, toNats, toRedis };
    this.world.nodes.push(engine);
    this.nodes.push(node);
    return node;
  }

  get ports(): readonly number[] {
    return this.nodes.map(({ engine }) => engine.port);
  }

  get proxies(): readonly FaultProxy[] {
    const own = this.nodes.flatMap(({ toNats, toRedis }) => [toNats, toRedis]);
    return [...own, this.toGateway, this.toDatabases];
  }

  audited(): Audited {
    return auditedNodes(this.world);
  }

  /** Every partition has an owner that serves it, and every node sees so. */
  isWhole(nodeCount: number): Promise<boolean> {
    return this.world.isWhole(nodeCount);
  }

  async stop(): Promise<void> {
    for (const proxy of this.proxies) proxy.heal();
    for (const { engine } of this.nodes) engine.resume();
    await this.world.stop();
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
  }

  #shared(): Record<string, string> {
    const { simulator, postgres, shardUrls } = this.world;
    const { port } = this.toDatabases;
    const shards = shardUrls.map((url) => url.replace(`:${postgres.port}/`, `:${port}/`));
    return {
      DOORBUSTER_SHARD_DATABASE_URLS: shards.join(","),
      DOORBUSTER_PAYMENT_URL: simulator.url.replace(/:\d+/, `:${this.toGateway.port}`),
    };
  }
}

export async function startFaultyNodes(options: {
  readonly count: number;
  readonly partitions: number;
  readonly env?: Record<string, string>;
}): Promise<FaultyNodes> {
  const world = await startNodes({ ...options, count: 0 });
  const faulty = new FaultyNodes(
    world,
    await startProxy({ port: world.simulator.port }),
    await startProxy({ port: world.postgres.port }),
  );
  for (let index = 1; index <= options.count; index++) await faulty.add(`node-${index}`);
  return faulty;
}
