// What a sale file changes about a sale, and which of it may be changed at this time. Pure.

import { SKUS_A_TURN } from "../core/limits.ts";
import { formatAmount, type Money } from "../core/money.ts";
import { type Sale, type SaleHeader, type SaleSku, saleStateOf } from "../core/sale/sale.ts";
import { formatDuration } from "../core/sale/time.ts";
import type { SaleFile } from "./sale-file.ts";
import type { SalePlan } from "./shop.ts";
import type { Steps } from "./turns.ts";

/** The published version that a change starts from. */
export type SaleBase = { readonly sale: Sale; readonly skus: readonly SaleSku[] };

export type SaleDiff = {
  readonly header: SaleHeader;
  readonly fields: SalePlan["fields"];
  readonly added: readonly SaleSku[];
  /** Left out of the file: they stay, with nothing released. */
  readonly removed: readonly SaleSku[];
  readonly changed: readonly SkuChange[];
  /** SKUs that are new or differ, whole. */
  readonly changes: readonly SaleSku[];
  readonly skuCount: number;
  readonly units: number;
};

type SkuChange = { readonly sku: string; readonly field: SkuField; from: string; to: string };
type SkuField = "title" | "price" | "stock" | "limitPerShopper" | "group";

/** `base` null: a new sale. */
export function* diffSale(
  base: SaleBase | null,
  file: SaleFile,
  merchantId: string,
): Steps<SaleDiff> {
  const header: SaleHeader = {
    ...file.header,
    // A group of SKUs that were left out stays, as they do.
    groups: { ...base?.sale.groups, ...file.header.groups },
    merchantId,
    phase: base?.sale.phase ?? "live",
  };
  const known = yield* byNameOf(base?.skus ?? []);
  const added: SaleSku[] = [];
  const changed: SkuChange[] = [];
  const changes: SaleSku[] = [];
  let units = 0;
  for (const [index, sku] of file.skus.entries()) {
    if (index % SKUS_A_TURN === 0) yield;
    units += sku.stock;
    const before = known.get(sku.sku);
    known.delete(sku.sku);
    if (before === undefined) {
      added.push(sku);
      changes.push(sku);
      continue;
    }
    const differences = skuChanges(before, sku, header.currency);
    if (differences.length === 0) continue;
    changed.push(...differences);
    changes.push(sku);
  }
  const removed = [...known.values()].filter(({ stock }) => stock > 0);
  for (const sku of removed) changes.push({ ...sku, stock: 0 });
  const fields = headerChanges(base?.sale ?? null, header);
  const skuCount = file.skus.length + known.size;
  return { header, fields, added, removed, changed, changes, skuCount, units };
}

export function isEmpty({ fields, changes }: SaleDiff): boolean {
  return fields.length === 0 && changes.length === 0;
}

export function planOf(base: SaleBase | null, diff: SaleDiff): SalePlan {
  return {
    saleId: diff.header.saleId,
    isNew: base === null,
    baseVersion: base?.sale.version ?? 0,
    fields: diff.fields,
    skus: {
      added: diff.added.map(({ sku }) => sku),
      removed: diff.removed.map(({ sku }) => sku),
      changed: diff.changed,
      total: diff.skuCount,
    },
    units: diff.units,
  };
}

const OPEN_FIELDS: ReadonlySet<string> = new Set(["title", "endsAt"]);
const OPEN_SKU_FIELDS: ReadonlySet<SkuField> = new Set([
  "title",
  "stock",
  "limitPerShopper",
  // Of SKUs with nothing held or sold: their owners are asked.
  "price",
]);

/** Fields that the diff may not change at `nowMs`, named as in the file. */
export function fixedFieldsOf(base: SaleBase | null, diff: SaleDiff, nowMs: number): string[] {
  if (base === null) return [];
  const state = saleStateOf(base.sale, nowMs);
  const isOver = state === "ended" || state === "cancelled";
  const isScheduled = state === "scheduled" || state === "draft";
  const fields: string[] = [];
  for (const { field } of diff.fields) {
    const mayChange = isScheduled
      ? field !== "currency"
      : OPEN_FIELDS.has(field) || field.startsWith("groups.");
    if (isOver || !mayChange) fields.push(field);
    else if (field === "endsAt" && !isScheduled && diff.header.endsAtMs <= nowMs) {
      fields.push(field);
    }
  }
  for (const { sku, field } of diff.changed) {
    const mayChange = isScheduled ? field !== "group" : OPEN_SKU_FIELDS.has(field);
    if (isOver || !mayChange) fields.push(`skus[${sku}].${field}`);
  }
  if (!isScheduled) {
    for (const { sku } of [...diff.added, ...diff.removed]) fields.push(`skus[${sku}]`);
  }
  return fields;
}

function* byNameOf(skus: readonly SaleSku[]): Steps<Map<string, SaleSku>> {
  const byName = new Map<string, SaleSku>();
  for (const [index, sku] of skus.entries()) {
    if (index % SKUS_A_TURN === 0) yield;
    byName.set(sku.sku, sku);
  }
  return byName;
}

/** Field by field and in order: a hash of 100,000 SKUs would take a fifth of a second. */
export function areSameSkus(left: readonly SaleSku[], right: readonly SaleSku[]): boolean {
  return left.length === right.length && left.every((sku, index) => isSameSku(sku, right[index]));
}

function isSameSku(left: SaleSku, right: SaleSku | undefined): boolean {
  return (
    left.sku === right?.sku &&
    left.title === right.title &&
    left.priceMinor === right.priceMinor &&
    left.stock === right.stock &&
    left.limitPerShopper === right.limitPerShopper &&
    left.group === right.group
  );
}

/** What a version's owners are to be told, and what the sale is then. */
export type SkuWork = {
  /** All SKUs after the change, in the order of their names. */
  readonly merged: readonly SaleSku[];
  /** Those of them whose stock is lowered. */
  readonly lowered: readonly SaleSku[];
  readonly others: readonly SaleSku[];
};

/** `isForChangesOnly`: the others keep their version. */
export function* workOf(
  base: readonly SaleSku[],
  changes: readonly SaleSku[],
  isForChangesOnly: boolean,
): Steps<SkuWork> {
  const byName = yield* byNameOf(base);
  const lowered: SaleSku[] = [];
  const others: SaleSku[] = [];
  const add = (sku: SaleSku): void => {
    const isLowered = sku.stock < (byName.get(sku.sku)?.stock ?? 0);
    (isLowered ? lowered : others).push(sku);
  };
  const merged = mergeSkus(base, changes);
  yield;
  for (const [index, sku] of (isForChangesOnly ? changes : merged).entries()) {
    if (index % SKUS_A_TURN === 0) yield;
    add(sku);
  }
  return { merged, lowered, others };
}

function mergeSkus(base: readonly SaleSku[], changes: readonly SaleSku[]): SaleSku[] {
  const merged = new Map(base.map((sku) => [sku.sku, sku]));
  for (const sku of changes) merged.set(sku.sku, sku);
  return [...merged.values()].sort((left, right) => (left.sku < right.sku ? -1 : 1));
}

function instant(atMs: number): string {
  return new Date(atMs).toISOString();
}

function headerChanges(from: SaleHeader | null, to: SaleHeader): SalePlan["fields"] {
  const fields: { field: string; from: string | null; to: string }[] = [];
  const add = (field: string, before: string | null, after: string): void => {
    if (before !== after) fields.push({ field, from: before, to: after });
  };
  add("title", from?.title ?? null, to.title);
  add("currency", from?.currency ?? null, to.currency);
  add("timeZone", from?.timeZone ?? null, to.timeZone);
  add("startsAt", from === null ? null : instant(from.startsAtMs), instant(to.startsAtMs));
  add("endsAt", from === null ? null : instant(from.endsAtMs), instant(to.endsAtMs));
  add("holdFor", from === null ? null : formatDuration(from.holdMs), formatDuration(to.holdMs));
  add("payWithin", from === null ? null : formatDuration(from.payMs), formatDuration(to.payMs));
  for (const [group, { limitPerShopper }] of Object.entries(to.groups)) {
    const before = from?.groups[group]?.limitPerShopper;
    const name = `groups.${group}.limitPerShopper`;
    add(name, before === undefined ? null : String(before), String(limitPerShopper));
  }
  return fields;
}

function skuChanges(from: SaleSku, to: SaleSku, currency: string): SkuChange[] {
  const changes: SkuChange[] = [];
  const { sku } = to;
  const add = (field: SkuField, before: string | number, after: string | number): void => {
    if (before !== after) changes.push({ sku, field, from: String(before), to: String(after) });
  };
  const price = (amountMinor: number): string =>
    formatAmount({ amountMinor, currency } satisfies Money);
  add("title", from.title, to.title);
  if (from.priceMinor !== to.priceMinor) add("price", price(from.priceMinor), price(to.priceMinor));
  add("stock", from.stock, to.stock);
  add("limitPerShopper", from.limitPerShopper, to.limitPerShopper);
  add("group", from.group ?? "", to.group ?? "");
  return changes;
}
