// The only code that changes stock, live and in replay alike. An event that contradicts the state is
// a bug of `decide`, or not this book's event: the assertion kills the partition, which replays.

import { assert, unreachable } from "../assert.ts";
import type { Archived, Configured, Confirmed, Held, Pinned, StockEvent } from "./event.ts";
import { ownText } from "./own-text.ts";
import {
  availableOf,
  boughtToChange,
  emptyGroup,
  groupKeyOf,
  type GroupState,
  type Hold,
  type NewHold,
  ordersToChange,
  SkuState,
  type StockBook,
} from "./state.ts";

/**
 * Applies one event about the SKU `key`.
 *
 * Changes  `book`, in place. On a throw it is half applied, and must be dropped.
 * Returns  the change of the SKU's available units: the stock backup moves by the same.
 */
export function apply(book: StockBook, key: string, event: StockEvent): number {
  if (event.kind === "configured") return applyConfigured(book, key, event);
  if (event.kind === "archived") return applyArchived(book, key, event);
  const sku = book.skus.get(key);
  assert(sku !== undefined, "an event of a SKU that was never configured");
  const before = availableOf(sku);
  switch (event.kind) {
    case "held":
      addHold(book, sku, event);
      break;
    case "changed": {
      const hold = holdOf(book, sku, event.shopper);
      assert(hold.orderId === null, "a paying hold was changed");
      countHeld(sku, event.shopper, event.quantity - hold.quantity);
      book.holds.setQuantity(hold, event.quantity);
      break;
    }
    case "given_back": {
      const hold = holdOf(book, sku, event.shopper);
      assert(hold.orderId === null, "a paying hold was given back");
      dropHold(book, hold);
      break;
    }
    case "lapsed":
      dropHold(book, holdOf(book, sku, event.shopper));
      break;
    case "pinned":
      applyPinned(book, sku, event);
      break;
    case "unpinned":
      unpin(book, sku, event);
      ordersToChange(sku).set(event.orderId, {
        shopper: event.shopper,
        quantity: 0,
        state: "unpinned",
      });
      break;
    case "confirmed":
      applyConfirmed(book, sku, event);
      break;
    case "refused": {
      const { shopper, orderId, quantity } = event;
      assert(sku.orders.get(orderId)?.state !== "sold", "an order was sold and then refused");
      unpin(book, sku, event);
      ordersToChange(sku).set(orderId, { shopper, quantity, state: "refused" });
      break;
    }
    case "returned": {
      const effect = sku.orders.get(event.orderId);
      assert(effect?.state === "sold", "units were returned that were not sold");
      ordersToChange(sku).set(event.orderId, { ...effect, state: "returned" });
      countBought(sku, effect.shopper, -effect.quantity);
      break;
    }
    default:
      unreachable(event);
  }
  return settle(sku, before);
}

/** I1 and S1 after every event. O(1). */
function settle(sku: SkuState, before: number): number {
  const available = availableOf(sku);
  assert(available >= 0, "oversold: less than nothing is available");
  assert(sku.held >= 0 && sku.sold >= 0, "counts went below zero");
  return available - before;
}

/** Takes the unit out of memory. Available units stay as they are. */
function applyArchived(book: StockBook, key: string, event: Archived): number {
  const digest = ownText(event.digest);
  const known = book.archived.get(key);
  if (known !== undefined) {
    // It was restored, which is no event, and nothing happened to it until it was archived again.
    assert(known.digest === digest, "an archived SKU changed in the archive");
    return 0;
  }
  const sku = book.skus.get(key);
  assert(sku !== undefined, "an event of a SKU that was never configured");
  const group = sku.group === null ? null : sku.group.key;
  const unit = sku.group === null ? [sku] : [...sku.group.skus];
  for (const one of unit) {
    assert(one.held === 0, "a SKU with holds was archived");
    const { version, phase, startsAtMs, endsAtMs, released } = one.rules;
    const rules = { version, phase, startsAtMs, endsAtMs };
    book.archived.set(one.key, { key: one.key, digest, ...rules, released, sold: one.sold, group });
    book.skus.delete(one.key);
  }
  if (group !== null) {
    book.groups.delete(group);
    book.archivedGroups.set(
      group,
      unit.map((one) => one.key),
    );
  }
  return 0;
}

function applyConfigured(book: StockBook, key: string, event: Configured): number {
  assert(!book.archived.has(key), "a SKU changed while it was archived");
  let sku = book.skus.get(key);
  if (sku === undefined) {
    sku = new SkuState(key);
    book.skus.set(sku.key, sku);
  }
  assert(event.version > sku.rules.version, "a sale's version went back");
  const before = availableOf(sku);
  sku.rules = book.rules.share(event);
  joinGroup(book, sku, event.group);
  if (sku.group !== null && event.version > sku.group.version) {
    sku.group.version = event.version;
    sku.group.limit = event.groupLimit;
  }
  return settle(sku, before);
}

function joinGroup(book: StockBook, sku: SkuState, name: string | null): void {
  sku.group?.skus.delete(sku);
  sku.group = name === null ? null : groupOf(book, groupKeyOf(sku.key, name));
  sku.group?.skus.add(sku);
}

function groupOf(book: StockBook, key: string): GroupState {
  assert(!book.archivedGroups.has(key), "a group changed while it was archived");
  let group = book.groups.get(key);
  if (group === undefined) {
    group = emptyGroup(key);
    book.groups.set(key, group);
  }
  return group;
}

function addHold(book: StockBook, sku: SkuState, event: Held): void {
  const { shopper, number, quantity, priceMinor, deadlineMs } = event;
  assert(number > sku.holdCount, "a hold's number was used before");
  insertHold(book, {
    sku,
    shopper,
    number,
    quantity,
    priceMinor,
    deadlineMs,
    orderId: null,
    wasPinned: false,
  });
  sku.holdCount = number;
}

/** Puts a hold in place, and its counts. Also used by snapshots. */
export function insertHold(book: StockBook, hold: NewHold): void {
  book.holds.add(hold);
  countHeld(hold.sku, hold.shopper, hold.quantity);
  if (hold.orderId !== null) hold.sku.paying += hold.quantity;
}

function dropHold(book: StockBook, hold: Hold): void {
  const { sku, shopper, quantity } = hold;
  countHeld(sku, shopper, -quantity);
  if (hold.orderId !== null) sku.paying -= quantity;
  book.holds.drop(hold);
}

function applyPinned(book: StockBook, sku: SkuState, event: Pinned): void {
  const hold = holdOf(book, sku, event.shopper);
  assert(hold.orderId === null, "a hold was pinned by two orders");
  book.holds.pin(hold, event.orderId, event.deadlineMs);
  sku.paying += hold.quantity;
}

function applyConfirmed(book: StockBook, sku: SkuState, event: Confirmed): void {
  const { shopper, orderId, quantity } = event;
  assert(sku.orders.get(orderId)?.state !== "sold", "an order was sold twice");
  if (event.fromPin) {
    const hold = holdOf(book, sku, shopper);
    assert(hold.orderId === orderId, "sold from another order's hold");
    dropHold(book, hold);
  }
  ordersToChange(sku).set(orderId, { shopper, quantity, state: "sold" });
  countBought(sku, shopper, quantity);
}

function unpin(
  book: StockBook,
  sku: SkuState,
  { shopper, orderId }: { readonly shopper: string; readonly orderId: string },
): void {
  const hold = book.holds.get(sku, shopper);
  if (hold?.orderId !== orderId) return;
  book.holds.unpin(hold);
  sku.paying -= hold.quantity;
}

function holdOf(book: StockBook, sku: SkuState, shopper: string): Hold {
  const hold = book.holds.get(sku, shopper);
  assert(hold !== null, "an event of a hold that is not there");
  return hold;
}

function countHeld(sku: SkuState, shopper: string, change: number): void {
  sku.held += change;
  if (sku.group !== null) add(sku.group.held, shopper, change);
}

/** Also used by snapshots. */
export function countBought(sku: SkuState, shopper: string, change: number): void {
  sku.sold += change;
  add(boughtToChange(sku), shopper, change);
  if (sku.group !== null) add(sku.group.bought, shopper, change);
}

/** Zero is not kept: memory follows what is alive. */
function add(counts: Map<string, number>, shopper: string, change: number): void {
  const count = (counts.get(shopper) ?? 0) + change;
  assert(count >= 0, "a shopper's units went below zero");
  if (count === 0) counts.delete(shopper);
  else counts.set(shopper, count);
}
