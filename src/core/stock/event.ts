// What happened to one SKU: past tense, journaled, enough to rebuild the state from nothing.

import type { Configure } from "./command.ts";

export type Configured = Omit<Configure, "kind"> & { readonly kind: "configured" };
export type Held = {
  readonly kind: "held";
  readonly shopper: string;
  readonly number: number;
  readonly quantity: number;
  readonly priceMinor: number;
  readonly deadlineMs: number;
};
/** The shopper set another quantity; number, price and deadline stay. */
type Changed = {
  readonly kind: "changed";
  readonly shopper: string;
  readonly quantity: number;
};
type GivenBack = { readonly kind: "given_back"; readonly shopper: string };
export type Lapsed = { readonly kind: "lapsed"; readonly shopper: string };
export type Pinned = {
  readonly kind: "pinned";
  readonly shopper: string;
  readonly orderId: string;
  readonly deadlineMs: number;
};
type Unpinned = {
  readonly kind: "unpinned";
  readonly shopper: string;
  readonly orderId: string;
};
/** `fromPin` false: the hold was gone, the units came from free stock. */
export type Confirmed = {
  readonly kind: "confirmed";
  readonly shopper: string;
  readonly orderId: string;
  readonly quantity: number;
  readonly fromPin: boolean;
};
type Refused = {
  readonly kind: "refused";
  readonly shopper: string;
  readonly orderId: string;
  readonly quantity: number;
};
type Returned = {
  readonly kind: "returned";
  readonly orderId: string;
};

/**
 * The SKU, with all SKUs of its group, left memory: its state is in the archive under this digest.
 * Nothing about it has changed; coming back is no event.
 */
export type Archived = {
  readonly kind: "archived";
  readonly digest: string;
};

export type StockEvent =
  | Configured
  | Held
  | Changed
  | GivenBack
  | Lapsed
  | Pinned
  | Unpinned
  | Confirmed
  | Refused
  | Returned
  | Archived;
