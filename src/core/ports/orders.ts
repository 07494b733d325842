import type { Order, OrderFailure, OrderStatus } from "../order/order.ts";

export type CreateResult =
  | { readonly kind: "created" }
  /** The shopper used the key before: this is the order it made. */
  | { readonly kind: "exists"; readonly order: Order };

/**
 * A compare-and-set: done only while the status is one of `from`. From a status to the same one it
 * only settles the order (a failed or cancelled one whose pins are gone).
 */
export type Transition = {
  readonly orderId: string;
  readonly from: readonly OrderStatus[];
  readonly to: OrderStatus;
  readonly atMs: number;
  readonly settled: boolean;
  readonly payUntilMs?: number;
  readonly refundedMinor?: number;
  readonly failure?: OrderFailure;
};

/** Newest first. `after` is the last order id of the page before. */
export type Page = { readonly after?: string; readonly limit: number };

/**
 * Orders on their shoppers' shards. Every business effect is one statement; calls that meet are
 * written together. Faults: store_unavailable, unknown, busy (the waiting line is full).
 */
export interface Orders {
  create(order: Order): Promise<CreateResult>;
  /** True for the one caller whose step it was. */
  transition(step: Transition): Promise<boolean>;
  find(orderId: string): Promise<Order | null>;
  listOfShopper(shopperId: string, page: Page): Promise<readonly Order[]>;
  /** Over all shards. */
  listOfSale(
    request: Page & { readonly saleId: string; readonly status?: OrderStatus },
  ): Promise<readonly Order[]>;
  countsOfSale(saleId: string): Promise<Readonly<Partial<Record<OrderStatus, number>>>>;
  /** Unsettled orders of the buckets, not changed since `beforeMs`, oldest first. */
  unsettled(request: {
    readonly buckets: readonly number[];
    readonly beforeMs: number;
    readonly limit: number;
  }): Promise<readonly Order[]>;
  /** Once each: false when the gateway's event id was recorded before. */
  recordPaymentEvent(request: {
    readonly eventId: string;
    readonly orderId: string;
    readonly atMs: number;
  }): Promise<boolean>;
}
