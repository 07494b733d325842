// One run: a seed and a schedule of faults in, a result out. Nothing else decides what happens.

import { encodeBook } from "../../src/core/stock/snapshot.ts";
import { MemoryArchive } from "../support/memory-archive.ts";
import { Causes } from "./causes.ts";
import { Chain, type ChainCounts } from "./chain.ts";
import { type AnswerCounts, Clients } from "./clients.ts";
import { scheduleOf, type SimFault } from "./faults.ts";
import { Injector } from "./injector.ts";
import { Load, skusOf } from "./load.ts";
import { Oracle } from "./oracle.ts";
import { askForCarts, checkLapses, checkOwners, probe } from "./quiet.ts";
import { Random } from "./random.ts";
import { expectThat, Shadow, Violation } from "./shadow.ts";
import { SimNetwork } from "./sim-bus.ts";
import { SimCluster } from "./sim-cluster.ts";
import { SimMemberTable } from "./sim-members.ts";
import type { SimNode, Surroundings } from "./sim-node.ts";
import { GENERATION, SimStore } from "./sim-store.ts";
import { World } from "./world.ts";

const PARTITIONS = 8;
const SKUS = 12;
/** Faults and shoppers end here … */
const BUSY_UNTIL_MS = 44_000;
/** … by now everything must be as if nothing had been … */
const QUIET_AT_MS = 56_000;
const PROBE_AT_MS = 60_000;
export const OVER_AT_MS = 66_000;
/** … and later while the member list changes: who was evicted twice is back half a minute later … */
const OVER_LATEST_MS = 90_000;
/** … for so long, in which all partitions are handed over. */
const HANDED_OVER_MS = 3_000;
const LOOK_EVERY_MS = 2_000;

export type RunCounts = ChainCounts & AnswerCounts & { readonly tasks: number };

export type RunResult = {
  readonly seed: number;
  readonly faults: readonly SimFault[];
  readonly failure: Violation | null;
  readonly counts: RunCounts;
  readonly hash: string;
  /** The event log. */
  readonly lines: readonly string[];
};

/** What can be looked at in the middle of a run. */
export type Scene = {
  readonly chain: Chain;
  readonly counts: RunCounts;
  readonly nodes: readonly SimNode[];
  readonly partitionCount: number;
};
export type Inspection = { readonly atMs: number; readonly check: (scene: Scene) => void };

/** `faults` replaces the seed's own schedule. */
export function runSeed(
  seed: number,
  faults?: readonly SimFault[],
  inspections: readonly Inspection[] = [],
): RunResult {
  const plan = new Random(seed, 1);
  const nodeCount = plan.chance(0.75) ? 3 : plan.integer(4, 5);
  const schedule = faults ?? scheduleOf(plan, nodeCount, BUSY_UNTIL_MS);
  const run = new Run(seed, nodeCount, schedule);
  run.inspect(inspections);
  run.go();
  const { counts, failure } = run;
  const { lines } = run.world;
  return { seed, faults: schedule, failure, counts, hash: run.world.hash(), lines };
}

class Run {
  readonly world = new World();
  readonly #shadow = new Shadow();
  readonly #causes = new Causes(this.world);
  readonly #chain: Chain;
  readonly #store: SimStore;
  readonly #network: SimNetwork;
  readonly #cluster: SimCluster;
  readonly #clients: Clients;
  readonly #load: Load;
  readonly #injector: Injector;
  readonly #faults: readonly SimFault[];
  readonly #members = new SimMemberTable();

  constructor(seed: number, nodeCount: number, faults: readonly SimFault[]) {
    this.#faults = faults;
    const { world } = this;
    const shadow = this.#shadow;
    const causes = this.#causes;
    this.#chain = new Chain({ world, shadow, causes });
    this.#store = new SimStore({ world, random: new Random(seed, 2), observer: this.#chain });
    this.#network = new SimNetwork(world, new Random(seed, 3));
    const members = this.#members;
    const skus = skusOf(new Random(seed, 7), PARTITIONS, SKUS);
    const opening = new Map(skus.map(({ key, rules }) => [key, rules.startsAtMs]));
    const around: Surroundings = {
      world,
      random: new Random(seed, 4),
      network: this.#network,
      store: this.#store,
      members,
      partitionCount: PARTITIONS,
      opensAtMs: ({ key }) => opening.get(key) ?? null,
      ledger: new Map(),
      archive: new MemoryArchive(),
    };
    const ids = Array.from({ length: nodeCount }, (_, index) => `n${index}`);
    this.#cluster = new SimCluster(around, ids, {
      killed: (process) => this.#clients.killed(process),
      openAt: (process) => this.#clients.openAt(process),
    });
    this.#clients = new Clients({
      world,
      random: new Random(seed, 5),
      oracle: new Oracle({ world, shadow, causes }),
      causes,
      entrances: () => this.#cluster.entrances(),
    });
    this.#load = new Load({
      world,
      random: new Random(seed, 6),
      clients: this.#clients,
      skus,
      untilMs: BUSY_UNTIL_MS,
      faults,
    });
    this.#injector = new Injector({
      world,
      network: this.#network,
      store: this.#store,
      members,
      victims: this.#cluster,
    });
  }

  get counts(): RunCounts {
    return { ...this.#chain.counts, ...this.#clients.counts, tasks: this.world.taskCount };
  }

  get failure(): Violation | null {
    const { failure } = this.world;
    if (failure === null || failure instanceof Violation) return failure;
    const isError = failure instanceof Error;
    return new Violation(
      "bug",
      isError ? (failure.stack ?? failure.message) : Bun.inspect(failure),
    );
  }

  inspect(inspections: readonly Inspection[]): void {
    for (const { atMs, check } of inspections) {
      this.world.after(atMs, null, () => {
        const { nodes } = this.#cluster;
        check({ chain: this.#chain, counts: this.counts, nodes, partitionCount: PARTITIONS });
      });
    }
  }

  go(): void {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      void this.#store.model.create(partition, GENERATION);
    }
    this.#cluster.startAll();
    this.#load.start();
    this.#injector.arm(this.#faults);
    this.#look();
    this.#runUntil(QUIET_AT_MS, () => this.#atQuiet());
    this.#runUntil(PROBE_AT_MS, () => this.#atProbe());
    this.#runUntil(OVER_AT_MS, () => this.#atOver());
  }

  #runUntil(untilMs: number, check: () => void): void {
    if (this.world.failure !== null) return;
    this.world.run(untilMs);
    if (this.world.failure === null) this.world.guard(check);
  }

  /** Each book equals the replay of the journal at its seq (I3). */
  #look(): void {
    this.world.after(LOOK_EVERY_MS, null, () => {
      this.#look();
      for (const { process, stock } of this.#cluster.nodes) {
        for (const partition of stock.partitions) {
          const book = partition.freshBook();
          if (book === null) continue;
          const { id, seq } = partition;
          const where = `${process.name}, partition ${id}`;
          const last = this.#chain.seqOf(id);
          expectThat(seq <= last, "I3", () => `${where} is at ${seq}, the journal at ${last}`);
          const isSame = encodeBook(book, 0).join("\n") === this.#chain.bookAt(id, seq);
          expectThat(isSame, "I3", () => `${where} at ${seq} is not what the journal says`);
        }
      }
    });
  }

  #atQuiet(): void {
    const { world } = this;
    const { people } = this.#load;
    expectThat(people.size === 0, "I9", () => `${[...people].join(", ")} still wait for an answer`);
    askForCarts({ world, entrances: this.#cluster.entrances(), mustBeComplete: false });
  }

  #atProbe(): void {
    const { world } = this;
    checkLapses(world, this.#shadow);
    const entrances = this.#cluster.entrances();
    askForCarts({ world, entrances, mustBeComplete: true });
    probe({ world, clients: this.#clients, entrances, skus: this.#load.skus });
  }

  /** The end, or some time after the last change of the member list if that is later. */
  #atOver(): void {
    const overMs = this.#members.changedAtMs + HANDED_OVER_MS;
    if (overMs <= this.world.nowMs) return this.#atEnd();
    expectThat(overMs <= OVER_LATEST_MS, "quiet", () => "the member list does not settle");
    this.#runUntil(overMs, () => this.#atOver());
  }

  #atEnd(): void {
    const open = this.#clients.openCount;
    expectThat(open === 0, "I9", () => `${open} requests were never answered`);
    const nodes = this.#cluster.nodes;
    checkOwners({ chain: this.#chain, nodes, partitionCount: PARTITIONS });
    this.#causes.checkAll();
  }
}
