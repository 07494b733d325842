// Reading what clients send: bodies bounded by received bytes, JSON by its media type, queries
// without surprises.

import type { z } from "zod";

import { BODY_BYTES_MAX } from "../core/limits.ts";
import type { FieldError } from "../shop/sale-file.ts";
import { BodyCut } from "./problem.ts";

const ERRORS_MAX = 100;
const NAME_CHARS_MAX = 64;

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** A JSON body: what it must be, and how it is described. */
export type JsonBody<T> = {
  /** For the description; `parse` may check more than it can say. */
  readonly schema: z.ZodType;
  readonly bytesMax: number;
  parse(json: unknown): Parsed<T> | Promise<Parsed<T>>;
};

/** A body that is small, and checked at once. */
type SmallJsonBody<T> = Omit<JsonBody<T>, "parse"> & { parse(json: unknown): Parsed<T> };

/** A body that its schema says everything about. */
export function jsonBody<S extends z.ZodType>(schema: S): SmallJsonBody<z.output<S>> {
  return { schema, bytesMax: BODY_BYTES_MAX, parse: (json) => parseWith(schema, json) };
}

export function parseWith<S extends z.ZodType>(schema: S, value: unknown): Parsed<z.output<S>> {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, errors: errorsOf(result.error.issues) };
}

function errorsOf(issues: readonly z.core.$ZodIssue[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const issue of issues) {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys.slice(0, ERRORS_MAX)) {
        errors.push({ field: pathOf([...issue.path, key]), message: "is not a field of this" });
      }
    } else {
      errors.push({ field: pathOf(issue.path), message: issue.message });
    }
  }
  return errors.slice(0, ERRORS_MAX);
}

function pathOf(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += `${text === "" ? "" : "."}${String(part).slice(0, NAME_CHARS_MAX)}`;
  }
  return text.toWellFormed();
}

/** The length a request says its body has; null: it does not say (chunked, or no body). */
export function declaredBytesOf(request: Request): number | null {
  const declared = request.headers.get("content-length");
  return declared === null ? null : Number(declared);
}

/** True only when the essence is exactly application/json; parameters are of no matter (c-47). */
export function isJsonType(contentType: string | null): boolean {
  if (contentType === "application/json") return true;
  if (contentType === null) return false;
  const end = contentType.indexOf(";");
  const essence = end === -1 ? contentType : contentType.slice(0, end);
  return essence.trim().toLowerCase() === "application/json";
}

/**
 * The body, or null when it is larger. A body of declared length was checked before and is read at
 * once; another is counted as it comes.
 *
 * Throws: BodyCut.
 */
export async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array | null> {
  const declared = declaredBytesOf(request);
  if (declared !== null && declared > bytesMax) return null;
  try {
    return declared === null ? await countedBytes(request, bytesMax) : await request.bytes();
  } catch (cause) {
    throw new BodyCut("the body ended early", { cause });
  }
}

async function countedBytes(request: Request, bytesMax: number): Promise<Uint8Array | null> {
  if (request.body === null) return new Uint8Array(0);
  const reader = request.body.getReader();
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > bytesMax) {
      // The answer closes the connection; nobody waits for the rest.
      reader.cancel().catch(() => undefined);
      return null;
    }
    pieces.push(value);
  }
  return Buffer.concat(pieces, size);
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** Bytes as text, or null when they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return UTF8.decode(bytes);
  } catch {
    return null;
  }
}

/** JSON text as a value; null: it is none. Never throws: also a body of brackets only ends here. */
export function jsonOf(text: string | null): { readonly value: unknown } | null {
  if (text === null) return null;
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
}

/** The query as strings; a name given twice is an error, since nobody knows which one is meant. */
export function queryOf(url: string): Parsed<Readonly<Record<string, string>>> {
  const start = url.indexOf("?");
  const value: Record<string, string> = Object.create(null);
  if (start === -1) return { ok: true, value };
  const errors: FieldError[] = [];
  for (const [name, text] of new URLSearchParams(url.slice(start + 1))) {
    if (name in value) errors.push({ field: pathOf([name]), message: "must be given once" });
    else value[name] = text;
  }
  return errors.length === 0
    ? { ok: true, value: { ...value } }
    : { ok: false, errors: errors.slice(0, ERRORS_MAX) };
}
