// The cluster: nodes with the real membership, ownership and router, which are started, killed, and
// asked to leave; and rogues, who ask nobody.

import { ClusterNode } from "../../src/cluster/cluster-node.ts";
import { Levels } from "../../src/cluster/levels.ts";
import { Router } from "../../src/cluster/router.ts";
import { Fault } from "../../src/core/errors.ts";
import { FORMAT, FORMAT_OLDEST_READ } from "../../src/core/formats.ts";
import type { Entrance } from "./clients.ts";
import type { SimFault } from "./faults.ts";
import type { Victims } from "./injector.ts";
import type { SimBus } from "./sim-bus.ts";
import { simMemberStore } from "./sim-members.ts";
import { SimNode, type Surroundings } from "./sim-node.ts";
import type { Process } from "./world.ts";

const CLUSTER_ID = "sim";
const JOIN_AGAIN_MS = 250;
/** A supervisor starts again what ended by itself. */
const START_AGAIN_MS = 1_000;
const RETIRE_MS = 5_000;

type Member = {
  readonly node: SimNode;
  readonly bus: SimBus;
  readonly cluster: ClusterNode;
  readonly router: Router;
  isLeaving: boolean;
  /** It is started again once it has left. */
  isWanted: boolean;
  isListening: boolean;
};

/** Requests that are still open when a node stops listening. */
const HTTP_GRACE_MS = 3_500;
const GRACE_STEP_MS = 20;
/** A connection is drained: what is on its way is answered. */
const DRAIN_MS = 10;

/** Who is connected to a process. */
export type Connections = {
  killed(process: Process): void;
  openAt(process: Process): number;
};

export class SimCluster implements Victims {
  readonly ids: readonly string[];
  readonly #around: Surroundings;
  readonly #clients: Connections;
  readonly #members = new Map<string, Member>();
  readonly #rogues = new Set<SimNode>();
  #lives = 0;

  constructor(around: Surroundings, ids: readonly string[], clients: Connections) {
    this.#around = around;
    this.ids = ids;
    this.#clients = clients;
  }

  startAll(): void {
    for (const id of this.ids) this.start(id);
  }

  /** All that runs now, rogues too. */
  get nodes(): readonly SimNode[] {
    return [...[...this.#members.values()].map(({ node }) => node), ...this.#rogues];
  }

  entrances(): readonly Entrance[] {
    const listening = [...this.#members.values()].filter(({ isListening }) => isListening);
    const members = listening.map(({ node, router }) => {
      return { nodeId: node.id, process: node.process, stock: router };
    });
    const rogues = [...this.#rogues].map(({ id, process, stock }) => {
      return { nodeId: id, process, stock };
    });
    return [...members, ...rogues];
  }

  node(id: string): SimNode | null {
    return this.#members.get(id)?.node ?? null;
  }

  start(id: string): void {
    const running = this.#members.get(id);
    if (running !== undefined) {
      running.isWanted = running.isLeaving;
      return;
    }
    const { world, network, random, partitionCount, members: table } = this.#around;
    const node = new SimNode(this.#around, id, this.#newLife());
    const { process, runtime, log, journal, stock } = node;
    const bus = network.connect(id, process, runtime);
    const cluster = new ClusterNode({
      id,
      address: () => `http://${id}`,
      formats: { oldest: FORMAT_OLDEST_READ, newest: FORMAT },
      clusterId: CLUSTER_ID,
      partitions: partitionCount,
      bus,
      store: simMemberStore({ world, network, random, table, nodeId: id, process }),
      runtime,
      log,
      local: stock,
      newIncarnation: () => this.#newLife(),
      mayServe: () => stock.mayClaim(),
      fencedView: () => journal.highestView(partitionCount),
      onFatal: (fault) => this.#exit(node, fault),
    });
    const { opensAtMs } = this.#around;
    const alike = { self: id, incarnation: process.name, bus, local: stock, runtime, log };
    const levels = new Levels({ ...alike, opensAtMs });
    const router = new Router({
      ...alike,
      partitionCount,
      owners: cluster.owners,
      edge: levels,
    });
    const member: Member = {
      node,
      bus,
      cluster,
      router,
      isLeaving: false,
      isWanted: false,
      isListening: true,
    };
    this.#members.set(id, member);
    world.after(0, process, () => {
      cluster.start();
      this.#join(member).catch((cause: unknown) => world.fail(cause));
    });
  }

  kill(id: string): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    this.#members.delete(id);
    this.#around.network.forget(member.bus);
    this.#end(member.node.process);
  }

  leave(id: string): void {
    const member = this.#members.get(id);
    if (member === undefined || member.isLeaving) return;
    member.isLeaving = true;
    const { world } = this.#around;
    world.after(0, member.node.process, () => {
      this.#leave(member).catch((cause: unknown) => world.fail(cause));
    });
  }

  rogue(fault: SimFault): () => void {
    const { world, partitionCount } = this.#around;
    const rogue = new SimNode(this.#around, "rogue", this.#newLife());
    this.#rogues.add(rogue);
    world.after(0, rogue.process, () => {
      rogue.journal.highestView(partitionCount).then(
        (view) => {
          const claimedView = fault.other === 0 ? view : view + 1;
          for (let partition = 0; partition < partitionCount; partition++) {
            if ((partition * 7 + fault.node) % 10 < fault.force * 10) {
              rogue.stock.own(partition, claimedView);
            }
          }
        },
        () => {},
      );
    });
    return () => {
      this.#rogues.delete(rogue);
      this.#end(rogue.process);
    };
  }

  /** As the engine starts: again and again until it is in. */
  async #join({ node, cluster }: Member): Promise<void> {
    for (;;) {
      try {
        await cluster.join();
        return;
      } catch (cause) {
        if (!(cause instanceof Fault)) throw cause;
        if (cause.code === "config_invalid") return this.#exit(node, cause);
        await node.runtime.pause(JOIN_AGAIN_MS);
      }
    }
  }

  /** As the engine stops. */
  async #leave(member: Member): Promise<void> {
    const { node, bus, cluster, router } = member;
    await cluster.retire(RETIRE_MS);
    member.isListening = false;
    for (let waitedMs = 0; waitedMs < HTTP_GRACE_MS; waitedMs += GRACE_STEP_MS) {
      if (this.#clients.openAt(node.process) === 0) break;
      await node.runtime.pause(GRACE_STEP_MS);
    }
    await node.stock.stop();
    await cluster.leave();
    bus.drain();
    await node.runtime.pause(DRAIN_MS);
    router.close();
    if (this.#members.get(node.id) !== member) return;
    this.kill(node.id);
    if (member.isWanted) this.start(node.id);
  }

  /** It ended by itself, and is started again. */
  #exit(node: SimNode, fault: Fault): void {
    const { world } = this.#around;
    world.log(`exit ${node.process.name}: ${fault.message}`);
    world.after(0, null, () => {
      if (this.#members.get(node.id)?.node !== node) return;
      this.kill(node.id);
      world.after(START_AGAIN_MS, null, () => this.start(node.id));
    });
  }

  #end(process: Process): void {
    this.#around.world.kill(process);
    this.#clients.killed(process);
  }

  #newLife(): string {
    return `i${++this.#lives}`;
  }
}
