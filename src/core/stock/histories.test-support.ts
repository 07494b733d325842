// Random histories of a book of three SKUs, two of them in one group, for property tests.

import fc from "fast-check";

import type { Command } from "./command.ts";
import { availableOf, type StockBook } from "./state.ts";

const KEYS = ["sale/a", "sale/b", "sale/c"] as const;
const SHOPPERS = ["s1", "s2", "s3"] as const;
const ORDERS = ["o1", "o2", "o3", "o4", "o5", "o6", "o7", "o8", "o9"] as const;
export type Step = { readonly key: string; readonly command: Command; readonly advanceMs: number };

/** Deadlines in the tests are 100 ms holds and 250 ms pay windows: steps of every size around them. */
const advance = fc.oneof(
  fc.constantFrom(0, 0, 0, 1, 99, 100, 101, 149, 150, 250),
  fc.integer({ min: 0, max: 400 }),
);

const shopper = fc.constantFrom(...SHOPPERS);
const orderId = fc.constantFrom(...ORDERS);
const quantity = fc.constantFrom(1, 1, 1, 2, 2, 3);

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("hold" as const), shopper, quantity }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("give_back" as const), shopper }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("pin" as const),
      shopper,
      orderId,
      quantity,
      priceMinor: fc.constantFrom(100, 100, 100, 120),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("unpin" as const), shopper, orderId }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("confirm" as const), shopper, orderId, quantity }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("return" as const), shopper, orderId, quantity }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("configure" as const),
      version: fc.integer({ min: 1, max: 12 }),
      phase: fc.constantFrom("live" as const, "live" as const, "live" as const, "paused" as const),
      startsAtMs: fc.constantFrom(0, 1_000),
      endsAtMs: fc.constantFrom(3_000, 1_000_000),
      holdMs: fc.constant(100),
      payMs: fc.constant(250),
      limit: fc.integer({ min: 1, max: 3 }),
      priceMinor: fc.constantFrom(100, 120),
      released: fc.integer({ min: 0, max: 6 }),
      group: fc.constant(null),
      groupLimit: fc.constant(3),
    }),
  },
);

const step: fc.Arbitrary<Step> = fc.record({
  key: fc.constantFrom(...KEYS),
  command,
  advanceMs: advance,
});

/** A decline and another card: rare among single steps, so it is offered as one. */
const anotherCard: fc.Arbitrary<Step[]> = fc
  .record({ key: fc.constantFrom(...KEYS), quantity, first: fc.nat({ max: 2 }), advance })
  .map(({ key, quantity: units, first, advance: advanceMs }) => {
    const buyer = SHOPPERS[first]!;
    const [card, other] = [ORDERS[first]!, ORDERS[first + SHOPPERS.length]!];
    const pinOf = (order: string): Command => ({
      kind: "pin",
      shopper: buyer,
      orderId: order,
      quantity: units,
      priceMinor: 100,
    });
    const commands: Command[] = [
      { kind: "hold", shopper: buyer, quantity: units },
      pinOf(card),
      { kind: "unpin", shopper: buyer, orderId: card },
      pinOf(other),
    ];
    return commands.map((asked) => ({ key, command: asked, advanceMs: Math.min(advanceMs, 99) }));
  });

export const history: fc.Arbitrary<Step[]> = fc
  .array(
    fc.oneof(
      { weight: 20, arbitrary: step.map((one) => [one]) },
      { weight: 1, arbitrary: anotherCard },
    ),
    { minLength: 5, maxLength: 60, size: "max" },
  )
  .map((parts) => parts.flat());

/** SKUs a and b share a group; c stands alone. */
export function inGroup({ key, command: asked, advanceMs }: Step): Step {
  if (asked.kind !== "configure") return { key, command: asked, advanceMs };
  return { key, command: { ...asked, group: key === "sale/c" ? null : "g" }, advanceMs };
}

/** One shopper an order: what the shop keeps to by its unique keys. */
export function ofOneShopper(steps: readonly Step[]): Step[] {
  return steps.map((one) => {
    const asked = one.command;
    if (!("orderId" in asked)) return one;
    const owner =
      SHOPPERS[ORDERS.indexOf(asked.orderId as (typeof ORDERS)[number]) % SHOPPERS.length]!;
    return { ...one, command: { ...asked, shopper: owner } };
  });
}

export const opening: Step[] = KEYS.map((key) => ({
  key,
  advanceMs: 0,
  command: {
    kind: "configure",
    version: 1,
    phase: "live",
    startsAtMs: 1_000,
    endsAtMs: 1_000_000,
    holdMs: 100,
    payMs: 250,
    limit: 2,
    priceMinor: 100,
    released: 4,
    group: key === "sale/c" ? null : "g",
    groupLimit: 3,
  },
}));

/** What the model says of each SKU, wherever the SKU is. */
export function summaryOf(book: StockBook): Record<string, unknown> {
  const summary: Record<string, unknown> = {};
  for (const [key, sku] of book.skus) {
    const { rules, sold, held, paying } = sku;
    summary[key] = { released: rules.released, sold, held, paying, available: availableOf(sku) };
  }
  for (const { key, released, sold } of book.archived.values()) {
    summary[key] = { released, sold, held: 0, paying: 0, available: released - sold };
  }
  return summary;
}
