// One life of one node: the real actors on simulated time and store. A restart is another life.

import { StockNode } from "../../src/actors/stock-node.ts";
import type { Archive } from "../../src/core/ports/archive.ts";
import type { LedgerFeed } from "../../src/core/ports/ledger-feed.ts";
import type { Logger } from "../../src/core/ports/logger.ts";
import type { Runtime } from "../../src/core/ports/runtime.ts";
import type { SkuRef } from "../../src/core/ports/stock.ts";
import type { Random } from "./random.ts";
import { Violation } from "./shadow.ts";
import type { SimNetwork } from "./sim-bus.ts";
import type { SimMemberTable } from "./sim-members.ts";
import { osClockMs, simRuntime } from "./sim-runtime.ts";
import { GENERATION, type JournalLink, type SimStore } from "./sim-store.ts";
import { Process, type World } from "./world.ts";

/** A clock watch as the engine has one (engine/clock-skew.ts). */
const LOOK_EVERY_MS = 5_000;

/** A question to Postgres. */
const LEDGER_MS = 3;

/** What says that something of ours broke. */
const BROKEN = /crash|halted|could not be handled/;

export type Surroundings = {
  readonly world: World;
  readonly random: Random;
  readonly network: SimNetwork;
  readonly store: SimStore;
  readonly members: SimMemberTable;
  readonly partitionCount: number;
  /** When a SKU's sale opens, as every node's catalogue knows it. */
  readonly opensAtMs: (sku: SkuRef) => number | null;
  /** Highest seq of each partition that the ledger has. */
  readonly ledger: Map<number, number>;
  readonly archive: Archive;
};

export class SimNode {
  readonly id: string;
  readonly process: Process;
  readonly runtime: Runtime;
  readonly journal: JournalLink;
  readonly log: Logger;
  readonly stock: StockNode;
  readonly #world: World;

  constructor(around: Surroundings, id: string, life: string) {
    const { world, random, store, partitionCount, ledger, archive } = around;
    this.#world = world;
    this.id = id;
    this.process = new Process(`${id}/${life}`);
    this.runtime = simRuntime(world, this.process, random);
    this.journal = store.link(this.process);
    this.log = loggerOf(world, this.process);
    this.stock = new StockNode({
      journal: this.journal,
      archive,
      runtime: this.runtime,
      log: this.log,
      ledger: ledgerFeed(this.runtime, ledger),
      owner: this.process.name,
      generation: GENERATION,
      partitionCount,
    });
    this.runtime.every(LOOK_EVERY_MS, () => this.#watchClock());
  }

  #watchClock(): void {
    this.journal.timeMs().then(
      (storeMs) => {
        this.stock.clockSkewMs = osClockMs(this.#world, this.process) - storeMs;
      },
      () => {},
    );
  }
}

function loggerOf(world: World, process: Process): Logger {
  type Fields = Readonly<Record<string, unknown>>;
  const line = (level: string, fields: Fields, message: string): string => {
    const text = `${process.name} ${message} ${JSON.stringify(fields)}`;
    world.log(`${level} ${text}`);
    return text;
  };
  return {
    info: (fields, message) => void line("info", fields, message),
    warn: (fields, message) => void line("warn", fields, message),
    error: (fields, message) => {
      const text = line("error", fields, message);
      if (BROKEN.test(message)) world.fail(new Violation("bug", text));
    },
  };
}

/** The ledger has each batch as soon as it is committed: so the journal is cut as early as can be. */
function ledgerFeed(runtime: Runtime, ledger: Map<number, number>): LedgerFeed {
  const known = (partition: number): number => ledger.get(partition) ?? 0;
  return {
    committed: ({ partition, seq }) => {
      ledger.set(partition, Math.max(known(partition), seq));
    },
    serving: () => {},
    dropped: () => {},
    isFull: () => false,
    highest: async (partition) => {
      await runtime.pause(LEDGER_MS);
      return known(partition);
    },
    known,
  };
}
