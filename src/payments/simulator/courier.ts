// Delivers the book's events: signed, retried with back-off until the receiver answers 2xx.
//
// C1  An event leaves the book only after a 2xx: it may come twice, never not at all.
// C2  Each copy and each retry of an event has the same id.

import { Webhook } from "standardwebhooks";

import type { Clock } from "../../core/ports/clock.ts";
import { CallLane } from "../call-lane.ts";
import * as limits from "../limits.ts";
import type { Book, BookEvent } from "./book.ts";

export type CourierOptions = {
  readonly book: Book;
  readonly clock: Clock;
  readonly secret: string;
  readonly deadlineMs: number;
  readonly retryMs: number;
  readonly retryMsMax: number;
  readonly pollMs: number;
};

export class Courier {
  readonly #options: CourierOptions;
  readonly #webhook: Webhook;
  readonly #lane: CallLane;
  #isStopped = false;
  #url: string | null = null;
  #round: Promise<void> | null = null;
  #isPoked = false;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(options: CourierOptions) {
    this.#options = options;
    this.#webhook = new Webhook(options.secret);
    // The deadline is the whole round's: a receiver that hangs holds nothing up for longer.
    this.#lane = new CallLane({
      name: "event delivery",
      deadlineMs: options.deadlineMs,
      atOnceMax: limits.EVENT_DELIVERIES_AT_ONCE_MAX,
      waitingMax: limits.EVENT_ROUND_MAX,
    });
  }

  /** Where events go from now on; before the first call they stay in the book. */
  deliverTo(url: string): void {
    this.#url = url;
    this.poke();
  }

  /** There may be something to deliver. */
  poke(): void {
    if (this.#url === null || this.#isStopped) return;
    this.#isPoked = true;
    this.#round ??= this.#rounds().finally(() => {
      this.#round = null;
      // A poke that came after the last look starts the next round.
      if (this.#isPoked) this.poke();
      else this.#armTimer();
    });
  }

  /** Deliveries under way are cut off; their events stay in the book. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#lane.expireAll();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#round;
  }

  async #rounds(): Promise<void> {
    const { book, clock } = this.#options;
    while (this.#isPoked && !this.#isStopped) {
      this.#isPoked = false;
      const nowMs = clock.wallMs();
      const events = book.events(limits.EVENT_ROUND_MAX).filter((event) => event.nextAtMs <= nowMs);
      if (events.length === 0) return;
      const delivered = await this.#deliverAll(events);
      book.settleEvents(
        events.map((event) => ({
          number: event.number,
          nextAtMs: delivered.has(event.number) ? null : clock.wallMs() + this.#pauseMs(event),
        })),
      );
      // A full round leaves more behind it.
      if (events.length === limits.EVENT_ROUND_MAX) this.#isPoked = true;
    }
  }

  #pauseMs({ attempts }: BookEvent): number {
    const { retryMs, retryMsMax } = this.#options;
    return Math.min(retryMsMax, retryMs * 2 ** Math.min(attempts, 20));
  }

  /** Returns  the numbers of those that were taken. */
  async #deliverAll(events: readonly BookEvent[]): Promise<Set<number>> {
    const delivered = new Set<number>();
    await Promise.all(
      events.map(async (event) => {
        if (await this.#deliver(event)) delivered.add(event.number);
      }),
    );
    return delivered;
  }

  async #deliver(event: BookEvent): Promise<boolean> {
    const url = this.#url;
    if (url === null || this.#isStopped) return false;
    try {
      return await this.#lane.run(async (signal) => {
        const response = await fetch(url, { ...this.#signed(event), redirect: "manual", signal });
        await response.body?.cancel();
        return response.ok;
      });
    } catch {
      // Any reason is a reason to try again: the event is still in the book.
      return false;
    }
  }

  #signed(event: BookEvent): RequestInit {
    const eventId = eventIdOf(event);
    const body = bodyOf(event);
    const now = new Date(this.#options.clock.wallMs());
    const headers = {
      "content-type": "application/json",
      "webhook-id": eventId,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
      "webhook-signature": this.#webhook.sign(eventId, now, body),
    };
    return { method: "POST", headers, body };
  }

  #armTimer(): void {
    if (this.#isStopped) return;
    const [soonest] = this.#options.book.events(1);
    if (soonest === undefined) return;
    const { clock, pollMs } = this.#options;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const delayMs = Math.min(pollMs, Math.max(1, soonest.nextAtMs - clock.wallMs()));
    this.#timer = setTimeout(() => this.poke(), delayMs);
  }
}

/** An order has one event of each type, so both name it (no dot: it separates what is signed). */
function eventIdOf({ type, orderId }: BookEvent): string {
  return `evt_${type.replace("charge.", "")}_${orderId}`;
}

function bodyOf({ type, orderId, amountMinor, currency, createdAtMs }: BookEvent): string {
  const timestamp = new Date(createdAtMs).toISOString();
  return JSON.stringify({ type, timestamp, data: { orderId, amountMinor, currency } });
}
