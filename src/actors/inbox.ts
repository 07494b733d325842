import { Fault } from "../core/errors.ts";
import { type Envelope, Mailbox } from "./mailbox.ts";
import { type Reading, Readings } from "./readings.ts";

/** All that waits in one partition for its next turn: commands, and questions about the whole book. */
export class Inbox {
  readonly mailbox = new Mailbox();
  readonly #readings = new Readings();

  get isEmpty(): boolean {
    return this.mailbox.length === 0 && this.#readings.length === 0;
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
  }

  rejectAll(fault: Fault): void {
    this.mailbox.rejectAll(fault);
    for (const reading of this.#readings.takeAll()) reading.reject(fault);
  }
}
