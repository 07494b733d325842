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
import { Fault } from "../core/errors.ts";
import { CRASH_PAUSE_MS, REFUSAL_FRESH_MS, REQUEST_DEADLINE_MS } from "../core/limits.ts";
import type { CheckResult, CommitResult, Term } from "../core/ports/journal.ts";
import type { StockBook } from "../core/stock/state.ts";
import { backlogFault, closedFault, type PartitionState } from "./admission.ts";
import { Closing, release } from "./closing.ts";
import { decideTurn } from "./decide-turn.ts";
import {
  answerAll,
  type Flight,
  flightOf,
  isOnlyRefusals,
  load,
  rejectAll,
  rejectExpired,
  reload,
} from "./flight.ts";
import { Inbox } from "./inbox.ts";
import type { Envelope } from "./mailbox.ts";
import { Memory } from "./memory.ts";
import type { PartitionHost } from "./partition-host.ts";
import { PartitionTime } from "./partition-time.ts";
import type { Reading } from "./readings.ts";
import { type Claimed, settle, type Settled } from "./settle.ts";
import { SnapshotPolicy } from "./snapshot-policy.ts";

export class Partition {
  readonly id: number;
  readonly #host: PartitionHost;
  readonly #inbox: Inbox;
  #state: PartitionState = "idle";
  #isStoreAway = false;
  #turnRequested = false;
  #view = 0;
  #term: Term | null = null;
  readonly #memory = new Memory();
  readonly #closing: Closing;
  readonly #time: PartitionTime;
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  #flight: Flight | null = null;
  readonly #snapshots: SnapshotPolicy;
  #haltReason = "";
  /** Grows when memory is dropped: a settling that began before is not for this life. */
  #life = 0;

  constructor(id: number, host: PartitionHost) {
    this.id = id;
    this.#host = host;
    this.#inbox = new Inbox(id, host, () => this.#wake());
    this.#closing = new Closing(host.runtime.clock);
    this.#time = new PartitionTime(host.runtime.clock);
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
    return this.#memory.seq;
  }

  get queueDepth(): number {
    return this.#inbox.mailbox.length;
  }

  /**
   * The book, when an answer from it may leave now without a commit or a check: nothing waits,
   * nothing is in flight, the claim was confirmed a moment ago (P3). Hot path.
   */
  freshBook(): StockBook | null {
    if (this.#state !== "serving" || this.#flight !== null || !this.#inbox.isEmpty) return null;
    const ageMs = this.#host.runtime.clock.monotonicMs() - this.#confirmedAtMs;
    return ageMs < REFUSAL_FRESH_MS ? this.#memory.book : null;
  }

  /** The partition's time; meaningless unless serving. */
  nowMs(): number {
    return this.#time.nowMs();
  }

  /** Begins to own: claim (not before `after` settles), load, serve. Rejects nothing meanwhile. */
  start(view: number, after: Promise<void> | null = null): void {
    assert(this.#state === "idle", "a partition is started once");
    this.#state = "loading";
    this.#view = view;
    this.#closing.cancel();
    void this.#settleAfter(after);
  }

  ask(envelope: Envelope): void {
    const fault =
      this.#closedFault() ??
      backlogFault(this.#host, this.#memory.book, envelope) ??
      this.#inbox.push(envelope);
    if (fault === null) this.#wake();
    else envelope.reject(fault);
  }

  read(reading: Reading): void {
    const fault = this.#closedFault() ?? this.#inbox.pushReading(reading);
    if (fault === null) this.#wake();
    else reading.reject(fault);
  }

  /** One turn: decide, then commit or check or answer. Hot path (bench/hold.ts). */
  turn(): void {
    this.#turnRequested = false;
    if (!this.#mayTurn) return;
    const flight = flightOf(this.#inbox.takeReadings());
    try {
      this.#decide(flight);
    } catch (cause) {
      this.#crash(flight, cause);
    }
  }

  /** About ten times a second: deadlines of holds, and of those who wait. */
  tick(monotonicMs: number): void {
    this.#inbox.expire(monotonicMs);
    if (this.#flight !== null) rejectExpired(this.#flight, monotonicMs);
    this.#closing.tick(monotonicMs);
    if (this.#isLapseDue() || this.#snapshots.isDue(monotonicMs)) this.#wake();
    this.#snapshots.tick(this.#term, monotonicMs);
    this.#inbox.tick(this.#memory.book, !this.#mayTurn || this.#closing.hasBegun, this.nowMs());
  }

  /**
   * Gives the partition up cleanly: refuses new work, finishes what it has, takes a snapshot,
   * releases the claim. In a hand-off somebody waits for it. Never rejects.
   */
  async stop(isHandOff = false): Promise<void> {
    this.#closing.begin();
    await this.#quiet();
    const term = this.#term;
    if (this.#state === "serving" && this.#flight === null && term !== null) {
      this.#closing.leave();
      await this.#snapshots.last(term, this.#memory, isHandOff);
      await release(this.#host, term);
    }
    this.#drop(new Fault("not_owner", `partition ${this.id} was given up`), "idle");
  }

  #closedFault(): Fault | null {
    const isClosing = this.#closing.hasBegun;
    return closedFault(this.id, this.#state, { isClosing, isStoreAway: this.#isStoreAway });
  }

  /** P1. */
  get #mayTurn(): boolean {
    return this.#state === "serving" && this.#flight === null && !this.#closing.isLeaving;
  }

  #isLapseDue(): boolean {
    return this.#memory.book.holds.nextMs() <= this.nowMs();
  }

  #wake(): void {
    if (this.#turnRequested || !this.#mayTurn) return;
    this.#turnRequested = true;
    this.#host.requestTurn(this);
  }

  #decide(flight: Flight): void {
    const monotonicMs = this.#host.runtime.clock.monotonicMs();
    const nowMs = this.nowMs();
    const term = this.#term;
    assert(term !== null, "a turn needs a claim");
    this.#snapshots.beforeTurn(term, this.#memory, monotonicMs);
    const announcements = this.#host.announcementsOf(this.id);
    const format = this.#host.writtenFormat();
    const now = { nowMs, monotonicMs, format, announcements };
    const batch = decideTurn(this.#memory.book, this.#inbox, flight, now);
    if (batch.eventCount > 0) {
      load(flight, batch, { term, seq: this.#memory.seq + 1, atMs: nowMs });
      this.#send(flight);
      return;
    }
    const isFresh = monotonicMs - this.#confirmedAtMs < REFUSAL_FRESH_MS;
    if (isFresh && isOnlyRefusals(flight)) this.#finish(flight);
    else if (flight.envelopes.length > 0 || flight.readings.length > 0) this.#send(flight);
    else if (this.#inbox.isQuiet) this.#closing.notifyQuiet();
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
    try {
      this.#heed(flight, term, result);
    } catch (cause) {
      this.#crash(flight, cause);
    }
  }

  #heed(flight: Flight, term: Term, result: CommitResult | CheckResult): void {
    switch (result.kind) {
      case "committed":
      case "confirmed":
        if (result.kind === "confirmed" && result.seq !== this.seq) {
          return this.#onDoubt(flight, term, new Fault("unknown", `check says ${result.seq}`));
        }
        this.#host.onDrift(this.#time.driftMs(result.nowMs));
        return this.#accept(flight);
      case "fenced":
        // Fenced by an older claim of ours: the store has gone back. Settling finds out how far.
        if (result.owner === this.#host.owner) {
          const detail = `the fence has claim ${result.claim}, ours is ${term.claim}`;
          return this.#onDoubt(flight, term, new Fault("unknown", detail));
        }
        return this.#lose(result.owner, result.claim);
      case "out_of_sequence":
        return this.#onDoubt(flight, term, new Fault("unknown", `it is at ${result.seq}`));
      case "below_zero":
        return this.#halt(`${result.skuKey} would go below zero`);
      case "no_state":
        return this.#halt("its fence is gone");
    }
  }

  /** The journal has it, or has confirmed the claim: now answers may leave. */
  #accept(flight: Flight): void {
    this.#flight = null;
    this.#confirmedAtMs = flight.sentAtMs;
    if (flight.commit !== null && flight.row !== null) {
      this.#memory.committed(flight.commit, flight.row);
      this.#snapshots.grew(flight.commit.bytes.length);
      const tookMs = this.#host.runtime.clock.monotonicMs() - flight.sentAtMs;
      this.#host.onCommitted(flight.row, tookMs, flight.envelopes.length);
    }
    this.#finish(flight);
  }

  #finish(flight: Flight): void {
    answerAll(flight, this.#memory.book, this.nowMs());
    if (!this.#inbox.isEmpty || this.#isLapseDue()) this.#wake();
    else if (this.#inbox.isQuiet) this.#closing.notifyQuiet();
  }

  /** P4: the outcome is not known. What waits in the flight goes on waiting. */
  #onDoubt(flight: Flight, term: Term, cause: unknown): void {
    if (this.#flight !== flight || this.#term !== term) return;
    // Not the world but we: the journal was asked for something that it must never be asked.
    if (!(cause instanceof Fault)) return this.#crash(flight, cause);
    if (cause.code === "journal_corrupt") return this.#halt(cause.message);
    this.#state = "doubt";
    this.#host.onUnknown(this.id, cause);
    void this.#settle(flight);
  }

  async #settleAfter(pause: Promise<void> | null): Promise<void> {
    const life = this.#life;
    if (pause !== null) await pause;
    if (this.#life === life) await this.#settle(null);
  }

  async #settle(flight: Flight | null): Promise<void> {
    const life = this.#life;
    try {
      const settled = await settle(this.#host, {
        partition: this.id,
        view: this.#view,
        term: this.#term,
        memory: this.#memory,
        flight,
        urgencyOf: () => this.#inbox.mailbox.length,
        isGivenUp: () => this.#life !== life,
        onStoreAway: () => this.#onStoreAway(life),
      });
      if (settled.kind === "given_up" || this.#life !== life) return;
      this.#isStoreAway = false;
      this.#onSettled(settled, flight);
    } catch (cause) {
      if (this.#life === life) this.#crash(flight, cause);
    }
  }

  #onSettled(settled: Exclude<Settled, { kind: "given_up" }>, flight: Flight | null): void {
    switch (settled.kind) {
      case "fenced":
        return this.#lose(settled.owner, settled.claim);
      case "halted":
        return this.#halt(settled.reason);
      case "written":
      case "not_written":
        assert(flight !== null, "only a flight can have been written or not");
        this.#serve(settled);
        this.#flight = null;
        if (settled.kind === "not_written") return this.#send(reload(flight, settled.term));
        flight.sentAtMs = settled.sentAtMs;
        return this.#accept(flight);
      case "recovered":
        if (flight !== null) rejectAll(flight, new Fault("unknown", "its memory was dropped"));
        this.#flight = null;
        this.#memory.recovered(settled.recovered, settled.batchId);
        this.#serve(settled);
        this.#snapshots.loaded(settled.recovered);
        this.#host.onServing(settled.term, settled.recovered, this.nowMs());
        this.#wake();
    }
  }

  /** Takes up the new term; the book is the caller's matter. */
  #serve(claimed: Claimed): void {
    this.#term = claimed.term;
    this.#time.learn(claimed, this.#memory.lastAtMs);
    this.#confirmedAtMs = claimed.sentAtMs;
    this.#state = "serving";
  }

  /** Cut off from the store: say so at once to whoever is undecided. */
  #onStoreAway(life: number): void {
    if (this.#life !== life) return;
    this.#isStoreAway = true;
    this.#inbox.rejectAll(new Fault("store_unavailable", "the journal is away"));
  }

  /** A bug of ours: the smallest unit that owns the state dies and replays. */
  #crash(flight: Flight | null, cause: unknown): void {
    this.#host.log.error({ partition: this.id, err: cause }, "partition crashed");
    // It was given up, lost or halted in the same breath: then there is nothing to bring back.
    if (this.#state === "idle" || this.#state === "halted") return;
    const fault = new Fault("unknown", `partition ${this.id} crashed`, { cause });
    if (flight !== null) rejectAll(flight, fault);
    this.#flight = null;
    this.#state = "loading";
    this.#term = null;
    this.#memory.drop();
    this.#life++;
    void this.#settleAfter(this.#host.runtime.pause(CRASH_PAUSE_MS));
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
    this.#memory.drop();
    this.#confirmedAtMs = Number.NEGATIVE_INFINITY;
    this.#isStoreAway = false;
    if (this.#flight !== null) rejectAll(this.#flight, new Fault("unknown", fault.message));
    this.#flight = null;
    this.#inbox.rejectAll(fault);
    this.#closing.notifyQuiet();
  }

  /** When all that was accepted has been answered: at the latest when its time is up. */
  async #quiet(): Promise<void> {
    if (this.#state !== "serving" && this.#state !== "doubt") return;
    if (this.#flight === null && this.#inbox.isQuiet) return;
    const quiet = this.#closing.whenQuiet(REQUEST_DEADLINE_MS);
    this.#wake();
    await quiet;
  }
}
