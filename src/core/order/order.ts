// An order and the states it may go through. Each step is a compare-and-set on `status`, so the
// route, a repeat, an event and the sweeper may all run it at once.

export const ORDER_STATUSES = [
  "created",
  "awaiting_payment",
  "paid",
  "failed",
  "refunding",
  "refunded",
  "cancelled",
  "fulfilled",
] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];

/** The only steps there are. */
export const ORDER_STEPS = {
  created: ["awaiting_payment", "failed", "cancelled"],
  awaiting_payment: ["paid", "failed", "refunding"],
  paid: ["refunding", "fulfilled"],
  failed: [],
  refunding: ["refunded"],
  refunded: [],
  cancelled: [],
  fulfilled: [],
} as const satisfies Record<OrderStatus, readonly OrderStatus[]>;

/** An order in one of these is never settled: something is left to do for it. */
export const OPEN_STATUSES = ["created", "awaiting_payment", "refunding"] as const;

/** Why an order failed; `skus` are the lines concerned. */
export type OrderFailureCode = "hold_lapsed" | "hold_changed" | "in_checkout" | "payment_declined";
export type OrderFailure = { readonly code: OrderFailureCode; readonly skus: readonly string[] };

export type OrderLine = {
  readonly sku: string;
  readonly quantity: number;
  readonly unitPriceMinor: number;
};

export type Order = {
  readonly orderId: string;
  readonly shopperId: string;
  readonly merchantId: string;
  readonly saleId: string;
  readonly idempotencyKey: string;
  /** Hash of the request's meaning: the same key with another one is `idempotency_mismatch`. */
  readonly fingerprint: string;
  readonly status: OrderStatus;
  readonly lines: readonly OrderLine[];
  readonly currency: string;
  readonly totalMinor: number;
  readonly refundedMinor: number;
  readonly failure: OrderFailure | null;
  /** The gateway's one-time token for the card; needed again by a sweep. */
  readonly paymentToken: string;
  readonly contact: { readonly email?: string; readonly name?: string } | null;
  readonly delivery: Readonly<Record<string, unknown>> | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** The pay window's end, set when the order starts to wait for its payment; 0 before. */
  readonly payUntilMs: number;
  /**
   * True once nothing is left to do for it. `paid` and `refunded` are settled at once; `failed` and
   * `cancelled` when its pins are known to be gone. The sweeper looks at unsettled orders only.
   */
  readonly settled: boolean;
};

/** May `from` become `to`? */
export function mayStep(from: OrderStatus, to: OrderStatus): boolean {
  return (ORDER_STEPS[from] as readonly OrderStatus[]).includes(to);
}

export function isOpen(status: OrderStatus): boolean {
  return (OPEN_STATUSES as readonly OrderStatus[]).includes(status);
}

export function totalMinorOf(lines: readonly OrderLine[]): number {
  return lines.reduce((sum, line) => sum + line.quantity * line.unitPriceMinor, 0);
}
