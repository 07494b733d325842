// The form of a sale file as zod schemas: the one source for the check, its messages and OpenAPI.
// Meaning (zones, currencies, amounts, references) is checked in sale-file.ts.
//
// A message says what is allowed and never repeats the value that was sent.

import { z } from "zod";

import { SALE_ID, SKU_ID } from "../core/ids.ts";
import { HOLD_UNITS_MAX, SALE_SKUS_MAX, STOCK_UNITS_MAX } from "../core/limits.ts";
import { DURATION, INSTANT, INSTANT_ALLOWED } from "../core/sale/time.ts";

/** 1–200 characters, one of them visible; no control characters, line breaks, lone surrogates. */
const TITLE = /^(?=.*\S)[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,200}$/u;

/** A decimal in quotes; how many decimals it may have is the currency's to say. */
export const PRICE_ALLOWED = 'an exact decimal in quotes, such as "19.99"';

type Issue = { readonly code?: string | undefined; readonly input?: unknown };

/** "must be …", with the type that was found instead when it was another one. */
function saying(allowed: string) {
  return (issue: Issue): string => {
    if (issue.input === undefined) return `is missing; must be ${allowed}`;
    if (issue.input === null) return `is empty; must be ${allowed}`;
    if (issue.code !== "invalid_type") return `must be ${allowed}`;
    const found = typeof issue.input;
    if (found === "object") return `must be ${allowed} (this is ${listOrMapping(issue.input)})`;
    return `must be ${allowed} (this is a ${found})`;
  };
}

function listOrMapping(value: unknown): string {
  return Array.isArray(value) ? "a list" : "a mapping";
}

function text(pattern: RegExp, allowed: string) {
  const error = saying(allowed);
  return z.string({ error }).regex(pattern, { error }).describe(allowed);
}

function count(min: number, max: number) {
  const allowed = `a whole number from ${min} to ${max}`;
  const error = saying(allowed);
  return z
    .number({ error })
    .int({ error })
    .min(min, { error })
    .max(max, { error })
    .describe(allowed);
}

const mapping = { error: saying("a mapping of fields") };

const saleId = text(SALE_ID, "a string of 1 to 64 of a-z, 0-9 and -, in quotes if all digits");
const skuId = text(
  SKU_ID,
  "a string of 1 to 64 of A-Z, a-z, 0-9, dot, _ and -, in quotes if it looks like a number",
);
const title = text(TITLE, "1 to 200 characters on one line, without control characters");
const limitPerShopper = count(1, HOLD_UNITS_MAX);
const instant = text(INSTANT, INSTANT_ALLOWED);

export const groupSchema = z.strictObject({ limitPerShopper }, mapping);

export const groupNameSchema = skuId.refine((name) => name !== "__proto__", {
  error: "must be another name",
});

export const saleSkuSchema = z.strictObject(
  {
    sku: skuId,
    title,
    price: z.string({ error: priceError }).describe(`${PRICE_ALLOWED}, in the sale's currency`),
    stock: count(0, STOCK_UNITS_MAX),
    limitPerShopper,
    group: skuId.optional(),
  },
  mapping,
);

/** All that is not a group or a SKU: these two are checked one by one, so that errors are few. */
export const saleHeaderSchema = z.strictObject(
  {
    sale: saleId,
    title,
    currency: text(/^[A-Z]{3}$/, "a currency code of ISO 4217 in capitals, such as INR or EUR"),
    timeZone: z
      .string({ error: saying("an IANA time zone, such as Asia/Kolkata") })
      .describe("an IANA time zone, such as Asia/Kolkata"),
    startsAt: instant,
    endsAt: instant,
    holdFor: text(DURATION, "a duration from 5s to 60m, such as 90s or 5m"),
    payWithin: text(DURATION, "a duration from 1m to 60m, such as 90s or 10m"),
    groups: z.unknown().optional(),
    skus: z.unknown().optional(),
  },
  mapping,
);

/** The whole file, for OpenAPI. `parseSaleFile` checks the same, and the meaning. */
export const saleFileSchema = saleHeaderSchema.extend({
  groups: z.record(skuId, groupSchema).optional(),
  skus: z.array(saleSkuSchema).min(1).max(SALE_SKUS_MAX),
});

function priceError(issue: Issue): string {
  if (typeof issue.input === "number") {
    return `must be ${PRICE_ALLOWED}: without quotes it is a number, and numbers round`;
  }
  return saying(PRICE_ALLOWED)({ ...issue, code: "invalid_type" });
}
