// The sale file: what merchants write, as YAML or JSON, and what PUT /v1/admin/sales/:sale takes.
// From an unknown value to a sale that means something, or all that is wrong with it.
//
// Linear in the SKUs; a file full of errors costs no more than a good one, since SKUs are given up
// after ERRORS_MAX errors.

import type { z } from "zod";

import {
  AMOUNT_MINOR_MAX,
  CHECKOUT_LINES_MAX,
  SALE_SKUS_MAX,
  SKUS_A_TURN,
} from "../core/limits.ts";
import { exponentOf, parseAmount } from "../core/money.ts";
import type { SaleHeader, SaleSku } from "../core/sale/sale.ts";
import { formatDuration, parseDuration, parseInstant, timeZoneOf } from "../core/sale/time.ts";
import {
  groupNameSchema,
  groupSchema,
  PRICE_ALLOWED,
  saleHeaderSchema,
  saleSkuSchema,
} from "./sale-file-schema.ts";
import { runAtOnce, runInTurns, type Steps, type Turn } from "./turns.ts";

export { saleFileSchema } from "./sale-file-schema.ts";

/** `field` is a path such as `skus[3].price`. */
export type FieldError = { readonly field: string; readonly message: string };

/** A file that was read, checked and resolved; `merchantId` and `phase` are not the file's to say. */
export type SaleFile = {
  readonly header: Omit<SaleHeader, "merchantId" | "phase">;
  readonly skus: readonly SaleSku[];
};

export type ParsedSaleFile =
  | { readonly ok: true; readonly file: SaleFile }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

export type FieldPath = readonly (string | number)[];

/** A FieldError that can still be found in the text it came from. */
export type LocatedError = FieldError & {
  readonly path: FieldPath;
  /** The error is about the name of the field, not its value. */
  readonly isAboutKey: boolean;
};

export type CheckedSaleFile =
  | { readonly ok: true; readonly file: SaleFile }
  | { readonly ok: false; readonly errors: readonly LocatedError[] };

/** Errors that one answer lists. */
export const ERRORS_MAX = 100;

const HOLD_MS = { min: 5_000, max: 3_600_000 };
const PAY_MS = { min: 60_000, max: 3_600_000 };

/** What one line of an order may come to, so that an order of all its lines stays exact. */
const LINE_MINOR_MAX = AMOUNT_MINOR_MAX / CHECKOUT_LINES_MAX;

type Groups = Map<string, { readonly limitPerShopper: number }>;

/** Checks a parsed JSON value in turns. Errors: at most ERRORS_MAX, in the order of the file. */
export async function parseSaleFile(value: unknown, turn: Turn): Promise<ParsedSaleFile> {
  const checked = await runInTurns(checkSteps(value), turn);
  if (checked.ok) return checked;
  return { ok: false, errors: checked.errors.map(({ field, message }) => ({ field, message })) };
}

/** As `parseSaleFile`, at once and with the path of each error, for those who know lines. */
export function checkSaleFile(value: unknown): CheckedSaleFile {
  return runAtOnce(checkSteps(value));
}

function* checkSteps(value: unknown): Steps<CheckedSaleFile> {
  const errors = new Errors();
  const fields = saleHeaderSchema.safeParse(value);
  if (!fields.success) errors.addIssues([], fields.error.issues);
  if (!isMapping(value)) return { ok: false, errors: errors.inFileOrder(value) };
  const header = headerOf(value, errors);
  const groups = groupsOf(value["groups"], errors);
  const skus = yield* skusOf(value["skus"], header.currency, groups, errors);
  if (errors.count > 0 || !fields.success) {
    return { ok: false, errors: errors.inFileOrder(value) };
  }
  const { sale: saleId, title, currency } = fields.data;
  const { timeZone, startsAtMs, endsAtMs, holdMs, payMs } = header;
  const times = { timeZone, startsAtMs, endsAtMs, holdMs, payMs };
  const resolved = { saleId, title, currency, ...times, groups: Object.fromEntries(groups) };
  return { ok: true, file: { header: resolved, skus } };
}

/** `skus[3].price`; names that are no plain words are quoted. */
export function fieldOf(path: FieldPath): string {
  let field = "";
  for (const part of path) {
    if (typeof part === "number") field += `[${part}]`;
    else if (/^[A-Za-z0-9_-]{1,64}$/.test(part)) field += field === "" ? part : `.${part}`;
    else field += `[${JSON.stringify(part.slice(0, 64).toWellFormed())}]`;
  }
  return field === "" ? "(file)" : field;
}

/** The meaning of what is not a group or a SKU. Values of a wrong form were reported before. */
function headerOf(value: Mapping, errors: Errors) {
  const currency = wellFormed("currency", value);
  const isKnown = currency !== null && exponentOf(currency) !== null;
  if (currency !== null && !isKnown) {
    errors.add(["currency"], "must be a currency code of ISO 4217 that is in use, such as INR");
  }
  const zoneText = wellFormed("timeZone", value);
  const timeZone = zoneText === null ? null : timeZoneOf(zoneText);
  if (zoneText !== null && timeZone === null) {
    errors.add(["timeZone"], "must be an IANA time zone, such as Asia/Kolkata");
  }
  const startsAtMs = instantOf("startsAt", value, timeZone, errors);
  const endsAtMs = instantOf("endsAt", value, timeZone, errors);
  if (startsAtMs !== null && endsAtMs !== null && endsAtMs <= startsAtMs) {
    errors.add(["endsAt"], "must be after startsAt");
  }
  return {
    currency: isKnown ? currency : null,
    timeZone: timeZone ?? "",
    startsAtMs: startsAtMs ?? 0,
    endsAtMs: endsAtMs ?? 0,
    holdMs: durationOf("holdFor", HOLD_MS, value, errors),
    payMs: durationOf("payWithin", PAY_MS, value, errors),
  };
}

type HeaderField = keyof typeof saleHeaderSchema.shape;

/** The field's text when its form is right. */
function wellFormed(name: HeaderField, value: Mapping): string | null {
  const text = value[name];
  if (typeof text !== "string") return null;
  return saleHeaderSchema.shape[name].safeParse(text).success ? text : null;
}

function instantOf(
  name: "startsAt" | "endsAt",
  value: Mapping,
  timeZone: string | null,
  errors: Errors,
): number | null {
  const text = wellFormed(name, value);
  if (text === null || timeZone === null) return null;
  const parsed = parseInstant(text, timeZone);
  if (parsed.ok) return parsed.atMs;
  errors.add([name], parsed.reason);
  return null;
}

function durationOf(
  name: "holdFor" | "payWithin",
  { min, max }: { readonly min: number; readonly max: number },
  value: Mapping,
  errors: Errors,
): number {
  const text = wellFormed(name, value);
  if (text === null) return 0;
  const parsed = parseDuration(text);
  if (parsed.ok && parsed.durationMs >= min && parsed.durationMs <= max) return parsed.durationMs;
  const range = `from ${formatDuration(min)} to ${max / 60_000}m`;
  errors.add([name], `must be a duration ${range}, such as 90s or 5m`);
  return 0;
}

function groupsOf(value: unknown, errors: Errors): Groups {
  const groups: Groups = new Map();
  if (value === undefined) return groups;
  if (!isMapping(value)) {
    errors.add(["groups"], "must be a mapping of group names to { limitPerShopper: … }");
    return groups;
  }
  const names = Object.keys(value);
  if (names.length > SALE_SKUS_MAX) {
    errors.add(["groups"], `must have at most ${SALE_SKUS_MAX} groups`);
    return groups;
  }
  for (const name of names) {
    // A group that is wrong in itself is declared all the same.
    groups.set(name, groupOf(name, value[name], errors));
  }
  return groups;
}

function groupOf(name: string, value: unknown, errors: Errors) {
  const wrong = { limitPerShopper: 0 };
  if (errors.count >= ERRORS_MAX) return wrong;
  const path = ["groups", name];
  const checkedName = groupNameSchema.safeParse(name);
  if (!checkedName.success) errors.addIssues(path, checkedName.error.issues, true);
  const group = groupSchema.safeParse(value);
  if (!group.success) errors.addIssues(path, group.error.issues);
  return group.success ? group.data : wrong;
}

function* skusOf(
  value: unknown,
  currency: string | null,
  groups: Groups,
  errors: Errors,
): Steps<readonly SaleSku[]> {
  if (!Array.isArray(value) || value.length === 0 || value.length > SALE_SKUS_MAX) {
    const missing = value === undefined ? "is missing; " : "";
    errors.add(["skus"], `${missing}must be a list of 1 to ${SALE_SKUS_MAX} SKUs`);
    return [];
  }
  const skus: SaleSku[] = [];
  const unused = new Set(groups.keys());
  const indexBySku = new Map<string, number>();
  const errorsMax = errors.count + ERRORS_MAX;
  for (let index = 0; index < value.length; index += 1) {
    if (errors.count >= errorsMax) return [];
    if (index % SKUS_A_TURN === 0) yield;
    const form = saleSkuSchema.safeParse(value[index]);
    if (!form.success) errors.addIssues(["skus", index], form.error.issues);
    const sku: unknown = value[index];
    if (!isMapping(sku)) continue;
    checkUnique(sku["sku"], index, indexBySku, errors);
    checkGroup(sku["group"], index, groups, errors);
    if (typeof sku["group"] === "string") unused.delete(sku["group"]);
    const priceMinor = currency === null ? null : priceOf(sku, index, currency, errors);
    if (!form.success || priceMinor === null) continue;
    const { sku: id, title, stock, limitPerShopper, group } = form.data;
    // `+ 0` makes −0 zero.
    const rest = { priceMinor, stock: stock + 0, limitPerShopper, group: group ?? null };
    skus.push({ sku: id, title, ...rest });
  }
  for (const name of unused) {
    if (errors.count >= errorsMax) break;
    errors.add(["groups", name], "must be the group of a SKU, or be left out", true);
  }
  return skus;
}

function checkUnique(sku: unknown, index: number, indexBySku: Map<string, number>, errors: Errors) {
  if (typeof sku !== "string") return;
  const first = indexBySku.get(sku);
  if (first === undefined) indexBySku.set(sku, index);
  else errors.add(["skus", index, "sku"], `must be unique: it is the id of skus[${first}] too`);
}

function checkGroup(group: unknown, index: number, groups: Groups, errors: Errors): void {
  if (typeof group !== "string" || groups.has(group)) return;
  const names = [...groups.keys()].slice(0, 5).join(", ");
  const known = groups.size === 0 ? "there is no groups field" : `such as ${names}`;
  errors.add(["skus", index, "group"], `must be declared in groups (${known}), or be left out`);
}

function priceOf(sku: Mapping, index: number, currency: string, errors: Errors): number | null {
  const price = sku["price"];
  if (typeof price !== "string") return null;
  const path = ["skus", index, "price"];
  const parsed = parseAmount(price, currency);
  if (!parsed.ok) {
    const decimals = exponentOf(currency) ?? 0;
    const allowed = decimals === 0 ? 'a whole number in quotes, such as "1999"' : PRICE_ALLOWED;
    const most = decimals === 0 ? "without decimals" : `with at most ${decimals} decimals`;
    errors.add(path, `must be ${allowed}: ${currency} is written ${most}`);
    return null;
  }
  const limit = sku["limitPerShopper"];
  if (typeof limit === "number" && parsed.amountMinor * limit > LINE_MINOR_MAX) {
    errors.add(path, `times limitPerShopper must be at most ${LINE_MINOR_MAX} minor units`);
    return null;
  }
  return parsed.amountMinor;
}

type Mapping = Readonly<Record<string, unknown>>;

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Collects errors as they are found; `inFileOrder` sorts them as the file reads. */
class Errors {
  readonly #errors: LocatedError[] = [];

  get count(): number {
    return this.#errors.length;
  }

  add(path: FieldPath, message: string, isAboutKey = false): void {
    const field = fieldOf(path);
    const last = this.#errors.at(-1);
    // A number may break two rules of one field that both say what is allowed.
    if (last !== undefined && last.field === field && last.message === message) return;
    this.#errors.push({ field, message, path, isAboutKey });
  }

  addIssues(base: FieldPath, issues: readonly z.core.$ZodIssue[], isAboutKey = false): void {
    for (const issue of issues) {
      const path = [
        ...base,
        ...issue.path.map((part) => (typeof part === "number" ? part : String(part))),
      ];
      if (issue.code !== "unrecognized_keys") {
        this.add(path, issue.message, isAboutKey);
        continue;
      }
      for (const key of issue.keys.slice(0, ERRORS_MAX)) {
        this.add([...path, key], `is unknown; allowed are ${allowedAt(path)}`, true);
      }
    }
  }

  inFileOrder(value: unknown): readonly LocatedError[] {
    const places = new Places();
    const placed = this.#errors.map((error) => ({ error, place: places.of(error.path, value) }));
    placed.sort((one, two) => comparePlaces(one.place, two.place));
    return placed.slice(0, ERRORS_MAX).map(({ error }) => error);
  }
}

function allowedAt(path: FieldPath): string {
  if (path.length === 0) return Object.keys(saleHeaderSchema.shape).join(", ");
  const { shape } = path[0] === "skus" ? saleSkuSchema : groupSchema;
  return Object.keys(shape).join(", ");
}

/** Where a field stands, level by level; a missing field stands at the end of its mapping. */
class Places {
  /** Made once for each mapping: one of them may have a great many names. */
  readonly #indexes = new Map<Mapping, ReadonlyMap<string, number>>();

  of(path: FieldPath, value: unknown): readonly number[] {
    const place: number[] = [];
    let at = value;
    for (const part of path) {
      place.push(typeof part === "number" ? part : this.#indexOf(part, at));
      at = typeof at === "object" && at !== null ? Reflect.get(at, part) : undefined;
    }
    return place;
  }

  #indexOf(name: string, mapping: unknown): number {
    if (!isMapping(mapping)) return Number.MAX_SAFE_INTEGER;
    let indexes = this.#indexes.get(mapping);
    if (indexes === undefined) {
      indexes = new Map(Object.keys(mapping).map((key, index) => [key, index]));
      this.#indexes.set(mapping, indexes);
    }
    return indexes.get(name) ?? Number.MAX_SAFE_INTEGER;
  }
}

function comparePlaces(one: readonly number[], two: readonly number[]): number {
  const depth = Math.min(one.length, two.length);
  for (let level = 0; level < depth; level += 1) {
    const difference = (one[level] ?? 0) - (two[level] ?? 0);
    if (difference !== 0) return difference;
  }
  return one.length - two.length;
}
