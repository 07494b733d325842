// A million idle SKUs fit into a node because those alike share what the sale says about them.

import { expect, test } from "bun:test";

import { RULES_KEPT_MAX } from "../limits.ts";
import { apply } from "./apply.ts";
import type { Configured } from "./event.ts";
import { RulesPool } from "./rules.ts";
import { decodeBook, encodeBook } from "./snapshot.ts";
import { emptyBook, type StockBook } from "./state.ts";

const CONFIGURED: Configured = {
  kind: "configured",
  version: 1,
  phase: "live",
  startsAtMs: 1,
  endsAtMs: 2_000,
  holdMs: 300,
  payMs: 600,
  limit: 2,
  priceMinor: 1_000,
  released: 10,
  group: null,
  groupLimit: 0,
};
const [A, B] = ["sale/a", "sale/b"];

function rulesIn(book: StockBook, key: string) {
  return book.skus.get(key)?.rules;
}

function bookOfTwo(): StockBook {
  const book = emptyBook();
  apply(book, A, CONFIGURED);
  apply(book, B, { ...CONFIGURED, group: "g", groupLimit: 3 });
  return book;
}

test("SKUs alike share their rules, also after a snapshot", () => {
  for (const book of [bookOfTwo(), decodeBook(encodeBook(bookOfTwo(), 1)).book]) {
    expect(rulesIn(book, A)).toBe(rulesIn(book, B));
    expect(book.skus.get(A)?.trade).toBe(book.skus.get(B)!.trade);
  }
});

test("a SKU that is configured again leaves the others as they are", () => {
  const book = bookOfTwo();
  apply(book, A, { ...CONFIGURED, version: 2, priceMinor: 2_000, released: 11 });
  expect(rulesIn(book, A)).toMatchObject({ version: 2, priceMinor: 2_000, released: 11 });
  expect(rulesIn(book, B)).toMatchObject({ version: 1, priceMinor: 1_000, released: 10 });
});

test("what one shopper buys is not bought from the SKUs that share with it", () => {
  const book = bookOfTwo();
  const order = { shopper: "s", orderId: "o", quantity: 1 };
  apply(book, A, { kind: "confirmed", ...order, fromPin: false });
  expect([book.skus.get(A)!.sold, book.skus.get(B)!.sold]).toEqual([1, 0]);
  expect(book.skus.get(B)!.bought.size + book.skus.get(B)!.orders.size).toBe(0);
});

test("each rule by itself makes others", () => {
  const { kind: _kind, group: _group, groupLimit: _limit, ...rules } = CONFIGURED;
  const pool = new RulesPool();
  const shared = pool.share(rules);
  expect(shared).toEqual(rules);
  for (const [name, value] of Object.entries(rules)) {
    const changed = { ...rules, [name]: typeof value === "number" ? value + 1 : "paused" };
    expect(pool.share(changed)).toEqual(changed);
  }
  expect(pool.share({ ...rules })).toBe(shared);
});

test("more distinct rules than are known to share are still right", () => {
  const book = emptyBook();
  const count = RULES_KEPT_MAX + 1;
  for (let priceMinor = 1; priceMinor <= count; priceMinor += 1) {
    apply(book, `sale/${priceMinor}`, { ...CONFIGURED, priceMinor });
  }
  for (let priceMinor = 1; priceMinor <= count; priceMinor += 1) {
    expect(rulesIn(book, `sale/${priceMinor}`)?.priceMinor).toBe(priceMinor);
  }
});
