// How money, instants and things look in JSON.

import { holdIdOf } from "../core/ids.ts";
import type { Money } from "../core/money.ts";
import type { Order } from "../core/order/order.ts";
import { type Sale, saleStateOf } from "../core/sale/sale.ts";
import type { HoldView } from "../core/stock/command.ts";
import type { DirectorySku } from "../shop/directory.ts";

const JSON_HEADERS = new Headers({ "content-type": "application/json" });
const OK = { status: 200, headers: JSON_HEADERS };
const CREATED = { status: 201, headers: JSON_HEADERS };
const NO_CONTENT = { status: 204 };

/** JSON text as an answer; hot path for 200 and 201. */
export function jsonText(text: string, status: 200 | 201): Response {
  return new Response(text, status === 200 ? OK : CREATED);
}

export function json(
  value: unknown,
  options: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
): Response {
  return new Response(JSON.stringify(value), {
    status: options.status ?? 200,
    headers: { "content-type": "application/json", ...options.headers },
  });
}

export function noContent(): Response {
  return new Response(null, NO_CONTENT);
}

let lastAtMs = Number.NaN;
let lastInstant = "";

/** RFC 3339 in UTC with milliseconds. Holds of one batch share an instant, so the last is kept. */
export function instant(atMs: number): string {
  if (atMs !== lastAtMs) {
    lastInstant = new Date(atMs).toISOString();
    lastAtMs = atMs;
  }
  return lastInstant;
}

export function money(amountMinor: number, currency: string): Money {
  return { amountMinor, currency };
}

/** Hot path: ids, SKUs and currencies are of alphabets that need no escape (core/ids.ts). */
export function holdText(sku: DirectorySku, hold: HoldView): string {
  return (
    `{"holdId":"${holdIdOf(sku.tag, hold.number)}","sale":"${sku.sale.saleId}",` +
    `"sku":"${sku.sku}","quantity":${hold.quantity},` +
    `"unitPrice":{"amountMinor":${hold.priceMinor},"currency":"${sku.sale.currency}"},` +
    `"expiresAt":"${instant(hold.deadlineMs)}","state":"${hold.paying ? "paying" : "open"}"}`
  );
}

/** A sale as shoppers see it in lists. */
export function saleSummary(sale: Sale, nowMs: number) {
  return {
    sale: sale.saleId,
    title: sale.title,
    state: saleStateOf(sale, nowMs),
    startsAt: instant(sale.startsAtMs),
    endsAt: instant(sale.endsAtMs),
  };
}

/** A sale as its merchant sees it; SKUs are in the file and the report. */
export function adminSale(sale: Sale, nowMs: number) {
  return {
    ...saleSummary(sale, nowMs),
    version: sale.version,
    currency: sale.currency,
    timeZone: sale.timeZone,
    holdMs: sale.holdMs,
    payMs: sale.payMs,
    groups: sale.groups,
  };
}

function orderCore(order: Order) {
  return {
    orderId: order.orderId,
    sale: order.saleId,
    status: order.status,
    lines: order.lines.map((line) => ({
      sku: line.sku,
      quantity: line.quantity,
      unitPrice: money(line.unitPriceMinor, order.currency),
      amount: money(line.unitPriceMinor * line.quantity, order.currency),
    })),
    total: money(order.totalMinor, order.currency),
  };
}

/** What a checkout answers. */
export function checkedOutOrder(order: Order) {
  return { ...orderCore(order), createdAt: instant(order.createdAtMs) };
}

export function renderOrder(order: Order) {
  return {
    ...orderCore(order),
    refunded: money(order.refundedMinor, order.currency),
    ...(order.failure === null ? {} : { failure: order.failure }),
    createdAt: instant(order.createdAtMs),
    updatedAt: instant(order.updatedAtMs),
  };
}

/** An order as its merchant sees it, who has to ship it. */
export function adminOrder(order: Order) {
  const { shopperId, contact, delivery } = order;
  return { ...renderOrder(order), shopper: shopperId, contact, delivery };
}
