// What one SKU can be asked, and what it can answer. Commands are imperatives; outcomes are what
// the caller hears. Refusals are values: no Error, no stack.

import type { Phase } from "./rules.ts";

/** Sets what merchants decide about a SKU. Ignored at a version not above its own. */
export type Configure = {
  readonly kind: "configure";
  readonly version: number;
  readonly phase: Phase;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly holdMs: number;
  readonly payMs: number;
  readonly limit: number;
  readonly priceMinor: number;
  /** Total released for sale, not a change. */
  readonly released: number;
  readonly group: string | null;
  /** The limit of the group; without a group it is not looked at. */
  readonly groupLimit: number;
};

/** Set my hold to `quantity`. Repeating it is harmless by form. */
export type SetHold = {
  readonly kind: "hold";
  readonly shopper: string;
  readonly quantity: number;
};

export type GiveBack = { readonly kind: "give_back"; readonly shopper: string };

type OfOrder = { readonly shopper: string; readonly orderId: string };

/** Ties the shopper's hold to an order, for exactly what the shopper saw. */
export type Pin = OfOrder & {
  readonly kind: "pin";
  readonly quantity: number;
  readonly priceMinor: number;
};
/** Gives the hold back to its shopper; of an unknown order it is remembered, so a late pin fails. */
export type Unpin = OfOrder & { readonly kind: "unpin" };
/** The order was paid: sell to it, from its pin, else from free stock within the limits. */
export type Confirm = OfOrder & { readonly kind: "confirm"; readonly quantity: number };
/** Takes a sold order's units back; of an unknown order it records `refused`. */
export type Return = OfOrder & { readonly kind: "return"; readonly quantity: number };

export type Command = Configure | SetHold | GiveBack | Pin | Unpin | Confirm | Return;

/** A hold as its shopper sees it. */
export type HoldView = {
  readonly number: number;
  readonly quantity: number;
  readonly priceMinor: number;
  readonly deadlineMs: number;
  readonly paying: boolean;
};

/** Listed in order of precedence, which is part of the public contract. */
export type HoldRefusal =
  | { readonly kind: "in_checkout" }
  | { readonly kind: "not_open" }
  | { readonly kind: "paused" }
  | { readonly kind: "ended" }
  | { readonly kind: "cancelled" }
  | {
      readonly kind: "limit_reached";
      readonly limit: number;
      readonly held: number;
      readonly bought: number;
    }
  | { readonly kind: "sold_out" }
  | { readonly kind: "all_held" }
  | { readonly kind: "too_few"; readonly available: number };

/** The SKU has no state here: it was never configured. */
export type Unknown = { readonly kind: "unknown_sku" };

export type HoldOutcome =
  | { readonly kind: "held"; readonly isNew: boolean; readonly hold: HoldView }
  | HoldRefusal
  | Unknown;
export type GiveBackOutcome =
  { readonly kind: "given_back" } | { readonly kind: "in_checkout" } | Unknown;
export type PinOutcome =
  | { readonly kind: "pinned"; readonly deadlineMs: number }
  | { readonly kind: "hold_lapsed" }
  | { readonly kind: "hold_changed" }
  | { readonly kind: "in_checkout" }
  | Unknown;
export type UnpinOutcome =
  | { readonly kind: "unpinned" }
  | { readonly kind: "sold" }
  | { readonly kind: "refused" }
  | { readonly kind: "returned" }
  | Unknown;
export type ConfirmOutcome =
  | { readonly kind: "sold" }
  | { readonly kind: "refused" }
  | { readonly kind: "returned" }
  | Unknown;
export type ReturnOutcome = { readonly kind: "returned" } | { readonly kind: "refused" } | Unknown;
export type ConfigureOutcome =
  | { readonly kind: "configured" }
  /** Its version was not above the SKU's: nothing changed, the SKU has `version`. */
  | { readonly kind: "unchanged"; readonly version: number }
  /** `released` would fall under what is sold and held. */
  | { readonly kind: "below_committed"; readonly minimum: number };

export type OutcomeOf<C extends Command> = C extends SetHold
  ? HoldOutcome
  : C extends GiveBack
    ? GiveBackOutcome
    : C extends Pin
      ? PinOutcome
      : C extends Unpin
        ? UnpinOutcome
        : C extends Confirm
          ? ConfirmOutcome
          : C extends Return
            ? ReturnOutcome
            : ConfigureOutcome;

export type Outcome = OutcomeOf<Command>;
