// A sale as the catalogue keeps it, and the states that shoppers and merchants see.

import type { Configure } from "../stock/command.ts";
import type { Phase } from "../stock/rules.ts";

/** What a version of a sale says, SKUs left out. Instants and durations are milliseconds. */
export type SaleHeader = {
  readonly saleId: string;
  readonly merchantId: string;
  readonly title: string;
  readonly currency: string;
  readonly timeZone: string;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly holdMs: number;
  readonly payMs: number;
  readonly groups: Readonly<Record<string, { readonly limitPerShopper: number }>>;
  readonly phase: Phase;
};

export type SaleSku = {
  readonly sku: string;
  readonly title: string;
  readonly priceMinor: number;
  /** Total released for sale. */
  readonly stock: number;
  readonly limitPerShopper: number;
  readonly group: string | null;
};

/** A published sale; `version` grows with each change. */
export type Sale = SaleHeader & { readonly version: number };

export const SALE_STATES = ["draft", "scheduled", "open", "paused", "ended", "cancelled"] as const;
export type SaleState = (typeof SALE_STATES)[number];

/** Computed at `nowMs`, never stored: version 0 is a draft. */
export function saleStateOf(sale: Sale, nowMs: number): SaleState {
  if (sale.version === 0) return "draft";
  if (sale.phase === "cancelled") return "cancelled";
  if (sale.phase === "ended" || nowMs >= sale.endsAtMs) return "ended";
  if (nowMs < sale.startsAtMs) return "scheduled";
  return sale.phase === "paused" ? "paused" : "open";
}

/** The command that tells a SKU's owner what this version of the sale says about it. */
export function configureOf(sale: SaleHeader, sku: SaleSku, version: number): Configure {
  return {
    kind: "configure",
    version,
    phase: sale.phase,
    startsAtMs: sale.startsAtMs,
    endsAtMs: sale.endsAtMs,
    holdMs: sale.holdMs,
    payMs: sale.payMs,
    limit: sku.limitPerShopper,
    priceMinor: sku.priceMinor,
    released: sku.stock,
    group: sku.group,
    groupLimit: sku.group === null ? 0 : (sale.groups[sku.group]?.limitPerShopper ?? 0),
  };
}
