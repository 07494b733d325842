// A sale that never was: shoppers and a single honest seller, with its history and its ledger, for
// tests of the checker. Times are made up; requests of different shoppers overlap.

import { apply } from "../../src/core/stock/apply.ts";
import { BatchBuilder } from "../../src/core/stock/codec.ts";
import type { Command, Outcome } from "../../src/core/stock/command.ts";
import { decide } from "../../src/core/stock/decide.ts";
import { emptyBook } from "../../src/core/stock/state.ts";
import { holdIdFor } from "./checker-ops.ts";
import type { LedgerRow } from "./checker-timeline.ts";
import type { StoredOrder } from "./checker.ts";
import type { HistoryLine } from "./history.ts";

export const SKU_KEY = "story/shoe";
const STARTED_MS = 1_800_000_000_000;
const PATH = "/v1/sales/story/skus/shoe/hold";

type Asked = { readonly shopper: string; readonly atMs: number };

export class Story {
  readonly history: HistoryLine[] = [];
  readonly ledger: LedgerRow[] = [];
  readonly orders: StoredOrder[] = [];
  readonly #book = emptyBook();
  #seq = 0;
  claim = 1;

  constructor({ stock, limit }: { readonly stock: number; readonly limit: number }) {
    this.#decide(0, {
      kind: "configure",
      version: 1,
      released: stock,
      priceMinor: 1_000,
      limit,
      group: null,
      groupLimit: limit,
      startsAtMs: STARTED_MS - 60_000,
      endsAtMs: STARTED_MS + 7_200_000,
      holdMs: 3_600_000,
      payMs: 3_600_000,
      phase: "live",
    });
  }

  /** Sent at `atMs`, decided 10 ms later, answered after another 10; or never. */
  hold({ shopper, atMs }: Asked, quantity: number, isHeard = true): void {
    const outcome = this.#decide(atMs + 10, { kind: "hold", shopper, quantity });
    const body = JSON.stringify({ quantity });
    const [status, answer] = isHeard ? answerOf(outcome) : [null, ""];
    this.history.push({
      ...lineOf(shopper, atMs),
      method: "PUT",
      path: PATH,
      body,
      status,
      answer,
    });
  }

  giveBack({ shopper, atMs }: Asked, isHeard = true): void {
    const outcome = this.#decide(atMs + 10, { kind: "give_back", shopper });
    const [status, answer] = isHeard ? answerOf(outcome) : [null, ""];
    this.history.push({ ...lineOf(shopper, atMs), method: "DELETE", path: PATH, status, answer });
  }

  /** Buys what the shopper holds. */
  buy({ shopper, atMs }: Asked, quantity: number, key: string): void {
    const orderId = `ord_${(this.orders.length + 1).toString(16).padStart(34, "0")}`;
    this.#decide(atMs + 4, { kind: "pin", shopper, orderId, quantity, priceMinor: 1_000 });
    this.#decide(atMs + 8, { kind: "confirm", shopper, orderId, quantity });
    this.orders.push({ orderId, shopper, key, status: "paid" });
    const path = "/v1/checkout";
    const answer = JSON.stringify({ orderId, status: "paid" });
    const line = { ...lineOf(shopper, atMs), method: "POST", path, key, status: 201, answer };
    this.history.push(line);
  }

  #decide(atMs: number, command: Command): Outcome {
    const nowMs = STARTED_MS + atMs;
    const { outcome, event } = decide(this.#book, SKU_KEY, command, nowMs);
    if (event === null) return outcome;
    const batch = new BatchBuilder(nowMs);
    batch.add(SKU_KEY, event, apply(this.#book, SKU_KEY, event));
    this.#seq += 1;
    const { bytes } = batch.build();
    this.ledger.push({ partition: 0, seq: this.#seq, claim: this.claim, atMs: nowMs, bytes });
    return outcome;
  }
}

/** Shoppers at random, some requests never answered: true from the first line to the last. */
export function randomStory(random: () => number, operations: number): Story {
  const story = new Story({ stock: 5, limit: 3 });
  const shoppers = ["ann", "bob", "cem", "dot", "eva"];
  for (let index = 0; index < operations; index += 1) {
    // 9 ms apart: the five shoppers' requests overlap, each shopper's own do not.
    const at = { shopper: shoppers[index % shoppers.length]!, atMs: 100 + index * 9 };
    const isHeard = random() > 0.05;
    if (random() < 0.35) story.giveBack(at, isHeard);
    else story.hold(at, 1 + Math.floor(random() * 4), isHeard);
  }
  return story;
}

function lineOf(shopper: string, atMs: number) {
  const startedMs = STARTED_MS + atMs;
  return { shopper, startedMs, endedMs: startedMs + 20, port: 1 };
}

function answerOf(outcome: Outcome): [status: number, body: string] {
  if (outcome.kind === "given_back") return [204, ""];
  if (outcome.kind !== "held") return [409, JSON.stringify({ ...outcome, code: outcome.kind })];
  const { number, quantity } = outcome.hold;
  const holdId = holdIdFor(SKU_KEY, number);
  return [outcome.isNew ? 201 : 200, JSON.stringify({ holdId, quantity })];
}
