// Strings from outside. Control characters and lone surrogates are refused at the edge: Postgres
// text takes no NUL, and UTF-8 has no lone surrogate (c-39).

import { z } from "zod";

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const DEPTH_MAX = 16;

function isSafeText(text: string): boolean {
  return text.isWellFormed() && !CONTROL.test(text);
}

/** A string of `min` to `max` UTF-16 units that may be stored and shown. */
export function safeText(min: number, max: number): z.ZodString {
  return z
    .string()
    .min(min)
    .max(max)
    .refine(isSafeText, { error: "must not have control characters or lone surrogates" });
}

/** True when all strings in a JSON value, names included, are safe and it is not too deep. */
export function isSafeJson(value: unknown, depth = 0): boolean {
  if (typeof value === "string") return isSafeText(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth >= DEPTH_MAX) return false;
  if (Array.isArray(value)) return value.every((item) => isSafeJson(item, depth + 1));
  return Object.entries(value).every(
    ([name, item]) => name !== "__proto__" && isSafeText(name) && isSafeJson(item, depth + 1),
  );
}
