/** What the gateway's book says of one order's charge. `pending`: it will be definite later. */
export type ChargeState =
  | { readonly kind: "paid"; readonly amountMinor: number; readonly refundedMinor: number }
  | { readonly kind: "declined" }
  | { readonly kind: "pending" }
  /** Given up by us: the gateway will never take this charge. */
  | { readonly kind: "voided" }
  | { readonly kind: "not_found" };

export type Charge = {
  /** Also the gateway's idempotency key: asked again it gives the same answer. */
  readonly orderId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly token: string;
  readonly payUntilMs: number;
};

/**
 * The payment gateway. Fault("payment_unavailable") means unknown: the call may have been done.
 * Every call may be repeated.
 */
export interface PaymentGateway {
  charge(charge: Charge): Promise<ChargeState>;
  inquire(orderId: string): Promise<ChargeState>;
  /** Gives the charge up. `paid` or `declined` when it was too late for that. */
  void(orderId: string): Promise<ChargeState>;
  /** Refunds the whole payment, once. Returns the state after it. */
  refund(orderId: string): Promise<ChargeState>;
}
