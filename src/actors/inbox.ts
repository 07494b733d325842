import { Fault } from "../core/errors.ts";
import type { StockBook } from "../core/stock/state.ts";
import { Archiver } from "./archiver.ts";
import { type Envelope, Mailbox } from "./mailbox.ts";
import type { PartitionHost } from "./partition-host.ts";
import { type Reading, Readings } from "./readings.ts";
import { Restores } from "./restores.ts";

/**
 * All that waits in one partition for its next turn: commands, questions about the whole book, and
 * what comes from or goes to the archive.
 */
export class Inbox {
  readonly mailbox = new Mailbox();
  /** Commands that wait for their SKU to come back from the archive. */
  readonly restores: Restores;
  /** Units that are in the archive and wait to leave the book. */
  readonly archiver: Archiver;
  readonly #readings = new Readings();

  /** `wake` asks for a turn. */
  constructor(partition: number, host: PartitionHost, wake: () => void) {
    this.restores = new Restores(partition, host, wake);
    this.archiver = new Archiver(partition, host, { restores: this.restores, wake });
  }

  /** Has the next turn nothing to do? */
  get isEmpty(): boolean {
    const { mailbox, restores } = this;
    return mailbox.length === 0 && this.#readings.length === 0 && !restores.isReady;
  }

  /** Does nobody wait for anything? */
  get isQuiet(): boolean {
    return this.isEmpty && this.restores.isEmpty;
  }

  /** The next command to decide: what waited for the archive came first. */
  shift(): Envelope | undefined {
    return this.restores.shift() ?? this.mailbox.shift();
  }

  /** Null when it waits now; else a bound was reached. */
  push(envelope: Envelope): Fault | null {
    return this.mailbox.push(envelope) ? null : new Fault("busy", "the mailbox is full");
  }

  pushReading(reading: Reading): Fault | null {
    return this.#readings.push(reading) ? null : new Fault("busy", "too many readings wait");
  }

  takeReadings(): readonly Reading[] {
    return this.#readings.takeAll();
  }

  /** Whose time is up hears so. */
  expire(monotonicMs: number): void {
    this.mailbox.expire(monotonicMs);
    this.#readings.expire(monotonicMs);
    this.restores.expire(monotonicMs);
  }

  /** Nothing is archived while the partition has other things to do. */
  tick(book: StockBook, isBusy: boolean, nowMs: number): void {
    this.archiver.tick(book, isBusy || !this.isEmpty, nowMs);
  }

  rejectAll(fault: Fault): void {
    this.restores.rejectAll(fault);
    this.mailbox.rejectAll(fault);
    for (const reading of this.#readings.takeAll()) reading.reject(fault);
  }
}
