// A sale file from disk (or from standard input, "-") to a checked sale, or to what is wrong with
// it: file, line, column, field and what is allowed.

import { ADMIN_BODY_BYTES_MAX } from "../core/limits.ts";
import { formatInstant } from "../core/sale/time.ts";
import { checkSaleFile, type SaleFile } from "../shop/sale-file.ts";
import { parseSaleDocument, type SaleDocument } from "./sale-document.ts";

/** `line` and `column` are null when the file could not be read at all. */
export type FileError = {
  readonly file: string;
  readonly line: number | null;
  readonly column: number | null;
  readonly field: string | null;
  readonly message: string;
};

export type SaleFileRead =
  | {
      readonly ok: true;
      readonly file: SaleFile;
      /** What to send: the file's fields, its times with their offsets. */
      readonly body: Readonly<Record<string, unknown>>;
    }
  | { readonly ok: false; readonly errors: readonly FileError[] };

/** Reads `path`; "-" is standard input. */
export async function readSaleFile(path: string): Promise<SaleFileRead> {
  const name = path === "-" ? "(standard input)" : path;
  const bytes = await bytesOf(path);
  if (typeof bytes === "string") return unreadable(name, bytes);
  try {
    return readSaleText(name, new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    if (cause instanceof TypeError) return unreadable(name, "must be text in UTF-8");
    throw cause;
  }
}

/** The same for text that was read already; `name` is the file's in the errors. */
export function readSaleText(name: string, text: string): SaleFileRead {
  const quick = quickRead(text);
  if (quick !== null) return quick;
  const document = parseSaleDocument(text);
  if (!document.ok) {
    return { ok: false, errors: document.errors.map((error) => ({ file: name, ...error })) };
  }
  return checked(name, document);
}

/** One line for people: `sale.yaml:12:10: skus[3].price must be …`. */
export function formatFileError({ file, line, column, field, message }: FileError): string {
  const place = line === null ? file : `${file}:${line}:${column}`;
  return field === null ? `${place}: ${message}` : `${place}: ${field} ${message}`;
}

function checked(file: string, document: Extract<SaleDocument, { ok: true }>): SaleFileRead {
  const result = checkSaleFile(document.value);
  if (result.ok) return { ok: true, file: result.file, body: bodyOf(document.value, result.file) };
  const errors = result.errors.map((error) => {
    const { field, message } = error;
    return { file, ...document.positionOf(error), field, message };
  });
  return { ok: false, errors };
}

/**
 * JSON without an error, 30 times as fast as the parser that knows lines; null: use that one.
 *
 * `JSON.parse` keeps the last of two equal keys, so the keys in the text are counted against those
 * that are left.
 */
function quickRead(text: string): SaleFileRead | null {
  if (!/^\s*\{/.test(text)) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof RangeError) return null;
    throw cause;
  }
  const result = checkSaleFile(value);
  if (!result.ok || keysWritten(text) !== keysKept(result.file, value)) return null;
  return { ok: true, file: result.file, body: bodyOf(value, result.file) };
}

/** Strings that a colon follows: in valid JSON these are the keys. */
function keysWritten(text: string): number {
  let count = 0;
  for (const key of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) {
    if (key[1] !== undefined) count += 1;
  }
  return count;
}

/** A checked file has objects in three places only: itself, its groups and its SKUs. */
function keysKept(file: SaleFile, value: unknown): number {
  const groupCount = Object.keys(file.header.groups).length;
  let count = Object.keys(Object(value)).length + 2 * groupCount;
  const skus: unknown = Reflect.get(Object(value), "skus");
  if (Array.isArray(skus)) for (const sku of skus) count += Object.keys(Object(sku)).length;
  return count;
}

/**
 * Times go out with the offset that they were resolved to: a server whose zone rules differ refuses
 * the file instead of opening the sale at another hour.
 */
function bodyOf(value: unknown, { header }: SaleFile): Readonly<Record<string, unknown>> {
  return {
    ...Object(value),
    startsAt: formatInstant(header.startsAtMs, header.timeZone),
    endsAt: formatInstant(header.endsAtMs, header.timeZone),
  };
}

/** The bytes, or why there are none. */
async function bytesOf(path: string): Promise<Uint8Array | string> {
  const tooLarge = `must be at most ${ADMIN_BODY_BYTES_MAX} bytes (16 MiB)`;
  try {
    const source = path === "-" ? Bun.stdin : Bun.file(path);
    if (path !== "-" && source.size > ADMIN_BODY_BYTES_MAX) return tooLarge;
    const pieces: Uint8Array[] = [];
    let byteCount = 0;
    for await (const piece of source.stream()) {
      byteCount += piece.byteLength;
      if (byteCount > ADMIN_BODY_BYTES_MAX) return tooLarge;
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  } catch (cause) {
    const code = cause instanceof Error ? Reflect.get(cause, "code") : undefined;
    if (code === "ENOENT") return "there is no such file";
    if (code === "EISDIR") return "is a folder, not a file";
    if (code === "EACCES") return "may not be read by this user";
    if (cause instanceof Error) return `could not be read: ${cause.message}`;
    throw cause;
  }
}

function unreadable(file: string, message: string): SaleFileRead {
  return { ok: false, errors: [{ file, line: null, column: null, field: null, message }] };
}
