// The decision: what one command comes to, at one time, in one state.
//
// Pure and synchronous: the same book, command and time give the same decision, and nothing is
// changed. Hot path (bench/hold.ts): a refusal builds one small object, no Error, no text.

import { assert, unreachable } from "../assert.ts";
import { HOLD_UNITS_MAX, STOCK_UNITS_MAX } from "../limits.ts";
import type {
  Command,
  Configure,
  ConfigureOutcome,
  Confirm,
  ConfirmOutcome,
  GiveBack,
  GiveBackOutcome,
  HoldOutcome,
  HoldRefusal,
  HoldView,
  Outcome,
  Pin,
  PinOutcome,
  Return,
  ReturnOutcome,
  SetHold,
  Unknown,
  Unpin,
  UnpinOutcome,
} from "./command.ts";
import type { Lapsed, StockEvent } from "./event.ts";
import type { SkuRules } from "./rules.ts";
import {
  type ArchivedSku,
  availableOf,
  type Hold,
  type SkuState,
  type StockBook,
} from "./state.ts";

export type Decision<O = Outcome> = { readonly outcome: O; readonly event: StockEvent | null };

const UNKNOWN_SKU: Decision<Unknown> = { outcome: { kind: "unknown_sku" }, event: null };

/**
 * Decides one command about the SKU `key`.
 *
 * The caller has lapsed all that is due at `nowMs` before (`nextLapse`), and restored the unit that
 * `unitToRestore` names.
 */
export function decide(book: StockBook, key: string, command: Command, nowMs: number): Decision {
  assert(Number.isSafeInteger(nowMs), "time is whole milliseconds");
  const sku = book.skus.get(key);
  if (sku === undefined) {
    const archived = book.archived.get(key);
    if (archived !== undefined) return ofArchived(archived, command, nowMs);
  }
  if (command.kind === "configure") return decideConfigure(sku, command);
  if (sku === undefined) return UNKNOWN_SKU;
  switch (command.kind) {
    case "hold":
      return decideHold(book, sku, command, nowMs);
    case "give_back":
      return decideGiveBack(book, sku, command);
    case "pin":
      return decidePin(book, sku, command, nowMs);
    case "unpin":
      return decideUnpin(sku, command);
    case "confirm":
      return decideConfirm(book, sku, command);
    case "return":
      return decideReturn(sku, command);
    default:
      return unreachable(command);
  }
}

/** What an archived SKU can answer as it is: it holds nothing. Null: only its orders know. */
export function decideArchived(sku: ArchivedSku, command: Command, nowMs: number): Outcome | null {
  switch (command.kind) {
    case "hold":
      return windowRefusal(sku, nowMs);
    case "give_back":
      return { kind: "given_back" };
    case "configure":
      if (command.version > sku.version) return null;
      return { kind: "unchanged", version: sku.version };
    default:
      return null;
  }
}

function ofArchived(sku: ArchivedSku, command: Command, nowMs: number): Decision {
  const outcome = decideArchived(sku, command, nowMs);
  assert(outcome !== null, "an archived SKU is restored before its orders are asked");
  return { outcome, event: null };
}

/** The next hold that is due at `nowMs`, with its event; null when none is. Apply, then ask again. */
export function nextLapse(
  book: StockBook,
  nowMs: number,
): { readonly key: string; readonly event: Lapsed } | null {
  const hold = book.holds.due(nowMs);
  if (hold === null) return null;
  return { key: hold.sku.key, event: { kind: "lapsed", shopper: hold.shopper } };
}

/** What refuses new holds at `nowMs` whoever asks; null when the sale is open. */
export function windowRefusal(
  sku: Pick<SkuRules, "phase" | "startsAtMs" | "endsAtMs">,
  nowMs: number,
): HoldRefusal | null {
  if (nowMs < sku.startsAtMs) return NOT_OPEN;
  if (sku.phase === "paused") return PAUSED;
  if (sku.phase === "ended" || (sku.phase === "live" && nowMs >= sku.endsAtMs)) return ENDED;
  return sku.phase === "cancelled" ? CANCELLED : null;
}

export function viewOf(hold: Hold): HoldView {
  return {
    number: hold.number,
    quantity: hold.quantity,
    priceMinor: hold.priceMinor,
    deadlineMs: hold.deadlineMs,
    paying: hold.orderId !== null,
  };
}

const NOT_OPEN: HoldRefusal = { kind: "not_open" };
const PAUSED: HoldRefusal = { kind: "paused" };
const ENDED: HoldRefusal = { kind: "ended" };
const CANCELLED: HoldRefusal = { kind: "cancelled" };
const SOLD_OUT: HoldRefusal = { kind: "sold_out" };
const ALL_HELD: HoldRefusal = { kind: "all_held" };
const IN_CHECKOUT = { kind: "in_checkout" } as const;

function decideConfigure(
  sku: SkuState | undefined,
  command: Configure,
): Decision<ConfigureOutcome> {
  assert(command.version >= 1, "a sale's versions start at 1");
  assert(command.released >= 0 && command.released <= STOCK_UNITS_MAX, "released is out of range");
  if (sku !== undefined) {
    if (command.version <= sku.rules.version) {
      return { outcome: { kind: "unchanged", version: sku.rules.version }, event: null };
    }
    const minimum = sku.sold + sku.held;
    if (command.released < minimum) {
      return { outcome: { kind: "below_committed", minimum }, event: null };
    }
    assert(
      groupNameOf(sku) === command.group || (sku.held === 0 && sku.orders.size === 0),
      "a SKU that has sold or holds keeps its group",
    );
  }
  return { outcome: { kind: "configured" }, event: { ...command, kind: "configured" } };
}

/** Refusals in order of precedence, which is part of the public contract. */
function decideHold(
  book: StockBook,
  sku: SkuState,
  command: SetHold,
  nowMs: number,
): Decision<HoldOutcome> {
  const { shopper, quantity } = command;
  assert(quantity >= 1 && quantity <= HOLD_UNITS_MAX, "the edge refuses other quantities");
  const hold = book.holds.get(sku, shopper);
  if (hold !== null) {
    if (hold.orderId !== null && quantity !== hold.quantity) return no(IN_CHECKOUT);
    if (quantity === hold.quantity) return kept(hold, quantity, null);
    if (quantity < hold.quantity) {
      return kept(hold, quantity, { kind: "changed", shopper, quantity });
    }
  }
  const closed = windowRefusal(sku.rules, nowMs);
  if (closed !== null) return no(closed);

  const mine = hold === null ? 0 : hold.quantity;
  const limited = limitRefusal(sku, shopper, { held: mine, more: quantity - mine });
  if (limited !== null) return no(limited);

  const available = availableOf(sku);
  if (quantity - mine > available) {
    if (available > 0) return no({ kind: "too_few", available });
    return no(sku.held > 0 ? ALL_HELD : SOLD_OUT);
  }
  // Every check has passed. Below this line the units are granted; nothing may refuse.
  if (hold !== null) return kept(hold, quantity, { kind: "changed", shopper, quantity });
  const number = sku.holdCount + 1;
  const { priceMinor } = sku.rules;
  const deadlineMs = nowMs + sku.rules.holdMs;
  return {
    outcome: {
      kind: "held",
      isNew: true,
      hold: { number, quantity, priceMinor, deadlineMs, paying: false },
    },
    event: { kind: "held", shopper, number, quantity, priceMinor, deadlineMs },
  };
}

function decideGiveBack(
  book: StockBook,
  sku: SkuState,
  { shopper }: GiveBack,
): Decision<GiveBackOutcome> {
  const hold = book.holds.get(sku, shopper);
  if (hold === null) return no({ kind: "given_back" });
  if (hold.orderId !== null) return no(IN_CHECKOUT);
  return { outcome: { kind: "given_back" }, event: { kind: "given_back", shopper } };
}

function decidePin(
  book: StockBook,
  sku: SkuState,
  command: Pin,
  nowMs: number,
): Decision<PinOutcome> {
  const { shopper, orderId } = command;
  const effect = sku.orders.get(orderId);
  // The order went on without this pin, or gave up: a late repeat must tie nothing (S4).
  if (effect?.state === "sold") return no({ kind: "pinned", deadlineMs: nowMs });
  if (effect !== undefined) return no({ kind: "hold_lapsed" });

  const hold = book.holds.get(sku, shopper);
  if (hold === null) return no({ kind: "hold_lapsed" });
  if (hold.orderId === orderId) return no({ kind: "pinned", deadlineMs: hold.deadlineMs });
  if (hold.orderId !== null) return no(IN_CHECKOUT);
  if (hold.quantity !== command.quantity || hold.priceMinor !== command.priceMinor) {
    return no({ kind: "hold_changed" });
  }
  const deadlineMs = hold.wasPinned
    ? hold.deadlineMs
    : Math.max(hold.deadlineMs, nowMs + sku.rules.payMs);
  return {
    outcome: { kind: "pinned", deadlineMs },
    event: { kind: "pinned", shopper, orderId, deadlineMs },
  };
}

function decideUnpin(sku: SkuState, { shopper, orderId }: Unpin): Decision<UnpinOutcome> {
  const effect = sku.orders.get(orderId);
  if (effect !== undefined) return no({ kind: effect.state });
  return { outcome: { kind: "unpinned" }, event: { kind: "unpinned", shopper, orderId } };
}

function decideConfirm(book: StockBook, sku: SkuState, command: Confirm): Decision<ConfirmOutcome> {
  const { shopper, orderId, quantity } = command;
  const effect = sku.orders.get(orderId);
  if (effect !== undefined && effect.state !== "unpinned") return no({ kind: effect.state });

  const hold = book.holds.get(sku, shopper);
  const fromPin = hold?.orderId === orderId && hold.quantity === quantity;
  const asked = { held: hold?.quantity ?? 0, more: quantity };
  const free = quantity <= availableOf(sku) && limitRefusal(sku, shopper, asked) === null;
  if (!fromPin && !free) {
    return {
      outcome: { kind: "refused" },
      event: { kind: "refused", shopper, orderId, quantity },
    };
  }
  return {
    outcome: { kind: "sold" },
    event: { kind: "confirmed", shopper, orderId, quantity, fromPin },
  };
}

function decideReturn(sku: SkuState, command: Return): Decision<ReturnOutcome> {
  const { shopper, orderId, quantity } = command;
  const effect = sku.orders.get(orderId);
  if (effect?.state === "sold") {
    return { outcome: { kind: "returned" }, event: { kind: "returned", orderId } };
  }
  if (effect?.state === "returned" || effect?.state === "refused") {
    return no({ kind: effect.state });
  }
  // Nothing was sold to it yet; a confirm that is still on its way must not sell later.
  return { outcome: { kind: "refused" }, event: { kind: "refused", shopper, orderId, quantity } };
}

/** Would `more` units beside the held ones break the limit of the SKU or of its group (I7)? */
function limitRefusal(
  sku: SkuState,
  shopper: string,
  { held, more }: { readonly held: number; readonly more: number },
): HoldRefusal | null {
  const bought = sku.bought.get(shopper) ?? 0;
  if (held + bought + more > sku.rules.limit) {
    return { kind: "limit_reached", limit: sku.rules.limit, held, bought };
  }
  const group = sku.group;
  if (group === null) return null;
  const groupHeld = group.held.get(shopper) ?? 0;
  const groupBought = group.bought.get(shopper) ?? 0;
  if (groupHeld + groupBought + more <= group.limit) return null;
  return { kind: "limit_reached", limit: group.limit, held: groupHeld, bought: groupBought };
}

function groupNameOf(sku: SkuState): string | null {
  return sku.group === null ? null : sku.group.key.slice(sku.group.key.indexOf("/") + 1);
}

function kept(hold: Hold, quantity: number, event: StockEvent | null): Decision<HoldOutcome> {
  const view = viewOf(hold);
  return {
    outcome: { kind: "held", isNew: false, hold: event === null ? view : { ...view, quantity } },
    event,
  };
}

function no<O>(outcome: O): Decision<O> {
  return { outcome, event: null };
}
