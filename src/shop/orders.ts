// Looking orders up: a shopper sees its own, a merchant those of its sales.

import { bucketOf, bucketOfOrder } from "../core/ids.ts";
import type { Order, OrderStatus } from "../core/order/order.ts";
import type { ApiKeyOwner } from "../core/ports/accounts.ts";
import { type ListOf, pageOf, UNKNOWN_AFTER } from "./page.ts";
import type { ShopPorts } from "./ports.ts";

/** Another shopper's order is as unknown as a random id. */
export async function orderOf(
  ports: Pick<ShopPorts, "orders">,
  shopper: string,
  orderId: string,
): Promise<Order | null> {
  // The id carries its shopper's bucket: most foreign ids cost no question.
  if (bucketOfOrder(orderId) !== bucketOf(shopper)) return null;
  const order = await ports.orders.find(orderId);
  return order?.shopperId === shopper ? order : null;
}

export async function ordersOf(
  ports: Pick<ShopPorts, "orders">,
  shopper: string,
  page: { after?: string; limit: number },
): Promise<ListOf<Order>> {
  if (page.after !== undefined && (await orderOf(ports, shopper, page.after)) === null) {
    return UNKNOWN_AFTER;
  }
  const orders = await ports.orders.listOfShopper(shopper, { ...page, limit: page.limit + 1 });
  return pageOf(orders, page.limit, ({ orderId }) => orderId);
}

/** Null: no such sale of this merchant. */
export async function ordersOfSale(
  ports: Pick<ShopPorts, "orders" | "directory">,
  merchant: ApiKeyOwner,
  request: { saleId: string; status?: OrderStatus; after?: string; limit: number },
): Promise<ListOf<Order> | null> {
  const sale = ports.directory.sale(request.saleId);
  if (sale?.merchantId !== merchant.merchantId) return null;
  if (request.after !== undefined) {
    const last = await ports.orders.find(request.after);
    if (last?.saleId !== request.saleId) return UNKNOWN_AFTER;
  }
  const orders = await ports.orders.listOfSale({ ...request, limit: request.limit + 1 });
  return pageOf(orders, request.limit, ({ orderId }) => orderId);
}
