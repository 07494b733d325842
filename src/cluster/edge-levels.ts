// EdgeLevels
//
// What this node heard of SKUs that are decided elsewhere, and what it may refuse by it without
// asking:
//
//   E1  `not_open` before the start, by the steady clock, with a margin for its drift
//   E2  `sold_out` with nothing held, for EDGE_LEVEL_FRESH_MS since the owner said so, counted from
//       when it was sent and not from when it came; of an owner that was heard long enough for the
//       age of a message to be known
//   E3  one ask in ASK_EVERY_MS goes to the owner all the same: it says so while it is asked

import { EDGE_LEVEL_FRESH_MS } from "../core/limits.ts";
import type { Bus } from "../core/ports/bus.ts";
import type { LevelChange } from "../core/ports/level-feed.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import type { SkuRef } from "../core/ports/stock.ts";
import type { HoldRefusal } from "../core/stock/command.ts";
import { IgnoredMessages } from "./ignored-messages.ts";
import { decodeLevels, type LevelLine, type LevelMessage } from "./level-message.ts";
import { MessageAges } from "./message-ages.ts";
import { Garbled } from "./wire-message.ts";

/** A steady clock runs away from the store's by less than this before operators are warned. */
const OPEN_MARGIN_MS = 2_000;

const ASK_EVERY_MS = 200;

/** An owner is believed about ages once it was heard for this long. */
const KNOWN_MS = 1_000;

const FORGET_EVERY_MS = 5_000;

/** SKUs that all edges may refuse at once; the owners repeat no more than this each. */
const SOLD_OUT_MAX = 65_536;

const NOT_OPEN: HoldRefusal = { kind: "not_open" };
const SOLD_OUT: HoldRefusal = { kind: "sold_out" };

type SoldOut = { untilMs: number; askedMs: number; claim: number; seq: number };

export type EdgeLevelsOptions = {
  readonly self: string;
  readonly bus: Bus;
  readonly runtime: Runtime;
  readonly log: Logger;
  /** When the sale of the SKU opens, as far as this node knows; null when it does not. */
  readonly opensAtMs: (sku: SkuRef) => number | null;
  /** Levels of other nodes' SKUs, as they change. */
  readonly onLevels: (changes: readonly LevelChange[]) => void;
};

export class EdgeLevels {
  readonly #options: EdgeLevelsOptions;
  readonly #ages: MessageAges;
  readonly #ignored: IgnoredMessages;
  readonly #soldOut = new Map<string, SoldOut>();
  /** By partition: the highest claim that was heard; a lower one is over. */
  readonly #claims = new Map<number, number>();
  /** By incarnation: the last message whose changes were taken. */
  readonly #lastNumbers = new Map<string, number>();
  readonly #endForgetting: () => void;
  refusedCount = 0;

  constructor(options: EdgeLevelsOptions) {
    this.#options = options;
    const { runtime, log, bus } = options;
    this.#ages = new MessageAges(runtime.clock);
    this.#ignored = new IgnoredMessages(runtime.clock, log);
    bus.onBroadcast("levels", (payload) => this.#onMessage(payload));
    this.#endForgetting = runtime.every(FORGET_EVERY_MS, () => this.#forget());
  }

  close(): void {
    this.#endForgetting();
  }

  /** Hot path: one look-up. */
  refusalOf(sku: SkuRef): HoldRefusal | null {
    const { runtime, opensAtMs } = this.#options;
    const startMs = opensAtMs(sku);
    if (startMs !== null && runtime.clock.wallMs() < startMs - OPEN_MARGIN_MS) return NOT_OPEN;
    const soldOut = this.#soldOut.get(sku.key);
    if (soldOut === undefined) return null;
    const nowMs = runtime.clock.monotonicMs();
    if (nowMs >= soldOut.untilMs) return null;
    if (nowMs - soldOut.askedMs >= ASK_EVERY_MS) {
      soldOut.askedMs = nowMs;
      return null;
    }
    this.refusedCount++;
    return SOLD_OUT;
  }

  #onMessage(payload: string): void {
    try {
      const message = decodeLevels(payload);
      if (message.from !== this.#options.self) this.#take(message);
    } catch (cause) {
      if (!(cause instanceof Garbled)) throw cause;
      this.#ignored.ignored("garbled_levels");
    }
  }

  #take(message: LevelMessage): void {
    const ageMs = this.#ages.ageMs(message);
    if (ageMs === null) return;
    const { incarnation, number } = message;
    const isLatest = number > (this.#lastNumbers.get(incarnation) ?? 0);
    if (isLatest) this.#lastNumbers.set(incarnation, number);
    const isTrusted = this.#ages.knownForMs(incarnation) >= KNOWN_MS;
    for (const line of message.lines) {
      if (line.claim < (this.#claims.get(line.partition) ?? 0)) continue;
      this.#claims.set(line.partition, line.claim);
      if (line.kind === "changed") this.#changed(line, isLatest);
      else if (isTrusted) this.#refuseFor(line, EDGE_LEVEL_FRESH_MS - ageMs);
    }
  }

  #changed(line: Extract<LevelLine, { kind: "changed" }>, isLatest: boolean): void {
    for (const { skuKey, level } of line.changes) {
      const soldOut = this.#soldOut.get(skuKey);
      if (level === "sold_out" || soldOut === undefined) continue;
      const isNewer = line.claim > soldOut.claim || line.seq >= soldOut.seq;
      if (isNewer) this.#soldOut.delete(skuKey);
    }
    if (isLatest) this.#options.onLevels(line.changes);
  }

  #refuseFor(line: Extract<LevelLine, { kind: "sold_out" }>, leftMs: number): void {
    if (leftMs <= 0) return;
    const untilMs = this.#options.runtime.clock.monotonicMs() + leftMs;
    const { claim, seq } = line;
    for (const key of line.keys) {
      const known = this.#soldOut.get(key);
      if (known !== undefined) {
        known.untilMs = Math.max(known.untilMs, untilMs);
        known.claim = claim;
        known.seq = seq;
      } else if (this.#soldOut.size < SOLD_OUT_MAX) {
        // What is asked next is refused: another ask was what brought the owner to say so.
        const askedMs = this.#options.runtime.clock.monotonicMs();
        this.#soldOut.set(key, { untilMs, askedMs, claim, seq });
      }
    }
  }

  #forget(): void {
    const nowMs = this.#options.runtime.clock.monotonicMs();
    for (const [key, { untilMs }] of this.#soldOut) {
      if (untilMs <= nowMs) this.#soldOut.delete(key);
    }
    if (this.#lastNumbers.size > LIVES_MAX) this.#lastNumbers.clear();
  }
}

/** Incarnations whose last message is remembered. */
const LIVES_MAX = 1_024;
