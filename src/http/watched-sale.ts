// One sale and all who watch it: its events with their ids, for as long as they may be asked again.

import type { Clock } from "../core/ports/clock.ts";
import type { Level } from "../core/sale/level.ts";
import { type SaleState, saleStateOf } from "../core/sale/sale.ts";
import type { SaleDirectory } from "../shop/directory.ts";
import type { LiveLevels } from "../shop/live-levels.ts";
import type { EventLog, EventStream } from "./event-stream.ts";
import { instant } from "./render.ts";

/** Events kept for whoever comes back: at four a second, a quarter of a minute. */
const KEPT_EVENTS_MAX = 64;
const KEPT_BYTES_MAX = 256 * 1_024;

/** A whole is made anew when it is older: thousands who come at once share one. */
const WHOLE_FRESH_MS = 1_000;

type Kept = { readonly number: number; readonly bytes: Uint8Array };

const encoder = new TextEncoder();

export class WatchedSale implements EventLog {
  readonly live: LiveLevels;
  readonly streams = new Set<EventStream>();
  /** Monotonic time since which nobody watches. */
  idleSinceMs = 0;
  readonly #saleId: string;
  readonly #directory: SaleDirectory;
  readonly #clock: Clock;
  /** Another life of the process, or of this watch, numbers anew. */
  readonly #session = crypto.randomUUID().slice(0, 8);
  #number = 0;
  #state: SaleState | null = null;
  #kept: Kept[] = [];
  #keptBytes = 0;
  #whole: (Kept & { readonly madeAtMs: number }) | null = null;

  constructor(saleId: string, live: LiveLevels, directory: SaleDirectory, clock: Clock) {
    this.#saleId = saleId;
    this.live = live;
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Sends what changed since the last look, and whatever a stream still waits for. */
  look(): void {
    this.live.look();
    if (!this.live.isCounted) return;
    const state = this.#stateNow();
    const changes = this.live.takeChanges();
    if (this.#number === 0 || changes.size > 0 || state !== this.#state) {
      this.#state = state;
      this.#number++;
      this.#keep(this.#eventOf(changes));
    }
    const nowMs = this.#clock.monotonicMs();
    for (const stream of this.streams) stream.catchUp(nowMs);
  }

  get latest(): number {
    return this.#number;
  }

  gone(stream: EventStream): void {
    this.streams.delete(stream);
  }

  after(seen: number | null): Kept | null {
    if (!this.live.isCounted || this.#number === 0 || seen === this.#number) return null;
    const first = this.#kept[0]?.number ?? Number.POSITIVE_INFINITY;
    if (seen === null || seen + 1 < first) return this.#wholeNow();
    return this.#kept[seen + 1 - first] ?? null;
  }

  /** The number in an id of ours; null when it is another's, or too old to go on from. */
  numberOf(lastEventId: string | null): number | null {
    const [session, digits = ""] = lastEventId?.split("-") ?? [];
    if (session !== this.#session || !/^\d{1,15}$/.test(digits)) return null;
    const number = Number(digits);
    return number <= this.#number ? number : null;
  }

  #wholeNow(): Kept {
    const nowMs = this.#clock.monotonicMs();
    const whole = this.#whole;
    if (whole !== null && whole.number === this.#number) {
      if (nowMs - whole.madeAtMs < WHOLE_FRESH_MS) return whole;
    }
    this.#whole = { number: this.#number, bytes: this.#eventOf(this.live.levels), madeAtMs: nowMs };
    return this.#whole;
  }

  #keep(bytes: Uint8Array): void {
    this.#kept.push({ number: this.#number, bytes });
    this.#keptBytes += bytes.length;
    while (this.#kept.length > KEPT_EVENTS_MAX || this.#keptBytes > KEPT_BYTES_MAX) {
      const dropped = this.#kept.shift();
      if (dropped === undefined) break;
      this.#keptBytes -= dropped.bytes.length;
    }
  }

  #stateNow(): SaleState {
    const sale = this.#directory.sale(this.#saleId);
    return sale === null ? "draft" : saleStateOf(sale, this.#clock.wallMs());
  }

  #eventOf(levels: ReadonlyMap<string, Level>): Uint8Array {
    const data = JSON.stringify({
      sale: this.#saleId,
      state: this.#stateNow(),
      now: instant(this.#clock.wallMs()),
      levels: Object.fromEntries(levels),
    });
    const id = `${this.#session}-${this.#number}`;
    return encoder.encode(`id: ${id}\nevent: levels\ndata: ${data}\n\n`);
  }
}
