import { describe, expect, test } from "bun:test";

import { audit, type Books } from "../../bench/audit/audit.ts";
import { doorbusterBooks } from "../../bench/audit/doorbuster-books.ts";
import { OUTCOME, type Outcome } from "../../bench/generator/job.ts";
import { shopperOf } from "../../bench/generator/tokens.ts";

const KEY = "bench/hot";

function heardOf(outcomes: readonly Outcome[], firstShopper = 0) {
  return { firstShopper, outcomes: Uint8Array.from(outcomes), skuKeyOf: () => KEY };
}

function booksOf(
  shoppers: readonly number[],
  stock: { released: number; available: number },
): Books {
  const rows = shoppers.map((index) => ({ skuKey: KEY, shopper: shopperOf(index), quantity: 1 }));
  return { rows, counts: new Map([[KEY, stock]]), problems: [] };
}

const { accepted, refused, unanswered, busy, paid, declined } = OUTCOME;

test("books that say what every client heard balance", () => {
  const heard = [heardOf([accepted, refused, accepted]), heardOf([busy, unanswered], 3)];
  expect(audit(heard, booksOf([0, 2, 4], { released: 10, available: 7 }))).toEqual([]);
});

describe("the audit catches", () => {
  const cases: [string, ReturnType<typeof heardOf>[], Books, RegExp][] = [
    [
      "an oversell, also when every client is happy",
      [heardOf([accepted, accepted, accepted])],
      booksOf([0, 1, 2], { released: 2, available: -1 }),
      /oversold: 3 of 2/,
    ],
    [
      "an answer of yes without a row",
      [heardOf([accepted, accepted])],
      booksOf([0], { released: 5, available: 4 }),
      /shopper 1 was told yes/,
    ],
    [
      "a row of one who was refused",
      [heardOf([accepted, refused])],
      booksOf([0, 1], { released: 5, available: 3 }),
      /was refused and has a row/,
    ],
    [
      "a row of one who never asked",
      [heardOf([accepted])],
      booksOf([0, 9], { released: 5, available: 3 }),
      /never asked/,
    ],
    [
      "two rows of one shopper",
      [heardOf([accepted])],
      booksOf([0, 0], { released: 5, available: 3 }),
      /two rows/,
    ],
    [
      "a unit that is neither taken nor for sale",
      [heardOf([accepted])],
      booksOf([0], { released: 5, available: 3 }),
      /3 available \+ 1 taken ≠ 5 released/,
    ],
    [
      "swapped shoppers whose counts agree",
      [heardOf([accepted, refused])],
      booksOf([1], { released: 5, available: 4 }),
      /told yes|was refused/,
    ],
    [
      "an order that two clicks made twice",
      [heardOf([paid, declined])],
      { ...booksOf([0, 1], { released: 5, available: 3 }), orders: { paid: 2, failed: 1 } },
      /2 orders are paid, 1 clients heard it/,
    ],
  ];

  test.each(cases)("%s", (_, heard, books, problem) => {
    expect(audit(heard, books).join("\n")).toMatch(problem);
  });
});

describe("doorbuster's books", () => {
  const configured = "1\t1000\nbench/hot";

  test("find a missing batch", () => {
    const batches = [
      { partition: 3, seq: 1, bytes: configured },
      { partition: 3, seq: 3, bytes: configured },
    ];
    expect(doorbusterBooks(batches, [], {}).problems).toEqual(["partition 3: batch 3 follows 1"]);
  });

  test("find a state that the ledger does not have", () => {
    const reported = { skuKey: KEY, released: 5, available: 4, held: 1, sold: 0 };
    expect(doorbusterBooks([], [reported], {}).problems).toEqual([
      "bench/hot: state 5/1/0, ledger undefined/undefined/undefined",
    ]);
  });
});
