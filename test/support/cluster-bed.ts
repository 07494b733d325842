// A cluster of nodes on the simulated world, for tests of membership and ownership alone: real
// ClusterNodes, partitions that only have a fence.

import { ClusterNode } from "../../src/cluster/cluster-node.ts";
import { Fault } from "../../src/core/errors.ts";
import type {
  LocalPartition,
  LocalPartitions,
  OwnershipChange,
} from "../../src/core/ports/local-partitions.ts";
import type { Logger } from "../../src/core/ports/logger.ts";
import type { Member, MemberList } from "../../src/core/ports/members.ts";
import type { Runtime } from "../../src/core/ports/runtime.ts";
import { Random } from "../sim/random.ts";
import { type SimBus, SimNetwork } from "../sim/sim-bus.ts";
import { simMemberStore, SimMemberTable } from "../sim/sim-members.ts";
import { simRuntime } from "../sim/sim-runtime.ts";
import { Process, World } from "../sim/world.ts";

const CLUSTER_ID = "bed";
const LOAD_MS = 3;
const GIVE_MS = 2;

type Fence = { view: number; claim: number; owner: string };

/** The claims of all partitions, as the journal keeps them. */
class Fences {
  readonly #fences = new Map<number, Fence>();

  of(partition: number): Fence {
    let fence = this.#fences.get(partition);
    if (fence === undefined) {
      fence = { view: 0, claim: 0, owner: "" };
      this.#fences.set(partition, fence);
    }
    return fence;
  }

  get highestView(): number {
    return Math.max(0, ...[...this.#fences.values()].map(({ view }) => view));
  }

  /** Null: refused. */
  claim(partition: number, view: number, owner: string): number | null {
    const fence = this.of(partition);
    const isTaken = view === fence.view && owner !== fence.owner && fence.owner !== "";
    if (view < fence.view || isTaken) return null;
    fence.view = view;
    fence.owner = owner;
    return ++fence.claim;
  }
}

class FencedPartitions implements LocalPartitions {
  /** Partitions that were given away, in their order. */
  readonly given: number[] = [];
  /** False: a node whose disown never ends. */
  givesAtAll = true;
  readonly #fences: Fences;
  readonly #runtime: Runtime;
  readonly #rows: { -readonly [K in keyof LocalPartition]: LocalPartition[K] }[];
  readonly #lives: number[] = [];
  readonly #handlers: ((change: OwnershipChange) => void)[] = [];
  owner = "";

  constructor(fences: Fences, runtime: Runtime, count: number) {
    this.#fences = fences;
    this.#runtime = runtime;
    this.#rows = Array.from({ length: count }, (_, id) => {
      return { id, state: "idle", view: 0, claim: 0, seq: 0, queueDepth: 0 };
    });
  }

  partition(id: number): LocalPartition {
    return { ...this.#rows[id]! };
  }

  setDepth(id: number, depth: number): void {
    this.#rows[id]!.queueDepth = depth;
  }

  own(partition: number, view: number, after?: Promise<void>): void {
    this.#rows[partition]!.state = "loading";
    const life = (this.#lives[partition] = (this.#lives[partition] ?? 0) + 1);
    void this.#load({ partition, view, life }, after ?? Promise.resolve());
  }

  async disown(partition: number): Promise<void> {
    const row = this.#rows[partition]!;
    if (row.state === "serving") {
      this.given.push(partition);
      if (!this.givesAtAll) await new Promise(() => {});
      await this.#runtime.pause(GIVE_MS);
    }
    this.#drop(partition);
  }

  claimAs(owner: string): void {
    this.owner = owner;
  }

  onOwnership(handler: (change: OwnershipChange) => void): void {
    this.#handlers.push(handler);
  }

  /** A commit, as it ends for an owner that was fenced meanwhile. */
  commit(partition: number): void {
    const row = this.#rows[partition]!;
    const fence = this.#fences.of(partition);
    if (row.claim === fence.claim) return;
    this.#drop(partition);
    this.#tell({ kind: "lost", partition, owner: fence.owner });
  }

  get serving(): readonly number[] {
    return this.#rows.filter(({ state }) => state === "serving").map(({ id }) => id);
  }

  askWithin(): Promise<never> {
    return Promise.reject(new Fault("not_owner", "a bed has no SKUs"));
  }

  cartOf(): Promise<never> {
    return this.askWithin();
  }

  countsOf(): Promise<never> {
    return this.askWithin();
  }

  async #load(
    { partition, view, life }: { partition: number; view: number; life: number },
    after: Promise<void>,
  ): Promise<void> {
    await after;
    await this.#runtime.pause(LOAD_MS);
    if (this.#lives[partition] !== life) return;
    const claim = this.#fences.claim(partition, view, this.owner);
    if (claim === null) {
      this.#drop(partition);
      this.#tell({ kind: "lost", partition, owner: this.#fences.of(partition).owner });
      return;
    }
    Object.assign(this.#rows[partition]!, { state: "serving", view, claim });
    this.#tell({ kind: "serving", partition, claim });
  }

  #drop(partition: number): void {
    this.#lives[partition] = (this.#lives[partition] ?? 0) + 1;
    Object.assign(this.#rows[partition]!, { state: "idle", view: 0, claim: 0 });
  }

  #tell(change: OwnershipChange): void {
    for (const handler of this.#handlers) handler(change);
  }
}

export type BedNode = {
  readonly id: string;
  readonly process: Process;
  readonly bus: SimBus;
  readonly local: FencedPartitions;
  readonly cluster: ClusterNode;
  readonly lines: string[];
  mayServe: boolean;
  /** What `join` ended with: null while it runs. */
  joined: "in" | Fault | null;
  fatal: Fault | null;
};

export class ClusterBed {
  readonly world = new World();
  readonly random = new Random(1);
  readonly network = new SimNetwork(this.world, this.random);
  readonly table = new SimMemberTable();
  readonly fences = new Fences();
  readonly partitions: number;
  #lives = 0;

  constructor(partitions = 8) {
    this.partitions = partitions;
  }

  start(
    id: string,
    options: { formats?: Member["formats"]; partitions?: number; mayServe?: boolean } = {},
  ): BedNode {
    const { world, network, random, table } = this;
    const partitions = options.partitions ?? this.partitions;
    const process = new Process(`${id}/${++this.#lives}`);
    const runtime = simRuntime(world, process, random);
    const bus = network.connect(id, process, runtime);
    const local = new FencedPartitions(this.fences, runtime, partitions);
    const lines: string[] = [];
    const node: BedNode = {
      id,
      process,
      bus,
      local,
      lines,
      joined: null,
      fatal: null,
      mayServe: options.mayServe ?? true,
      cluster: new ClusterNode({
        id,
        partitions,
        bus,
        runtime,
        local,
        clusterId: CLUSTER_ID,
        address: () => `http://${id}`,
        formats: options.formats ?? { oldest: 1, newest: 1 },
        store: simMemberStore({ world, network, random, table, nodeId: id, process }),
        log: loggerOf(lines),
        newIncarnation: () => `i${++this.#lives}`,
        mayServe: () => node.mayServe,
        fencedView: () => Promise.resolve(this.fences.highestView),
        onFatal: (fault) => {
          node.fatal = fault;
        },
      }),
    };
    world.after(0, process, () => {
      node.cluster.start();
      void this.#join(node, runtime);
    });
    return node;
  }

  /** Starts them one after the other, and lets them settle. */
  startAll(...ids: readonly string[]): BedNode[] {
    const nodes = ids.map((id) => {
      const node = this.start(id);
      this.run(1_000);
      return node;
    });
    this.run(4_000);
    return nodes;
  }

  kill(node: BedNode): void {
    this.world.kill(node.process);
    this.network.forget(node.bus);
  }

  run(forMs: number): void {
    this.world.run(this.world.nowMs + forMs);
    if (this.world.failure !== null) throw this.world.failure;
  }

  /** Runs until it is true; returns how long that took. */
  until(what: string, isTrue: () => boolean, limitMs: number): number {
    const startedMs = this.world.nowMs;
    while (!isTrue()) {
      if (this.world.nowMs - startedMs > limitMs) throw new Error(`not in ${limitMs} ms: ${what}`);
      this.run(5);
    }
    return this.world.nowMs - startedMs;
  }

  /** Every partition is served by exactly one of them. */
  isWhole(nodes: readonly BedNode[]): boolean {
    const served = nodes.flatMap(({ local }) => local.serving).sort((left, right) => left - right);
    return served.length === this.partitions && new Set(served).size === this.partitions;
  }

  get list(): MemberList {
    if (this.table.list === null) throw new Error("there is no member list");
    return this.table.list;
  }

  get ids(): readonly string[] {
    return this.list.members.map(({ id }) => id);
  }

  async #join(node: BedNode, runtime: Runtime): Promise<void> {
    for (;;) {
      try {
        await node.cluster.join();
        node.joined = "in";
        return;
      } catch (cause) {
        if (!(cause instanceof Fault)) throw cause;
        if (cause.code === "config_invalid") {
          node.joined = cause;
          return;
        }
        await runtime.pause(250);
      }
    }
  }
}

function loggerOf(lines: string[]): Logger {
  const line = (fields: object, message: string): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  return { info: line, warn: line, error: line };
}
