// A fixed history with every kind of event in it, whose batch and snapshot are kept as files.

import { apply } from "../../src/core/stock/apply.ts";
import { BatchBuilder } from "../../src/core/stock/codec.ts";
import type { StockEvent } from "../../src/core/stock/event.ts";
import { encodeBook } from "../../src/core/stock/snapshot.ts";
import { emptyBook, type StockBook } from "../../src/core/stock/state.ts";

export const AT_MS = 1_796_054_400_123;

const A = "diwali-drop/phone-x-128";
const B = "diwali-drop/phone-x-256";
const C = "last-year/diya";
const D = "last-year/lamp-red";
const E = "last-year/lamp-blue";

const rules = {
  kind: "configured",
  version: 1,
  phase: "live",
  startsAtMs: AT_MS - 60_000,
  endsAtMs: AT_MS + 7_200_000,
  holdMs: 300_000,
  payMs: 600_000,
  limit: 2,
  priceMinor: 1_999_900,
  released: 1_000,
  group: null,
  groupLimit: 0,
} as const;

const held = (shopper: string, number: number, quantity: number): StockEvent => {
  const { priceMinor } = rules;
  return { kind: "held", shopper, number, quantity, priceMinor, deadlineMs: AT_MS + 300_000 };
};

export const EVENTS: readonly (readonly [key: string, event: StockEvent])[] = [
  [A, { ...rules, group: "phone-x", groupLimit: 3 }],
  [B, { ...rules, phase: "paused", priceMinor: 2_499_900, released: 0 }],
  [B, { ...rules, version: 2, priceMinor: 2_499_900, released: 5 }],
  [A, held("auth0|s1", 1, 2)],
  [A, held("s2", 2, 1)],
  [A, held("s3", 3, 1)],
  [A, held("s4", 4, 2)],
  [B, held("s2", 1, 1)],
  [A, { kind: "changed", shopper: "s4", quantity: 1 }],
  [A, { kind: "given_back", shopper: "s3" }],
  [A, { kind: "pinned", shopper: "auth0|s1", orderId: "ord_1", deadlineMs: AT_MS + 600_000 }],
  [A, { kind: "confirmed", shopper: "auth0|s1", orderId: "ord_1", quantity: 2, fromPin: true }],
  [A, { kind: "pinned", shopper: "s2", orderId: "ord_2", deadlineMs: AT_MS + 600_000 }],
  [A, { kind: "unpinned", shopper: "s2", orderId: "ord_2" }],
  [A, { kind: "pinned", shopper: "s2", orderId: "ord_3", deadlineMs: AT_MS + 600_000 }],
  [A, { kind: "lapsed", shopper: "s4" }],
  [A, { kind: "confirmed", shopper: "s5", orderId: "ord_5", quantity: 1, fromPin: false }],
  [A, { kind: "returned", orderId: "ord_5" }],
  [A, { kind: "refused", shopper: "s6", orderId: "ord_6", quantity: 2 }],
  [C, { ...rules, phase: "ended", released: 3 }],
  [C, { kind: "confirmed", shopper: "s7", orderId: "ord_7", quantity: 1, fromPin: false }],
  [C, { kind: "archived", digest: "1h2j3k4m5n6p7" }],
  [D, { ...rules, phase: "cancelled", group: "lamps", groupLimit: 3 }],
  [E, { ...rules, phase: "cancelled", group: "lamps", groupLimit: 3 }],
  [E, { kind: "archived", digest: "7p6n5m4k3j2h1" }],
];

export function history(): { batch: string; pieces: string[]; book: StockBook } {
  const book = emptyBook();
  const builder = new BatchBuilder(AT_MS);
  for (const [key, event] of EVENTS) builder.add(key, event, apply(book, key, event));
  return { batch: builder.build().bytes, pieces: encodeBook(book, AT_MS), book };
}
