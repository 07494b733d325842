// A StockNode on the model journal, with time, turns and every journal call in the test's hands.

import { StockNode } from "../../src/actors/stock-node.ts";
import { ARCHIVE_AFTER_MS } from "../../src/core/limits.ts";
import type { LedgerFeed } from "../../src/core/ports/ledger-feed.ts";
import type { LedgerRow } from "../../src/core/ports/ledger.ts";
import type { SkuRef } from "../../src/core/ports/stock.ts";
import { decodeBatch } from "../../src/core/stock/codec.ts";
import type { Command, Configure, OutcomeOf, SetHold } from "../../src/core/stock/command.ts";
import { type Call, HandJournal } from "./hand-journal.ts";
import { HandRuntime } from "./hand-runtime.ts";
import { LogLines } from "./http-fakes.ts";
import { MemoryArchive } from "./memory-archive.ts";
import { ModelJournal } from "./model-journal.ts";

export const START_MS = 1_800_000_000_000;
export const HOLD_MS = 60_000;
export const GENERATION = "generation-1";

/** Keeps what it is told; the ledger's own part is set by hand. */
export class HandLedger implements LedgerFeed {
  readonly rows: LedgerRow[] = [];
  readonly served: { partition: number; seq: number }[] = [];
  readonly droppedPartitions: number[] = [];
  full = false;
  storedSeq = 0;
  fault: Error | null = null;

  committed(row: LedgerRow): void {
    if (this.fault !== null) throw this.fault;
    this.rows.push(row);
  }
  serving(partition: number, seq: number): void {
    this.served.push({ partition, seq });
  }
  dropped(partition: number): void {
    this.droppedPartitions.push(partition);
  }
  isFull(): boolean {
    return this.full;
  }
  highest(): Promise<number> {
    return Promise.resolve(this.storedSeq);
  }
  known(): number {
    return this.storedSeq;
  }
}

/** A promise seen from outside: what it came to, as soon as it did. */
export type Heard<T> = {
  readonly promise: Promise<T>;
  value: T | undefined;
  error: Error | undefined;
  readonly isSettled: boolean;
};

export function hear<T>(promise: Promise<T>): Heard<T> {
  const heard = {
    promise,
    value: undefined as T | undefined,
    error: undefined as Error | undefined,
    get isSettled(): boolean {
      return heard.value !== undefined || heard.error !== undefined;
    },
  };
  promise.then(
    (value) => {
      heard.value = value;
    },
    (error: Error) => {
      heard.error = error;
    },
  );
  return heard;
}

export type NodeBed = {
  readonly runtime: HandRuntime;
  readonly model: ModelJournal;
  readonly hand: HandJournal;
  readonly archive: MemoryArchive;
  readonly ledger: HandLedger;
  readonly log: LogLines;
  readonly lost: { partition: number; owner: string }[];
  node: StockNode;
  /** Another life of the engine on the same journal. */
  newNode(owner?: string): StockNode;
  /** Configures `sale/a` in partition 0 with these units, and waits for it. */
  open(rules?: Partial<Configure>, ref?: SkuRef): Promise<void>;
  ask<C extends Command>(command: C, ref?: SkuRef): Heard<OutcomeOf<C>>;
  /** Asks and lets all turns run. */
  told<C extends Command>(command: C, ref?: SkuRef): Promise<OutcomeOf<C>>;
};

export const A: SkuRef = { key: "sale/a", partition: 0 };
export const B: SkuRef = { key: "sale/b", partition: 0 };
export const Z: SkuRef = { key: "sale/z", partition: 1 };

export function rulesOf(rules: Partial<Configure> = {}): Configure {
  return {
    kind: "configure",
    version: 1,
    phase: "live",
    startsAtMs: START_MS - 1_000,
    endsAtMs: START_MS + 86_400_000,
    holdMs: HOLD_MS,
    payMs: 2 * HOLD_MS,
    limit: 4,
    priceMinor: 100,
    released: 10,
    group: null,
    groupLimit: 0,
    ...rules,
  };
}

/** Partitions 0 … count − 1 created, owned and served under view 1. */
export async function nodeBed(
  options: { count?: number; serve?: boolean; archiveAfterMs?: number } = {},
): Promise<NodeBed> {
  const { count = 1, serve = true, archiveAfterMs = ARCHIVE_AFTER_MS } = options;
  const runtime = new HandRuntime(START_MS);
  const model = new ModelJournal({ clock: runtime.clock });
  const hand = new HandJournal(model);
  const archive = new MemoryArchive();
  const ledger = new HandLedger();
  const log = new LogLines();
  const lost: { partition: number; owner: string }[] = [];
  for (let partition = 0; partition < count; partition++) await model.create(partition, GENERATION);
  const newNode = (owner = "node-1/a"): StockNode =>
    new StockNode({
      journal: hand.journal,
      archive,
      archiveAfterMs,
      runtime,
      log,
      ledger,
      owner,
      generation: GENERATION,
      partitionCount: count,
      onLost: (partition, by) => lost.push({ partition, owner: by }),
    });
  const bed: NodeBed = {
    runtime,
    model,
    hand,
    archive,
    ledger,
    log,
    lost,
    node: newNode(),
    newNode,
    open: async (rules = {}, ref = A) => {
      await bed.told(rulesOf(rules), ref);
    },
    ask: (command, ref = A) => hear(bed.node.ask(ref, command)),
    told: async (command, ref = A) => {
      const heard = bed.ask(command, ref);
      await runtime.settle();
      if (heard.error !== undefined) throw heard.error;
      if (heard.value === undefined) throw new Error(`${command.kind} was not answered`);
      return heard.value;
    },
  };
  if (serve) {
    for (let partition = 0; partition < count; partition++) bed.node.own(partition, 1);
    await runtime.settle();
  }
  return bed;
}

export function holdOf(shopper: string, quantity = 1): SetHold {
  return { kind: "hold", shopper, quantity };
}

/** The events of the journal's entries of a partition, by batch. */
export function batchesOf(model: ModelJournal, partition = 0): string[][] {
  return (model.dump()[partition]?.entries ?? []).map(({ bytes }) =>
    decodeBatch(bytes).events.map(({ event }) => event.kind),
  );
}

/** One grant of s1 whose commit is held. */
export async function inFlight(bed: NodeBed): Promise<{
  readonly heard: Heard<OutcomeOf<SetHold>>;
  readonly call: Call;
}> {
  await bed.open({ released: 5 });
  bed.hand.hold("commit");
  const heard = bed.ask(holdOf("s1"));
  await bed.runtime.settle();
  return { heard, call: bed.hand.take() };
}
