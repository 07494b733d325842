// An exact search: is there an order of all that was done to one SKU, each thing at one moment
// between its request and its answer, in which one seller alone would have said the same?
//
// After Wing & Gong, and Lowe: depth first over the operations that may be next, with a memory of
// what was tried. What has no answer may take effect at any time after its request, or never.
// A refusal may be a second old (I8); everything else is strict.

import type { Held, SkuOp } from "./checker-ops.ts";

/** More and the search may not end. */
export const WINDOW_OPS_MAX = 200;
/** About a second. What needs more has too many requests without an answer in it. */
const STEPS_MAX = 20_000;
const REFUSAL_AGE_MS = 1_000;

export type Verdict = "linearizable" | "impossible" | "undecided";

/** The SKU before the first operation: nothing held, nothing sold. */
export type Shop = { readonly stock: number; readonly limit: number };

type Node = {
  readonly op: SkuOp;
  readonly index: number;
  readonly startedMs: number;
  readonly endedMs: number;
};

type State = {
  free: number;
  holdCount: number;
  readonly holds: Map<string, Held>;
};

/** Of all operations on one SKU, looks left out; without checkouts and without lapses. */
export function searchWindow(ops: readonly SkuOp[], shop: Shop): Verdict {
  if (ops.length > WINDOW_OPS_MAX) throw new Error(`${ops.length} operations are no window`);
  return new Search(ops, shop).run();
}

class Search {
  readonly #limit: number;
  readonly #nodes: readonly Node[];
  readonly #isDone: boolean[];
  readonly #tried = new Set<string>();
  readonly #state: State;
  #left: number;
  #steps = 0;

  constructor(ops: readonly SkuOp[], { stock, limit }: Shop) {
    this.#limit = limit;
    this.#state = { free: stock, holdCount: 0, holds: new Map() };
    this.#nodes = ops.map((op, index) => {
      const isRefused = op.said.kind === "refused";
      const isOpen = op.said.kind === "unknown";
      const startedMs = op.startedMs - (isRefused ? REFUSAL_AGE_MS : 0);
      return { op, index, startedMs, endedMs: isOpen ? Number.POSITIVE_INFINITY : op.endedMs };
    });
    this.#isDone = ops.map(() => false);
    this.#left = this.#nodes.filter(({ endedMs }) => endedMs !== Number.POSITIVE_INFINITY).length;
  }

  run(): Verdict {
    if (this.#search()) return "linearizable";
    return this.#steps >= STEPS_MAX ? "undecided" : "impossible";
  }

  #search(): boolean {
    const refused = this.#refuseWhatMayBe();
    if (this.#left === 0) return true;
    const key = this.#key();
    if (!this.#tried.has(key) && this.#steps < STEPS_MAX) {
      this.#tried.add(key);
      this.#steps += 1;
      for (const node of this.#candidates()) {
        const undo = this.#effect(node);
        if (undo === null) continue;
        this.#mark(node, true);
        if (this.#search()) return true;
        this.#mark(node, false);
        undo();
      }
    }
    for (const node of refused) this.#mark(node, false);
    return false;
  }

  /** Refusals that would be true now: they never change anything, so this closes no way. */
  #refuseWhatMayBe(): readonly Node[] {
    const done: Node[] = [];
    for (let isNews = true; isNews;) {
      isNews = false;
      for (const node of this.#candidates()) {
        const { said } = node.op;
        if (said.kind !== "refused" || this.#refusal(node.op) !== said.code) continue;
        this.#mark(node, true);
        done.push(node);
        isNews = true;
      }
    }
    return done;
  }

  /** Begun before the first of the open ones has ended; the first to end first. */
  #candidates(): readonly Node[] {
    let firstEndMs = Number.POSITIVE_INFINITY;
    for (const node of this.#nodes) {
      if (!this.#isDone[node.index]) firstEndMs = Math.min(firstEndMs, node.endedMs);
    }
    return this.#nodes
      .filter(({ index, startedMs }) => !this.#isDone[index] && startedMs <= firstEndMs)
      .sort((left, right) => {
        // Those without an answer last, and of them what was asked a moment ago before the old.
        if (left.endedMs === right.endedMs) return right.startedMs - left.startedMs;
        return left.endedMs - right.endedMs;
      });
  }

  /** Makes it so and returns the way back; null when it cannot be what comes next. */
  #effect({ op }: Node): (() => void) | null {
    const { said, shopper, quantity } = op;
    const { holds } = this.#state;
    if (said.kind === "refused") return null;
    const mine = holds.get(shopper);
    const before = { free: this.#state.free, holdCount: this.#state.holdCount };
    const isOpen = said.kind === "unknown";
    if (op.kind === "give_back") {
      if (mine === undefined) return isOpen ? null : () => {};
      holds.delete(shopper);
      this.#state.free += mine.quantity;
    } else {
      // What was never answered and would change nothing need not be at all.
      if (this.#refusal(op) !== null || (isOpen && mine?.quantity === quantity)) return null;
      const number = mine?.number ?? this.#state.holdCount + 1;
      const isNew = mine === undefined;
      if (said.kind === "held") {
        if (said.isNew !== isNew || !isSame(said.hold, { number, quantity })) return null;
      }
      if (isNew) this.#state.holdCount += 1;
      this.#state.free -= quantity - (mine?.quantity ?? 0);
      holds.set(shopper, { number, quantity });
    }
    return () => {
      Object.assign(this.#state, before);
      if (mine === undefined) holds.delete(shopper);
      else holds.set(shopper, mine);
    };
  }

  #refusal({ kind, shopper, quantity }: SkuOp): string | null {
    if (kind !== "hold") return null;
    const mine = this.#state.holds.get(shopper)?.quantity ?? 0;
    if (quantity <= mine) return null;
    if (quantity > this.#limit) return "limit_reached";
    const { free, holds } = this.#state;
    if (quantity - mine <= free) return null;
    if (free > 0) return "too_few";
    return holds.size > 0 ? "all_held" : "sold_out";
  }

  #lastDone(): number {
    return this.#isDone.lastIndexOf(true);
  }

  #mark({ index, endedMs }: Node, isDone: boolean): void {
    this.#isDone[index] = isDone;
    if (endedMs !== Number.POSITIVE_INFINITY) this.#left += isDone ? -1 : 1;
  }

  #key(): string {
    const from = this.#isDone.indexOf(false);
    let done = `${from}`;
    for (let index = from; index <= this.#lastDone(); index += 1) {
      done += this.#isDone[index] === true ? "1" : "0";
    }
    const holds = [...this.#state.holds].map(([shopper, { number, quantity }]) => {
      return `${shopper}:${number}:${quantity}`;
    });
    return `${done} ${this.#state.holdCount} ${holds.sort().join()}`;
  }
}

function isSame(left: Held | undefined, right: Held): boolean {
  return left?.number === right.number && left.quantity === right.quantity;
}
