// Does a run's ledger balance? Compares what each client heard with what the arm's books say, by
// shopper and not by counts alone. A row of the bench is void unless nothing is found here.

import { OUTCOME } from "../generator/job.ts";
import { indexOfShopper } from "../generator/tokens.ts";

/** An arm's own books after a run. */
export type Books = {
  /** Every unit that is held or sold, one call for each shopper and SKU. */
  readonly rows: Iterable<{
    readonly skuKey: string;
    readonly shopper: string;
    readonly quantity: number;
  }>;
  /** By SKU key; only SKUs that something happened to need to be there. */
  readonly counts: ReadonlyMap<string, { readonly released: number; readonly available: number }>;
  /** What the books found wrong with themselves, e.g. state ≠ replay of the ledger. */
  readonly problems: readonly string[];
  /** Orders by status, where there are orders. */
  readonly orders?: Readonly<Record<string, number>>;
};

/** One load, as its clients saw it. */
export type Heard = {
  readonly firstShopper: number;
  readonly outcomes: Uint8Array;
  readonly skuKeyOf: (index: number) => string;
};

const PROBLEMS_MAX = 10;
const LIMIT_UNITS = 2;

/** Returns: what does not balance; empty when everything does. */
export function audit(heard: readonly Heard[], books: Books): readonly string[] {
  const problems = [...books.problems];
  const found = (text: string): void => {
    if (problems.length < PROBLEMS_MAX) problems.push(text);
  };
  const asked = askedOf(heard, found);
  const unitsOf = new Map<string, number>();
  const seen = new Uint8Array(asked.outcomes.length);
  for (const { skuKey, shopper, quantity } of books.rows) {
    unitsOf.set(skuKey, (unitsOf.get(skuKey) ?? 0) + quantity);
    if (quantity > LIMIT_UNITS) found(`${shopper} has ${quantity} units of ${skuKey}`);
    const index = indexOfShopper(shopper);
    const outcome = asked.outcomes[index] ?? OUTCOME.none;
    if (seen[index] === 1) found(`${shopper} has two rows of ${skuKey}`);
    seen[index] = 1;
    if (asked.keyOf(index) !== skuKey) found(`${shopper} never asked for ${skuKey}`);
    else if (!mayHaveRow(outcome)) found(`${shopper} was refused and has a row of ${skuKey}`);
  }
  for (let index = 0; index < asked.outcomes.length; index += 1) {
    const outcome = asked.outcomes[index] as number;
    if (mustHaveRow(outcome) && seen[index] !== 1) {
      found(`shopper ${index} was told yes (${outcome}) and has no row`);
    }
  }
  for (const [skuKey, { released, available }] of books.counts) {
    const units = unitsOf.get(skuKey) ?? 0;
    if (units > released) found(`${skuKey} is oversold: ${units} of ${released}`);
    if (available + units !== released) {
      found(`${skuKey}: ${available} available + ${units} taken ≠ ${released} released`);
    }
  }
  for (const skuKey of unitsOf.keys()) {
    if (!books.counts.has(skuKey)) found(`${skuKey} has rows and no stock`);
  }
  if (books.orders !== undefined) auditOrders(asked.outcomes, books.orders, found);
  return problems;
}

/** One order a key: a second click makes no second order, and each answer has its order. */
function auditOrders(
  outcomes: Uint8Array,
  orders: Readonly<Record<string, number>>,
  found: (text: string) => void,
): void {
  const heard = Array.from({ length: 10 }, () => 0);
  for (const outcome of outcomes) heard[outcome] = (heard[outcome] as number) + 1;
  const count = (outcome: number): number => heard[outcome] as number;
  const unknown =
    count(OUTCOME.pending) + count(OUTCOME.busy) + count(OUTCOME.wrong) + count(OUTCOME.unanswered);
  const pairs = [
    ["paid", count(OUTCOME.paid)],
    ["failed", count(OUTCOME.declined)],
  ] as const;
  for (const [status, told] of pairs) {
    const stored = orders[status] ?? 0;
    if (stored < told || stored > told + unknown) {
      found(`${stored} orders are ${status}, ${told} clients heard it, ${unknown} do not know`);
    }
  }
}

type Asked = { readonly outcomes: Uint8Array; keyOf(index: number): string | null };

/** All loads of a run by shopper: each asked once at most. */
function askedOf(heard: readonly Heard[], found: (text: string) => void): Asked {
  const size = heard.reduce(
    (end, load) => Math.max(end, load.firstShopper + load.outcomes.length),
    0,
  );
  const outcomes = new Uint8Array(size);
  for (const load of heard) {
    const before = outcomes.subarray(load.firstShopper, load.firstShopper + load.outcomes.length);
    if (before.some((outcome) => outcome !== OUTCOME.none)) found("a shopper asked in two loads");
    outcomes.set(load.outcomes, load.firstShopper);
  }
  return {
    outcomes,
    keyOf(index) {
      const load = heard.find(
        ({ firstShopper, outcomes: { length } }) =>
          index >= firstShopper && index < firstShopper + length,
      );
      return load === undefined ? null : load.skuKeyOf(index - load.firstShopper);
    },
  };
}

/** The answer was yes. Declined and abandoned journeys still have their hold. */
function mustHaveRow(outcome: number): boolean {
  return (
    outcome === OUTCOME.accepted ||
    outcome === OUTCOME.paid ||
    outcome === OUTCOME.declined ||
    outcome === OUTCOME.abandoned
  );
}

/** 5xx and no answer at all mean unknown: both are fine. */
function mayHaveRow(outcome: number): boolean {
  return (
    mustHaveRow(outcome) ||
    outcome === OUTCOME.busy ||
    outcome === OUTCOME.wrong ||
    outcome === OUTCOME.unanswered ||
    outcome === OUTCOME.pending
  );
}
