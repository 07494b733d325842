// What the simulator's bank decides about a charge: pure, time is an argument.
//
// D1  A charge's end is final: paid, declined and voided never become one another.
// D2  The same question gives the same answer; the first charge of an order decides its amount.
// D3  Voided before it was paid: never paid. Voided before any charge: no charge is ever taken.
// D4  A payment is refunded whole and once.

import { assert, unreachable } from "../../core/assert.ts";
import type { Charge, ChargeState } from "../../core/ports/payments.ts";

export type BookState = "pending" | "paid" | "declined" | "voided";

/** One order's row in the book. */
export type BookCharge = {
  readonly orderId: string;
  /** 0 when it was voided before any charge came. */
  readonly amountMinor: number;
  /** Empty when it was voided before any charge came. */
  readonly currency: string;
  readonly token: string;
  readonly state: BookState;
  readonly refundedMinor: number;
  /** When a pending charge becomes paid; 0 for the others. */
  readonly dueAtMs: number;
};

export type Request =
  | { readonly kind: "charge"; readonly charge: Charge }
  | { readonly kind: "inquire" | "void" | "refund"; readonly orderId: string };

export type EventType = "charge.paid" | "charge.declined" | "charge.refunded";

export type Decision = {
  /** Null: the order was charged before with another amount or currency. */
  readonly answer: ChargeState | null;
  /** True for the charge that opened the row: only that one is slow or goes unanswered. */
  readonly isFirst: boolean;
  /** The row as it is from now on; null when nothing changes. */
  readonly write: BookCharge | null;
  readonly events: readonly EventType[];
};

export type Moment = {
  readonly nowMs: number;
  /** `tok_late_ok` pays this long after the pay window. */
  readonly lateMs: number;
};

const NO_EVENTS: readonly EventType[] = [];
const PAID: readonly EventType[] = ["charge.paid"];
const DECLINED: readonly EventType[] = ["charge.declined"];
const REFUNDED: readonly EventType[] = ["charge.refunded"];

const PAYING_TOKENS: ReadonlySet<string> = new Set([
  "tok_ok",
  "tok_slow",
  "tok_timeout_then_ok",
  "tok_event_twice",
]);

export function orderIdOfRequest(request: Request): string {
  return request.kind === "charge" ? request.charge.orderId : request.orderId;
}

/** Decides `request` on the order's row, or on null when the book has none. */
export function decide(known: BookCharge | null, request: Request, moment: Moment): Decision {
  assert(known === null || known.orderId === orderIdOfRequest(request), "a row of this order");
  if (known === null) return decideFirst(request, moment);
  if (known.state !== "pending" || known.dueAtMs > moment.nowMs) return decideKnown(known, request);
  // Its time has come, whoever asks first: it is paid, and the request meets a paid charge.
  const paid: BookCharge = { ...known, state: "paid", dueAtMs: 0 };
  const next = decideKnown(paid, request);
  return { ...next, write: next.write ?? paid, events: [...PAID, ...next.events] };
}

function decideFirst(request: Request, moment: Moment): Decision {
  switch (request.kind) {
    case "charge":
      return openCharge(request.charge, moment);
    case "void":
      return changed(voidedUnseen(request.orderId), NO_EVENTS);
    case "inquire":
    case "refund":
      return { answer: { kind: "not_found" }, isFirst: false, write: null, events: NO_EVENTS };
    default:
      return unreachable(request);
  }
}

function openCharge(charge: Charge, { lateMs }: Moment): Decision {
  const { orderId, amountMinor, currency, token } = charge;
  const isLate = token === "tok_late_ok";
  const isPaid = PAYING_TOKENS.has(token);
  const row: BookCharge = {
    orderId,
    amountMinor,
    currency,
    token,
    state: isLate ? "pending" : isPaid ? "paid" : "declined",
    refundedMinor: 0,
    dueAtMs: isLate ? charge.payUntilMs + lateMs : 0,
  };
  const events = isLate ? NO_EVENTS : isPaid ? PAID : DECLINED;
  return { answer: stateOf(row), isFirst: true, write: row, events };
}

function voidedUnseen(orderId: string): BookCharge {
  const state = "voided";
  return { orderId, amountMinor: 0, currency: "", token: "", state, refundedMinor: 0, dueAtMs: 0 };
}

function decideKnown(row: BookCharge, request: Request): Decision {
  switch (request.kind) {
    case "inquire":
      return unchanged(stateOf(row));
    case "charge": {
      const { amountMinor, currency } = request.charge;
      const isUnseen = row.currency === "";
      const isSame = row.amountMinor === amountMinor && row.currency === currency;
      return unchanged(isUnseen || isSame ? stateOf(row) : null);
    }
    case "void":
      if (row.state !== "pending") return unchanged(stateOf(row));
      return changed({ ...row, state: "voided", dueAtMs: 0 }, NO_EVENTS);
    case "refund":
      if (row.state !== "paid" || row.refundedMinor > 0) return unchanged(stateOf(row));
      // Nothing to give back of a payment of 0: no event either.
      if (row.amountMinor === 0) return unchanged(stateOf(row));
      return changed({ ...row, refundedMinor: row.amountMinor }, REFUNDED);
    default:
      return unreachable(request);
  }
}

function unchanged(answer: ChargeState | null): Decision {
  return { answer, isFirst: false, write: null, events: NO_EVENTS };
}

function changed(row: BookCharge, events: readonly EventType[]): Decision {
  assert(row.refundedMinor === 0 || row.refundedMinor === row.amountMinor, "a whole refund (D4)");
  return { answer: stateOf(row), isFirst: false, write: row, events };
}

function stateOf(row: BookCharge): ChargeState {
  if (row.state !== "paid") return { kind: row.state };
  return { kind: "paid", amountMinor: row.amountMinor, refundedMinor: row.refundedMinor };
}
