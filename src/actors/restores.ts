// Commands of archived SKUs, and the way back into memory of what they ask.
//
// A command that only the archive can answer waits here while its unit is fetched; the partition goes
// on with all others. Then the unit is put into the book at the beginning of a turn, which is no
// event, and its commands are decided first, in the order of their arrival: whatever arrived later for
// these SKUs stands behind them (I6).
//
//   R1  bounded, with a reserve for all but new holds; who waits too long hears `deadline`
//   R2  an archive that does not answer is `store_unavailable` for those who wait, and nothing else
//   R3  what is fetched is told by its digest: it may arrive in another life of the partition

import { assert } from "../core/assert.ts";
import { Fault, faultOf } from "../core/errors.ts";
import { RESTORE_WAITING_MAX, RESTORES_AT_ONCE_MAX } from "../core/limits.ts";
import {
  archivedUnit,
  digestOf,
  isArchivedAs,
  restoreUnit,
  type UnitRef,
  unitToRestore,
} from "../core/stock/archive.ts";
import type { StockBook } from "../core/stock/state.ts";
import type { Envelope } from "./mailbox.ts";
import type { PartitionHost } from "./partition-host.ts";

type Waiting = { readonly ref: UnitRef; envelopes: Envelope[] };
type Fetched = { readonly waiting: Waiting; readonly text: string };

export class Restores {
  readonly #partition: number;
  readonly #host: PartitionHost;
  readonly #wake: () => void;
  /** By unit; those whose fetch has not begun are in `#toFetch` as well. */
  readonly #waiting = new Map<string, Waiting>();
  #toFetch: Waiting[] = [];
  #fetchingCount = 0;
  #fetched: Fetched[] = [];
  /** Envelopes in `#waiting`. */
  #waitingCount = 0;
  readonly #restoredAtMs = new Map<string, number>();
  /** In the order in which they are decided. */
  #ready: Envelope[] = [];

  /** `wake` asks for a turn. */
  constructor(partition: number, host: PartitionHost, wake: () => void) {
    this.#partition = partition;
    this.#host = host;
    this.#wake = wake;
  }

  /** Has the next turn anything to do here? */
  get isReady(): boolean {
    return this.#fetched.length > 0 || this.#ready.length > 0;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0 && !this.isReady;
  }

  /** True when it is not to be decided now: it waits, or was refused. Hot only for archived SKUs. */
  park(book: StockBook, envelope: Envelope, nowMs: number): boolean {
    const { key, command } = envelope;
    const unit = archivedUnit(book, key, command);
    if (unit === null) return false;
    const waiting = this.#waiting.get(unit.unit);
    // While others wait for the unit it is not answered as it is: they came first.
    if (waiting === undefined && unitToRestore(book, key, command, nowMs) === null) return false;
    const max = command.kind === "hold" ? RESTORE_WAITING_MAX / 2 : RESTORE_WAITING_MAX;
    if (this.#waitingCount + this.#ready.length >= max) {
      envelope.reject(new Fault("busy", "too much waits for archived SKUs"));
      return true;
    }
    this.#waitingCount++;
    if (waiting !== undefined) {
      waiting.envelopes.push(envelope);
    } else {
      const first: Waiting = { ref: unit, envelopes: [envelope] };
      this.#waiting.set(unit.unit, first);
      this.#toFetch.push(first);
      this.#fetchNext();
    }
    return true;
  }

  /** At the beginning of a turn: what was fetched is in the book again. */
  takeIn(book: StockBook, nowMs: number): void {
    for (let next = this.#fetched.shift(); next !== undefined; next = this.#fetched.shift()) {
      const { ref, envelopes } = next.waiting;
      this.#remove(next.waiting);
      // First: should the text break the book, they wait on for the next life of the partition.
      for (const envelope of envelopes) this.#ready.push(envelope);
      // R3: else it is in memory already, or has changed since: then its commands wait again.
      if (isArchivedAs(book, ref)) {
        restoreUnit(book, ref, next.text);
        this.#host.onRestored();
        this.#restoredAtMs.set(ref.unit, nowMs);
      }
    }
  }

  /** When the unit last came back; -Infinity when it is not known to have. */
  restoredAtMs(unit: string): number {
    return this.#restoredAtMs.get(unit) ?? Number.NEGATIVE_INFINITY;
  }

  /** It is not in memory any more. */
  forget(unit: string): void {
    this.#restoredAtMs.delete(unit);
  }

  /** The next command whose SKU is in memory again. */
  shift(): Envelope | undefined {
    return this.#ready.shift();
  }

  /** R1. */
  expire(monotonicMs: number): void {
    const lives = (envelope: Envelope): boolean => {
      if (envelope.deadlineMs > monotonicMs) return true;
      envelope.reject(new Fault("deadline", "its SKU did not come back from the archive in time"));
      return false;
    };
    this.#ready = this.#ready.filter(lives);
    for (const waiting of this.#waiting.values()) {
      this.#waitingCount -= waiting.envelopes.length;
      waiting.envelopes = waiting.envelopes.filter(lives);
      this.#waitingCount += waiting.envelopes.length;
    }
  }

  rejectAll(fault: Fault): void {
    const waiting = [...this.#waiting.values()].flatMap(({ envelopes }) => envelopes);
    const all = this.#ready.concat(waiting);
    this.#waiting.clear();
    this.#waitingCount = 0;
    this.#toFetch = [];
    this.#fetched = [];
    this.#ready = [];
    for (const envelope of all) envelope.reject(fault);
  }

  #remove({ ref, envelopes }: Waiting): void {
    this.#waiting.delete(ref.unit);
    this.#waitingCount -= envelopes.length;
    assert(this.#waitingCount >= 0, "what waits is counted");
  }

  #fetchNext(): void {
    while (this.#fetchingCount < RESTORES_AT_ONCE_MAX) {
      const waiting = this.#toFetch.shift();
      if (waiting === undefined) return;
      this.#fetchingCount++;
      void this.#fetch(waiting);
    }
  }

  async #fetch(waiting: Waiting): Promise<void> {
    try {
      const text = await this.#textOf(waiting.ref);
      if (this.#isWaiting(waiting)) this.#fetched.push({ waiting, text });
    } catch (cause) {
      this.#onFault(waiting, cause);
    } finally {
      this.#fetchingCount--;
      this.#fetchNext();
      this.#wake();
    }
  }

  async #textOf(ref: UnitRef): Promise<string> {
    const partition = this.#partition;
    const text = await this.#host.archive.get({ partition, ...ref });
    if (text !== null && digestOf(text) === ref.digest) return text;
    const fault = text === null ? "is missing" : "is another one";
    throw new Fault("halted", `the archive's text of ${ref.unit} (${ref.digest}) ${fault}`);
  }

  /** R2. */
  #onFault(waiting: Waiting, cause: unknown): void {
    const { unit } = waiting.ref;
    const fault = faultOf(cause, "store_unavailable", "the archive failed");
    this.#host.log.error({ partition: this.#partition, unit, err: fault.message }, "not restored");
    if (!this.#isWaiting(waiting)) return;
    this.#remove(waiting);
    // Nothing was done, whatever the archive's own doubt was: it was only read.
    const heard =
      fault.code === "halted" || fault.code === "busy"
        ? fault
        : new Fault("store_unavailable", "the archive is away", { cause: fault });
    for (const envelope of waiting.envelopes) envelope.reject(heard);
  }

  /** False when all that waited was rejected meanwhile, such as by a hand-off. */
  #isWaiting(waiting: Waiting): boolean {
    return this.#waiting.get(waiting.ref.unit) === waiting;
  }
}
