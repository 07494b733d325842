// Partition
//
// The single writer of one slice of the key space. Commands wait in a bounded mailbox; a turn takes
// all that waits, decides it in memory, writes the events in one commit, and only then answers.
// While a commit is in flight new commands gather: load makes batches bigger, not slower.
//
// Owns          the book of its SKUs, the mailbox, the place in the journal.
// Does not own  sockets, timers, placement. `tick` and `turn` are called from outside.
//
//   P1  Nothing is decided while a batch or a check is in flight: memory is ahead of the journal by
//       that batch at most (I1, I3).
//   P2  Nobody hears a grant before the journal has it; refusals decided with grants wait too (I2).
//   P3  An answer without a commit leaves only under a confirmation of this claim: a refusal under
//       one sent less than REFUSAL_FRESH_MS ago, all else under one sent after it arrived (I8).
//   P4  An unknown outcome is never guessed: claim again and look (unknown → `#settle`).
//   P5  Fenced: memory is dropped, nothing is answered from it again (I3).

import { assert } from "../core/assert.ts";
import { Fault, faultOf } from "../core/errors.ts";
import { REFUSAL_FRESH_MS } from "../core/limits.ts";
import type { CheckResult, CommitResult, Term } from "../core/ports/journal.ts";
import { emptyBook, type StockBook } from "../core/stock/state.ts";
import { decideTurn } from "./decide-turn.ts";
import {
  answerAll,
  type Flight,
  isRefusal,
  type Reading,
  rejectAll,
  rejectExpired,
} from "./flight.ts";
import { type Envelope, Mailbox } from "./mailbox.ts";
import type { PartitionHost } from "./partition-host.ts";
import { PartitionTime } from "./partition-time.ts";
import { type Claimed, settle, type Settled } from "./settle.ts";
import { SnapshotPolicy } from "./snapshot-policy.ts";

/** Questions about a whole book that may wait. */
const READINGS_MAX = 16_384;

export type PartitionState = "idle" | "loading" | "serving" | "doubt" | "halted";

export class Partition {
  readonly id: number;
  readonly #host: PartitionHost;
  readonly #mailbox = new Mailbox();
  #readings: Reading[] = [];
  #state: PartitionState = "idle";
  #isStoreAway = false;
  #isClosing = false;
  #turnRequested = false;
  #term: Term | null = null;
  #book: StockBook = emptyBook();
  #time: PartitionTime;
  #seq = 0;
  #lastBatchId = "";
  #lastNowMs = 0;
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  #flight: Flight | null = null;
  #snapshots: SnapshotPolicy;
  #haltReason = "";
  #whenQuiet: (() => void)[] = [];
  /** Grows when memory is dropped: a settling that began before is not for this life. */
  #life = 0;

  constructor(id: number, host: PartitionHost) {
    this.id = id;
    this.#host = host;
    this.#time = new PartitionTime(host.runtime.clock, 0);
    this.#snapshots = new SnapshotPolicy(id, host);
  }

  get state(): PartitionState {
    return this.#state;
  }

  get haltReason(): string {
    return this.#haltReason;
  }

  get term(): Term | null {
    return this.#term;
  }

  get seq(): number {
    return this.#seq;
  }

  get queueDepth(): number {
    return this.#mailbox.length;
  }

  /**
   * The book, when an answer from it may leave now without a commit or a check: nothing waits,
   * nothing is in flight, the claim was confirmed a moment ago (P3). Hot path.
   */
  freshBook(): StockBook | null {
    if (this.#state !== "serving" || this.#flight !== null || this.#mailbox.length > 0) return null;
    const ageMs = this.#host.runtime.clock.monotonicMs() - this.#confirmedAtMs;
    return ageMs < REFUSAL_FRESH_MS ? this.#book : null;
  }

  /** The partition's time; meaningless unless serving. */
  nowMs(): number {
    return Math.max(this.#time.nowMs(), this.#lastNowMs);
  }

  /** Begins to own: claim, load, serve. Rejects nothing that waits meanwhile. */
  start(view: number): void {
    assert(this.#state === "idle", "a partition is started once");
    this.#state = "loading";
    this.#isClosing = false;
    void this.#settle(view, null);
  }

  ask(envelope: Envelope): void {
    const refusal = this.#admissionFault(envelope);
    if (refusal !== null) envelope.reject(refusal);
    else this.#wake();
  }

  read(reading: Reading): void {
    const fault = this.#closedFault();
    if (fault !== null) reading.reject(fault);
    else if (this.#readings.length >= READINGS_MAX) {
      reading.reject(new Fault("busy", `partition ${this.id}: ${READINGS_MAX} readings wait`));
    } else {
      this.#readings.push(reading);
      this.#wake();
    }
  }

  /** One turn: decide, then commit or check or answer. Hot path (bench/hold.ts). */
  turn(): void {
    this.#turnRequested = false;
    if (this.#state !== "serving" || this.#flight !== null) return;
    const { clock } = this.#host.runtime;
    const monotonicMs = clock.monotonicMs();
    const nowMs = this.nowMs();
    this.#lastNowMs = nowMs;
    const readings = this.#readings;
    this.#readings = [];
    const taken: Envelope[] = [];
    let decided;
    try {
      decided = decideTurn({
        book: this.#bookForTurn(),
        mailbox: this.#mailbox,
        nowMs,
        monotonicMs,
        taken,
      });
    } catch (cause) {
      const none: Flight = this.#flightOf(taken, readings);
      this.#crash(none, cause);
      return;
    }
    const flight: Flight = { ...this.#flightOf(taken, readings), outcomes: decided.outcomes };
    if (decided.batch.eventCount > 0) this.#commit(flight, decided.batch.build(), nowMs);
    else if (this.#mayLeaveNow(flight, monotonicMs)) this.#finish(flight);
    else if (taken.length > 0 || readings.length > 0) this.#send(flight);
    else this.#notifyQuiet();
  }

  /** About ten times a second: deadlines of holds, and of those who wait. */
  tick(monotonicMs: number): void {
    for (;;) {
      const oldest = this.#mailbox.peek();
      if (oldest === undefined || oldest.deadlineMs > monotonicMs) break;
      this.#mailbox.shift();
      oldest.reject(new Fault("deadline", `partition ${this.id} did not decide in time`));
    }
    if (this.#flight !== null) rejectExpired(this.#flight, monotonicMs);
    if (this.#readings.length > 0 && this.#readings[0]!.deadlineMs <= monotonicMs) {
      const expired = this.#readings.filter((reading) => reading.deadlineMs <= monotonicMs);
      this.#readings = this.#readings.filter((reading) => reading.deadlineMs > monotonicMs);
      const fault = new Fault("deadline", `partition ${this.id} did not answer in time`);
      for (const reading of expired) reading.reject(fault);
    }
    if (this.#state === "serving" && this.#book.deadlines.nextMs() <= this.nowMs()) this.#wake();
    this.#snapshots.tick(this.#term, monotonicMs);
  }

  /**
   * Gives the partition up cleanly: refuses new work, finishes what it has, takes a snapshot,
   * releases the claim. Never rejects.
   */
  async stop(): Promise<void> {
    this.#isClosing = true;
    if (this.#state === "serving") await this.#quiet();
    const term = this.#term;
    if (this.#state === "serving" && term !== null) {
      await this.#snapshots.last(term, this.#seq, this.#book);
      await this.#host.journal.release(term).catch((cause: unknown) => {
        this.#host.log.warn({ partition: this.id, err: String(cause) }, "release failed");
      });
    }
    this.#drop(new Fault("not_owner", `partition ${this.id} was given up`), "idle");
  }

  /** Bypasses everything: drops memory without a word to the store, as a crash would. */
  abandon(): void {
    this.#drop(new Fault("not_owner", `partition ${this.id} was abandoned`), "idle");
  }

  #admissionFault(envelope: Envelope): Fault | null {
    const closed = this.#closedFault();
    if (closed !== null) return closed;
    if (envelope.command.kind === "hold" && this.#host.isBacklogFull()) {
      const sku = this.#book.skus.get(envelope.key);
      if (sku?.holds.has(envelope.command.shopper) !== true) {
        return new Fault("busy", "the ledger is behind: no new holds");
      }
    }
    if (this.#mailbox.push(envelope)) return null;
    return new Fault("busy", `partition ${this.id}: the mailbox is full`);
  }

  #closedFault(): Fault | null {
    if (this.#state === "halted") return new Fault("halted", `partition ${this.id} is halted`);
    if (this.#state === "idle") return new Fault("not_owner", `partition ${this.id} is not here`);
    if (this.#isClosing) return new Fault("busy", `partition ${this.id} is being given up`);
    if (this.#isStoreAway) return new Fault("store_unavailable", "the journal is away");
    return null;
  }

  #wake(): void {
    if (this.#turnRequested || this.#state !== "serving" || this.#flight !== null) return;
    this.#turnRequested = true;
    this.#host.requestTurn(this);
  }

  #flightOf(envelopes: Envelope[], readings: readonly Reading[]): Flight {
    return { envelopes, outcomes: [], readings, commit: null, row: null, sentAtMs: 0 };
  }

  /** P3. */
  #mayLeaveNow(flight: Flight, monotonicMs: number): boolean {
    if (monotonicMs - this.#confirmedAtMs >= REFUSAL_FRESH_MS) return false;
    for (const outcome of flight.outcomes) if (!isRefusal(outcome)) return false;
    for (const reading of flight.readings) if (reading.isStrict) return false;
    return true;
  }

  #commit(
    flight: Flight,
    built: { bytes: string; skuKeys: string[]; deltas: { skuKey: string; delta: number }[] },
    atMs: number,
  ): void {
    const term = this.#term;
    assert(term !== null, "a batch was decided without a claim");
    const seq = this.#seq + 1;
    const batchId = `${term.owner}.${term.claim}.${seq}`;
    const { bytes, deltas, skuKeys } = built;
    flight.commit = { term, seq, batchId, bytes, deltas };
    flight.row = { partition: this.id, seq, claim: term.claim, atMs, skuKeys, bytes };
    this.#send(flight);
  }

  #send(flight: Flight): void {
    const term = this.#term;
    assert(term !== null && this.#flight === null, "one call is in flight at most");
    this.#flight = flight;
    flight.sentAtMs = this.#host.runtime.clock.monotonicMs();
    const { journal } = this.#host;
    const call = flight.commit === null ? journal.check(term) : journal.commit(flight.commit);
    call.then(
      (result) => this.#onReply(flight, term, result),
      (cause: unknown) => this.#onDoubt(flight, term, cause),
    );
  }

  #onReply(flight: Flight, term: Term, result: CommitResult | CheckResult): void {
    if (this.#flight !== flight || this.#term !== term) return;
    if (result.kind === "committed" || result.kind === "confirmed") {
      if (result.kind === "confirmed" && result.seq !== this.#seq) {
        this.#onDoubt(flight, term, new Fault("unknown", `check says seq ${result.seq}`));
        return;
      }
      this.#host.onDrift(this.#time.driftMs(result.nowMs));
      this.#accept(flight);
      return;
    }
    if (result.kind === "fenced") {
      this.#flight = null;
      rejectAll(flight, new Fault("unknown", `partition ${this.id} was taken over`));
      this.#lose(result.owner, result.claim);
    } else if (result.kind === "out_of_sequence") {
      this.#onDoubt(flight, term, new Fault("unknown", `the journal is at ${result.seq}`));
    } else {
      this.#flight = null;
      rejectAll(flight, new Fault("halted", `partition ${this.id} is halted`));
      this.#halt(result.kind === "no_state" ? "its fence is gone" : `below zero: ${result.skuKey}`);
    }
  }

  /** The journal has it, or has confirmed the claim: now answers may leave. */
  #accept(flight: Flight): void {
    this.#flight = null;
    this.#confirmedAtMs = flight.sentAtMs;
    if (flight.commit !== null && flight.row !== null) {
      this.#seq = flight.commit.seq;
      this.#lastBatchId = flight.commit.batchId;
      this.#snapshots.grew(flight.commit.bytes.length);
      const tookMs = this.#host.runtime.clock.monotonicMs() - flight.sentAtMs;
      this.#host.onCommitted(flight.row, tookMs, flight.envelopes.length);
    }
    this.#finish(flight);
  }

  #finish(flight: Flight): void {
    answerAll(flight, this.#book, this.#lastNowMs);
    if (this.#mailbox.length > 0 || this.#readings.length > 0) this.#wake();
    else if (this.#book.deadlines.nextMs() <= this.#lastNowMs) this.#wake();
    else this.#notifyQuiet();
  }

  /** P4: the outcome is not known. What waits in the flight goes on waiting. */
  #onDoubt(flight: Flight, term: Term, cause: unknown): void {
    if (this.#flight !== flight || this.#term !== term) return;
    this.#state = "doubt";
    const fault = faultOf(cause, "unknown", `partition ${this.id}`);
    this.#host.onUnknown(this.id, fault);
    void this.#settle(term.view, flight);
  }

  async #settle(view: number, flight: Flight | null): Promise<void> {
    const life = this.#life;
    const settled = await settle(this.#host, {
      partition: this.id,
      view,
      term: this.#term,
      seq: this.#seq,
      lastBatchId: this.#lastBatchId,
      flight,
      isGivenUp: () => this.#life !== life,
      onStoreAway: () => this.#onStoreAway(life),
    });
    if (this.#life !== life) return;
    this.#isStoreAway = false;
    this.#onSettled(settled, flight);
  }

  #onSettled(settled: Settled, flight: Flight | null): void {
    switch (settled.kind) {
      case "given_up":
        return;
      case "fenced":
        if (flight !== null) rejectAll(flight, new Fault("unknown", "taken over meanwhile"));
        this.#flight = null;
        return this.#lose(settled.owner, settled.claim);
      case "halted":
        if (flight !== null) rejectAll(flight, new Fault("unknown", "the partition is halted"));
        this.#flight = null;
        return this.#halt(settled.reason);
      case "written":
      case "not_written":
        assert(flight !== null, "only a flight can have been written or not");
        this.#serve(settled);
        this.#flight = null;
        if (settled.kind === "written") {
          flight.sentAtMs = settled.sentAtMs;
          this.#accept(flight);
        } else {
          if (flight.commit !== null) flight.commit = { ...flight.commit, term: settled.term };
          this.#send(flight);
        }
        return;
      case "recovered":
        if (flight !== null) rejectAll(flight, new Fault("unknown", "its memory was dropped"));
        this.#flight = null;
        this.#book = settled.recovered.book;
        this.#seq = settled.recovered.seq;
        this.#lastBatchId = settled.batchId;
        this.#serve(settled);
        this.#time.notBefore(settled.recovered.lastAtMs);
        this.#snapshots.loaded(settled.recovered);
        this.#host.onServing(this.id, settled.term, this.#seq);
        this.#wake();
    }
  }

  /** Takes up the new term; the book is the caller's matter. */
  #serve(claimed: Claimed): void {
    this.#term = claimed.term;
    this.#time = new PartitionTime(this.#host.runtime.clock, claimed.storeNowMs);
    this.#time.notBefore(this.#lastNowMs);
    this.#confirmedAtMs = claimed.sentAtMs;
    this.#state = "serving";
  }

  /** Cut off from the store: say so at once to whoever is undecided. */
  #onStoreAway(life: number): void {
    if (this.#life !== life) return;
    this.#isStoreAway = true;
    this.#rejectWaiting(new Fault("store_unavailable", "the journal is away"));
  }

  /** A bug of ours: the smallest unit that owns the state dies and replays. */
  #crash(flight: Flight, cause: unknown): void {
    this.#host.log.error({ partition: this.id, err: describe(cause) }, "partition crashed");
    rejectAll(flight, new Fault("unknown", `partition ${this.id} crashed`, { cause }));
    const view = this.#term?.view ?? 0;
    this.#state = "loading";
    this.#term = null;
    void this.#settle(view, null);
  }

  #lose(owner: string, claim: number): void {
    this.#drop(new Fault("fenced", `partition ${this.id} has another owner`), "idle");
    this.#host.onLost(this.id, owner, claim);
  }

  #halt(reason: string): void {
    this.#haltReason = reason;
    this.#drop(new Fault("halted", `partition ${this.id} is halted`), "halted");
    this.#host.onHalted(this.id, reason);
  }

  #drop(fault: Fault, state: "idle" | "halted"): void {
    this.#life++;
    this.#state = state;
    this.#term = null;
    this.#book = emptyBook();
    this.#confirmedAtMs = Number.NEGATIVE_INFINITY;
    this.#isStoreAway = false;
    if (this.#flight !== null) rejectAll(this.#flight, new Fault("unknown", fault.message));
    this.#flight = null;
    this.#rejectWaiting(fault);
    this.#notifyQuiet();
  }

  #rejectWaiting(fault: Fault): void {
    for (let next = this.#mailbox.shift(); next !== undefined; next = this.#mailbox.shift()) {
      next.reject(fault);
    }
    const readings = this.#readings;
    this.#readings = [];
    for (const reading of readings) reading.reject(fault);
  }

  /** Nothing is in flight: the moment for a snapshot, if one is due. */
  #bookForTurn(): StockBook {
    const term = this.#term;
    assert(term !== null, "a turn needs a claim");
    this.#snapshots.beforeTurn(term, this.#seq, this.#book, this.#mailbox.length);
    return this.#book;
  }

  async #quiet(): Promise<void> {
    if (this.#flight === null && this.#mailbox.length === 0 && this.#readings.length === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenQuiet.push(resolve);
      this.#wake();
    });
  }

  #notifyQuiet(): void {
    const waiting = this.#whenQuiet;
    if (waiting.length === 0) return;
    this.#whenQuiet = [];
    for (const resolve of waiting) resolve();
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
