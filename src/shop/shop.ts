// Every use case of the engine as one table of functions: what HTTP, the CLI and tests may ask for.
// Each function lives in a file of its own in this folder; `createShop` (create-shop.ts) wires them.
//
// A result is a closed union of outcomes; faults are thrown as `Fault`. No HTTP here.

import type { Money } from "../core/money.ts";
import type { Order, OrderStatus } from "../core/order/order.ts";
import type { ApiKeyOwner } from "../core/ports/accounts.ts";
import type { CartHold, ExplainedEvent, SkuCounts } from "../core/ports/stock.ts";
import type { Level } from "../core/sale/level.ts";
import type { Sale, SaleState } from "../core/sale/sale.ts";
import type { DirectorySale, SaleDirectory } from "./directory.ts";
import type { ListOf, PageOf } from "./page.ts";
import type { FieldError, SaleFile } from "./sale-file.ts";

export type SignUpResult = { kind: "created"; accountId: string } | { kind: "email_taken" };
export type SignInResult =
  { kind: "signed_in"; accessToken: string; expiresInS: number } | { kind: "wrong_credentials" };

export type CheckoutRequest = {
  readonly saleId: string;
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[];
  readonly payment: { readonly method: "card"; readonly token: string };
  readonly contact?: { readonly email?: string; readonly name?: string };
  readonly delivery?: Readonly<Record<string, unknown>>;
};

/** `order` is today's state of it. `pending` after CHECKOUT_WAIT_MS: answer 202. */
export type CheckoutResult =
  | { kind: "paid"; order: Order }
  | { kind: "pending"; order: Order }
  /** A repeat of a key whose order has gone on: refunding, refunded, cancelled, fulfilled. */
  | { kind: "settled"; order: Order }
  | { kind: "payment_declined"; order: Order }
  | { kind: "hold_lapsed" | "hold_changed" | "in_checkout"; skus: readonly string[] }
  | { kind: "idempotency_mismatch" }
  /** Too many of this shopper's checkouts failed lately; nothing was stored. */
  | { kind: "rate_limited"; retryAfterMs: number }
  /** No such sale or SKU. */
  | { kind: "not_found" };

export type CancelResult =
  | { kind: "cancelled"; order: Order }
  | { kind: "refunding"; order: Order }
  | { kind: "payment_pending" }
  | { kind: "not_cancellable" }
  | { kind: "not_found" };

/** What a merchant's change of a sale came to. */
export type ApplyResult =
  /** `isNew`: 201. */
  | { kind: "applied"; isNew: boolean; sale: DirectorySale }
  /** A repeat, or a file that changes nothing. */
  | { kind: "unchanged"; sale: DirectorySale }
  /** Not every SKU has it yet: 202; a sweep finishes it. */
  | { kind: "applying"; applied: number; total: number }
  | { kind: "planned"; plan: SalePlan }
  | { kind: "invalid"; errors: readonly FieldError[] }
  | { kind: "not_found" }
  /** The precondition is not true. Without one another version on its way is Fault("busy"). */
  | { kind: "changed_meanwhile"; version: number }
  | { kind: "below_committed"; skus: readonly string[]; minimum: number }
  | { kind: "not_changeable"; fields: readonly string[] }
  | { kind: "idempotency_mismatch" };

/** What an apply would do; nothing was changed. */
export type SalePlan = {
  readonly saleId: string;
  readonly isNew: boolean;
  readonly baseVersion: number;
  readonly fields: readonly { field: string; from: string | null; to: string }[];
  readonly skus: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly { sku: string; field: string; from: string; to: string }[];
    readonly total: number;
  };
  readonly units: number;
};

export type SaleChange =
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | { readonly kind: "end" }
  | { readonly kind: "cancel" }
  | { readonly kind: "extend"; readonly endsAtMs: number }
  | { readonly kind: "stock"; readonly sku: string; readonly delta: number };

export type SaleReport = {
  readonly saleId: string;
  readonly asOfMs: number;
  readonly skus: readonly (SkuCounts & { readonly sku: string })[];
  readonly orders: Readonly<Partial<Record<OrderStatus, number>>>;
};

export type Explained = {
  readonly counts: SkuCounts | null;
  readonly events: readonly ExplainedEvent[];
  /** Pass as `afterSeq` for the next page; null at the end. */
  readonly next: number | null;
};

export type SkuLevel = {
  readonly sku: string;
  readonly title: string;
  readonly group: string | null;
  readonly unitPrice: Money;
  readonly limitPerShopper: number;
  readonly level: Level;
};

export type Shop = {
  /** Published sales in memory, for look-ups without waiting. */
  readonly directory: SaleDirectory;

  signUp(request: { email: string; password: string }): Promise<SignUpResult>;
  signIn(request: { email: string; password: string }): Promise<SignInResult>;
  merchantOfKey(apiKey: string): Promise<ApiKeyOwner | null>;

  cart(shopper: string): Promise<{ holds: readonly CartHold[]; complete: boolean }>;
  checkout(request: {
    shopper: string;
    idempotencyKey: string;
    request: CheckoutRequest;
  }): Promise<CheckoutResult>;
  order(shopper: string, orderId: string): Promise<Order | null>;
  ordersOf(shopper: string, page: { after?: string; limit: number }): Promise<ListOf<Order>>;
  cancelOrder(shopper: string, orderId: string): Promise<CancelResult>;
  /** The event's signature has been checked. Once for each event id. */
  paymentEvent(event: { eventId: string; orderId: string }): Promise<void>;

  levels(sale: DirectorySale, page: { after?: string; limit: number }): Promise<PageOf<SkuLevel>>;

  applySale(request: {
    merchant: ApiKeyOwner;
    file: SaleFile;
    dryRun: boolean;
    /** From If-Match; undefined: whatever version there is. */
    expectedVersion?: number;
  }): Promise<ApplyResult>;
  changeSale(request: {
    merchant: ApiKeyOwner;
    saleId: string;
    change: SaleChange;
    idempotencyKey: string;
  }): Promise<ApplyResult>;
  salesOf(
    merchant: ApiKeyOwner,
    page: { after?: string; limit: number },
  ): Promise<ListOf<Sale & { state: SaleState }>>;
  /** Null: no such sale of this merchant. */
  report(merchant: ApiKeyOwner, saleId: string): Promise<SaleReport | null>;
  explain(
    merchant: ApiKeyOwner,
    request: { saleId: string; sku: string; afterSeq: number; limit: number },
  ): Promise<Explained | null>;
  ordersOfSale(
    merchant: ApiKeyOwner,
    request: { saleId: string; status?: OrderStatus; after?: string; limit: number },
  ): Promise<ListOf<Order> | null>;
};
