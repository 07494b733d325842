// Who may have done it: every event in the journal needs a request that asked for just that, that was
// on its way at the time, and that was not told no. One request is the cause of one event at most,
// however often the network doubled it (I4, I8).

import { REQUEST_DEADLINE_MS } from "../../src/core/limits.ts";
import type { Command } from "../../src/core/stock/command.ts";
import type { StockEvent } from "../../src/core/stock/event.ts";
import { Violation } from "./shadow.ts";
import type { World } from "./world.ts";

/** One attempt of a client: a repeat is another one. */
export type Attempt = {
  readonly id: number;
  readonly skuKey: string;
  readonly command: Command;
  readonly nodeId: string;
  readonly sentMs: number;
  /** When a node read it: later than it was sent when the node was paused; Infinity: never. */
  enteredMs: number;
  /** Infinity as long as it may still be done: pending, or of unknown outcome. */
  doneByMs: number;
  /** False once the answer was that nothing was done. */
  mayHaveActed: boolean;
};

type Happened = {
  readonly event: StockEvent;
  readonly atMs: number;
  /** When its batch was decided. */
  readonly decidedMs: number;
};

/**
 * Nothing is decided for somebody who has given up, but for what the age of a message is wrong by:
 * the first one that a router reads of another tells nothing of a pause on its way (MessageAges, A2).
 */
const DECIDED_WITHIN_MS = REQUEST_DEADLINE_MS + 250;

export class Causes {
  readonly #world: World;
  readonly #attempts = new Map<string, Attempt[]>();
  readonly #events = new Map<string, Happened[]>();
  readonly #heldAtMs = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  began(attempt: Attempt): void {
    const key = subjectOf(attempt.skuKey, attempt.command);
    listIn(this.#attempts, key).push(attempt);
  }

  happened(
    skuKey: string,
    event: StockEvent,
    at: { readonly atMs: number; readonly decidedMs: number },
  ): void {
    const { atMs, decidedMs } = at;
    if (event.kind === "held") this.#heldAtMs.set(`${skuKey} ${event.number}`, atMs);
    if (event.kind === "lapsed") return;
    listIn(this.#events, subjectOf(skuKey, event)).push({ event, atMs, decidedMs });
  }

  /** When a hold was journaled; NaN when it never was. */
  heldAtMs(skuKey: string, number: number): number {
    return this.#heldAtMs.get(`${skuKey} ${number}`) ?? Number.NaN;
  }

  /** Cost: for each shopper and SKU, events × attempts. */
  checkAll(): void {
    for (const [key, events] of this.#events) {
      const unused = new Set(this.#attempts.get(key) ?? []);
      for (const happened of events) unused.delete(this.#causeOf(key, happened, unused));
    }
  }

  /** The one whose time is up first; nobody else could use it later. */
  #causeOf(key: string, happened: Happened, unused: ReadonlySet<Attempt>): Attempt {
    let cause: Attempt | null = null;
    for (const attempt of unused) {
      if (!this.#isPossible(attempt, happened)) continue;
      if (cause === null || latestMs(attempt) < latestMs(cause)) cause = attempt;
    }
    if (cause !== null) return cause;
    const { event, atMs } = happened;
    throw new Violation("I4/I8", `${key}: ${event.kind} at ${atMs} was asked for by nobody`);
  }

  #isPossible(attempt: Attempt, { event, atMs, decidedMs }: Happened): boolean {
    const { command, enteredMs, doneByMs, mayHaveActed } = attempt;
    if (!mayHaveActed || enteredMs > decidedMs || doneByMs < atMs) return false;
    const stoodStillMs = this.#world.pausedMs(enteredMs, decidedMs);
    if (decidedMs > enteredMs + DECIDED_WITHIN_MS + stoodStillMs) return false;
    return asksFor(command, event);
  }
}

function latestMs({ doneByMs, enteredMs }: Attempt): number {
  return Math.min(doneByMs, enteredMs + DECIDED_WITHIN_MS);
}

function asksFor(command: Command, event: StockEvent): boolean {
  switch (event.kind) {
    case "held":
    case "changed":
      return command.kind === "hold" && command.quantity === event.quantity;
    case "configured":
      return command.kind === "configure" && command.version === event.version;
    case "given_back":
      return command.kind === "give_back";
    case "pinned":
      return command.kind === "pin";
    case "unpinned":
      return command.kind === "unpin";
    case "confirmed":
      return command.kind === "confirm" && command.quantity === event.quantity;
    case "refused":
      return command.kind === "confirm" || command.kind === "return";
    default:
      return command.kind === "return";
  }
}

/** Only requests and events about the same thing can be cause and effect. */
function subjectOf(skuKey: string, thing: Command | StockEvent): string {
  if ("orderId" in thing) return `${skuKey} ${thing.orderId}`;
  return "shopper" in thing ? `${skuKey} ${thing.shopper}` : skuKey;
}

function listIn<T>(map: Map<string, T[]>, key: string): T[] {
  let list = map.get(key);
  if (list === undefined) {
    list = [];
    map.set(key, list);
  }
  return list;
}
