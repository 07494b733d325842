// The simulated Redis: the model journal behind one faulty connection for each process and purpose.
//
// What a real connection does is kept: requests arrive in their order or not at all, the first doubt
// ends the connection and all that was in flight on it, and a request of an ended connection may
// still arrive, much later than anybody waits for it.

import { Fault } from "../../src/core/errors.ts";
import { COMMIT_DEADLINE_MS } from "../../src/core/limits.ts";
import type { ClaimResult, Commit, CommitResult, Journal } from "../../src/core/ports/journal.ts";
import { ModelJournal } from "../support/model-journal.ts";
import type { Random } from "./random.ts";
import { EPOCH_MS, type Process, type World } from "./world.ts";

const HOP_MS = { min: 0.1, max: 0.5 };
const FSYNC_MS = { min: 0.2, max: 2 };
const RECONNECT_MS = 20;
/** Data of this run: a fence of another generation is not ours. */
export const GENERATION = "sim";

/** Sees what the store did, whether anybody heard of it or not. */
export type StoreObserver = {
  /** A node is about to ask for this: its batch has been decided. */
  asked(request: Commit): void;
  claimed(request: { partition: number; view: number; owner: string }, result: ClaimResult): void;
  committed(request: Commit, result: CommitResult): void;
  released(partition: number, claim: number): void;
};

export class SimStore {
  readonly model: ModelJournal;
  readonly world: World;
  readonly random: Random;
  readonly observer: StoreObserver;
  isUp = true;
  /** Grows at each restart: what was on its way to the life before is lost. */
  life = 0;
  slowMs = 0;
  /** Parts of the calls whose reply is lost, and whose request is very late. */
  lostReplies = 0;
  lateRequests = 0;
  readonly #links = new Set<JournalLink>();

  constructor(options: {
    readonly world: World;
    readonly random: Random;
    readonly observer: StoreObserver;
  }) {
    this.world = options.world;
    this.random = options.random;
    this.observer = options.observer;
    const { world } = options;
    this.model = new ModelJournal({
      clock: { wallMs: () => EPOCH_MS + world.nowMs, monotonicMs: () => world.nowMs },
    });
  }

  link(process: Process): JournalLink {
    const link = new JournalLink(this, process);
    this.#links.add(link);
    return link;
  }

  stop(): void {
    this.isUp = false;
    this.life++;
    for (const link of this.#links) link.reset("the server went away");
  }

  start(): void {
    this.isUp = true;
  }
}

type Connection = {
  isOpen: boolean;
  lastArrivalMs: number;
  readonly inFlight: Set<(fault: Fault) => void>;
};

type Purpose = "commits" | "bulk";

export class JournalLink implements Journal {
  /** Cut off: nothing arrives and nothing says so. */
  isCut = false;
  readonly #store: SimStore;
  readonly #process: Process;
  readonly #connections: Record<Purpose, Connection> = { commits: opened(), bulk: opened() };
  #isClosed = false;

  constructor(store: SimStore, process: Process) {
    this.#store = store;
    this.#process = process;
  }

  timeMs(): Promise<number> {
    return this.#call("bulk", () => this.#store.model.timeMs());
  }

  create(partition: number, generation: string): Promise<boolean> {
    return this.#call("bulk", () => this.#store.model.create(partition, generation));
  }

  claim(request: { readonly partition: number; readonly view: number; readonly owner: string }) {
    return this.#call("commits", async () => {
      const result = await this.#store.model.claim(request);
      this.#store.world.guard(() => this.#store.observer.claimed(request, result));
      return result;
    });
  }

  commit(request: Commit) {
    this.#store.observer.asked(request);
    return this.#call("commits", async () => {
      const result = await this.#store.model.commit(request);
      this.#store.world.guard(() => this.#store.observer.committed(request, result));
      return result;
    });
  }

  check(term: Parameters<Journal["check"]>[0]) {
    return this.#call("commits", () => this.#store.model.check(term));
  }

  highestView(partitions: number) {
    return this.#call("bulk", () => this.#store.model.highestView(partitions));
  }

  read(partition: number, fromSeq: number, bytesMax: number) {
    return this.#call("bulk", () => this.#store.model.read(partition, fromSeq, bytesMax));
  }

  snapshotOf(partition: number) {
    return this.#call("bulk", () => this.#store.model.snapshotOf(partition));
  }

  async writeSnapshot(...[term, { seq, pieces }]: Parameters<Journal["writeSnapshot"]>) {
    // Made while time goes on; a call that is executed twice has the same ones.
    const snapshot = { seq, pieces: await Array.fromAsync(pieces) };
    return this.#call("bulk", () => this.#store.model.writeSnapshot(term, snapshot));
  }

  trim(...request: Parameters<Journal["trim"]>) {
    return this.#call("bulk", () => this.#store.model.trim(...request));
  }

  release(term: Parameters<Journal["release"]>[0]) {
    return this.#call("commits", async () => {
      const result = await this.#store.model.release(term);
      if (result.kind === "done") this.#store.observer.released(term.partition, term.claim);
      return result;
    });
  }

  stockOf(partition: number) {
    return this.#call("bulk", () => this.#store.model.stockOf(partition));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.reset("closed");
  }

  /** Ends both connections: all in flight is unknown; new ones are there a moment later. */
  reset(reason: string): void {
    this.#doubt("commits", reason);
    this.#doubt("bulk", reason);
  }

  #doubt(purpose: Purpose, reason: string): void {
    const connection = this.#connections[purpose];
    if (!connection.isOpen) return;
    connection.isOpen = false;
    const { world } = this.#store;
    world.after(0, this.#process, () => {
      for (const reject of connection.inFlight) reject(new Fault("unknown", reason));
      connection.inFlight.clear();
    });
    this.#reopen(purpose);
  }

  /** A connection that cannot be checked is no connection: until then every call fails at once. */
  #reopen(purpose: Purpose): void {
    this.#store.world.after(RECONNECT_MS, this.#process, () => {
      if (this.isCut || !this.#store.isUp) this.#reopen(purpose);
      else this.#connections[purpose] = opened();
    });
  }

  #call<T>(purpose: Purpose, work: () => Promise<T>): Promise<T> {
    const { world, random } = this.#store;
    const connection = this.#connections[purpose];
    return new Promise<T>((resolve, reject) => {
      if (this.#isClosed || !connection.isOpen || !this.#store.isUp) {
        const fault = new Fault("store_unavailable", "not connected");
        world.after(HOP_MS.min, this.#process, () => reject(fault));
        return;
      }
      connection.inFlight.add(reject);
      const onDeadline = (): void => {
        if (connection.inFlight.has(reject)) this.#doubt(purpose, "no answer in time");
      };
      world.after(COMMIT_DEADLINE_MS, this.#process, onDeadline, "timer");
      if (this.isCut) return;
      const isLate = random.chance(this.#store.lateRequests);
      const lateMs = isLate ? random.between(200, 5_000) : 0;
      const arrivesMs = Math.max(connection.lastArrivalMs, world.nowMs + this.#hopMs() + lateMs);
      connection.lastArrivalMs = arrivesMs;
      const answer = (result: T): void => {
        if (!connection.inFlight.delete(reject)) return;
        resolve(result);
      };
      this.#execute({ purpose, connection, arrivesMs, work, answer });
    });
  }

  #execute<T>(call: {
    readonly purpose: Purpose;
    readonly connection: Connection;
    readonly arrivesMs: number;
    readonly work: () => Promise<T>;
    readonly answer: (result: T) => void;
  }): void {
    const { world, random } = this.#store;
    const { life } = this.#store;
    world.after(call.arrivesMs - world.nowMs, null, () => {
      if (this.#store.life !== life) return;
      void call.work().then((result) => {
        if (this.isCut || !call.connection.isOpen) return;
        if (random.chance(this.#store.lostReplies)) {
          // Half the time the socket breaks and says so, half the time it only goes silent.
          if (random.chance(0.5)) this.#doubt(call.purpose, "the connection broke");
          return;
        }
        const takesMs = random.between(FSYNC_MS.min, FSYNC_MS.max) + this.#hopMs();
        world.after(takesMs, this.#process, () => call.answer(result));
      });
    });
  }

  #hopMs(): number {
    const { random, slowMs } = this.#store;
    return random.between(HOP_MS.min, HOP_MS.max) + random.between(0, slowMs);
  }
}

function opened(): Connection {
  return { isOpen: true, lastArrivalMs: 0, inFlight: new Set() };
}
