// What both dialects of the catalogue agree on: rows, and what a `begin` comes to.

import type { BeginResult, VersionDraft, VersionState } from "../core/ports/catalogue.ts";
import type { Sale, SaleHeader, SaleSku } from "../core/sale/sale.ts";

/** A row of `sales`; `groups` as JSON text, or parsed already. */
export type SaleRow = {
  readonly sale_id: string;
  readonly merchant_id: string;
  readonly version: number;
  readonly title: string;
  readonly currency: string;
  readonly time_zone: string;
  readonly starts_at_ms: number;
  readonly ends_at_ms: number;
  readonly hold_ms: number;
  readonly pay_ms: number;
  readonly groups: unknown;
  readonly phase: string;
};

export type SkuRow = {
  readonly sku: string;
  readonly title: string;
  readonly price_minor: number;
  readonly stock: number;
  readonly limit_per_shopper: number;
  readonly sku_group: string | null;
};

/** The columns of `sales` that a header fills: all but `version`. */
export function headerColumnsOf(header: SaleHeader) {
  return {
    sale_id: header.saleId,
    merchant_id: header.merchantId,
    title: header.title,
    currency: header.currency,
    time_zone: header.timeZone,
    starts_at_ms: header.startsAtMs,
    ends_at_ms: header.endsAtMs,
    hold_ms: header.holdMs,
    pay_ms: header.payMs,
    groups: JSON.stringify(header.groups),
    phase: header.phase,
  };
}

export function saleOf(row: SaleRow): Sale {
  return {
    saleId: row.sale_id,
    merchantId: row.merchant_id,
    version: row.version,
    title: row.title,
    currency: row.currency,
    timeZone: row.time_zone,
    startsAtMs: row.starts_at_ms,
    endsAtMs: row.ends_at_ms,
    holdMs: row.hold_ms,
    payMs: row.pay_ms,
    groups: parsed(row.groups) as SaleHeader["groups"],
    phase: row.phase as SaleHeader["phase"],
  };
}

export function skuOf(row: SkuRow): SaleSku {
  return {
    sku: row.sku,
    title: row.title,
    priceMinor: row.price_minor,
    stock: row.stock,
    limitPerShopper: row.limit_per_shopper,
    group: row.sku_group,
  };
}

/** A version's changes, as we wrote them. */
export function changesOf(json: unknown): readonly SaleSku[] {
  return parsed(json) as readonly SaleSku[];
}

/** A version's header, as we wrote it. */
export function headerOf(json: unknown): SaleHeader {
  return parsed(json) as SaleHeader;
}

/** JSON is text on SQLite and parsed by the driver on Postgres. */
function parsed(json: unknown): unknown {
  return typeof json === "string" ? JSON.parse(json) : json;
}

/** What was there when a version was to begin. */
export type BeginFacts = {
  /** The sale; null when there is none. */
  readonly sale: { readonly merchantId: string; readonly version: number } | null;
  readonly hasPending: boolean;
  /** The version that the draft's idempotency key made before. */
  readonly prior: {
    readonly version: number;
    readonly state: VersionState;
    readonly fingerprint: string | null;
  } | null;
};

/** In order of precedence. Returns null when nothing is in the way. */
export function obstacleOf(facts: BeginFacts, draft: VersionDraft): BeginResult | null {
  const { sale, prior } = facts;
  if (sale !== null && sale.merchantId !== draft.header.merchantId) return { kind: "not_found" };
  if (prior !== null) {
    return prior.fingerprint === (draft.fingerprint ?? null)
      ? { kind: "replayed", version: prior.version, state: prior.state }
      : { kind: "idempotency_mismatch" };
  }
  const version = sale?.version ?? 0;
  return version !== draft.baseVersion || facts.hasPending
    ? { kind: "changed_meanwhile", version }
    : null;
}
