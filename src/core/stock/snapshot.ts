// A whole book as text, format 1, in pieces. Each piece begins with the format and the time of the
// last batch in the book, and holds whole lines:
//
//   1 atMs
//   G key version limit                      a group
//   S key version phase … released holdCount a SKU; what follows belongs to it
//   H shopper number quantity price deadline orderId wasPinned
//   O orderId shopper quantity state
//   A key digest version phase … sold group      a SKU that is archived
//
// held, sold and every count by shopper are derived on the way back: they cannot disagree.

import { assert } from "../assert.ts";
import { Fault } from "../errors.ts";
import { FORMAT } from "../formats.ts";
import { SNAPSHOT_PIECE_BYTES_MAX } from "../limits.ts";
import { countBought, insertHold } from "./apply.ts";
import { checkFormat, fieldsOf, integer, phaseOf, textOf } from "./codec.ts";
import { ownText } from "./own-text.ts";
import {
  type ArchivedSku,
  emptyBook,
  emptyGroup,
  type GroupState,
  type Hold,
  ORDER_STATES,
  type OrderState,
  ordersToChange,
  SkuState,
  type StockBook,
} from "./state.ts";

/**
 * The pieces of a book; `atMs` is the time of the last batch in it, `format` what is written.
 *
 * Shape    each at most SNAPSHOT_PIECE_BYTES_MAX, at least one.
 * Cost     O(SKUs + holds + orders), synchronous: taken with no batch in flight.
 */
export function encodeBook(book: StockBook, atMs: number, format = FORMAT): string[] {
  assert(Number.isSafeInteger(atMs), "time is whole milliseconds");
  const pieces: string[] = [];
  const head = `${format}\t${atMs}`;
  let piece = head;
  const put = (line: string): void => {
    if (piece.length + line.length > SNAPSHOT_PIECE_BYTES_MAX) {
      pieces.push(piece);
      piece = head;
    }
    piece += line;
  };
  for (const group of book.groups.values()) put(encodeGroup(group));
  const holds = book.holds.bySku();
  for (const sku of book.skus.values()) encodeSku(sku, holds.get(sku) ?? [], put);
  for (const sku of book.archived.values()) put(encodeArchived(sku));
  pieces.push(piece);
  return pieces;
}

/**
 * Rebuilds a book, and the time of the last batch in it.
 *
 * Throws  Fault("journal_corrupt") when a piece is of no format that this build reads.
 */
export function decodeBook(pieces: readonly string[]): { book: StockBook; atMs: number } {
  const book = emptyBook();
  let atMs = 0;
  let sku: SkuState | null = null;
  for (const piece of pieces) {
    const lines = piece.split("\n");
    const [format, at] = fieldsOf(lines[0]);
    checkFormat(format);
    atMs = integer(at);
    for (let index = 1; index < lines.length; index++) {
      sku = decodeLine(book, sku, fieldsOf(lines[index]));
    }
  }
  return { book, atMs };
}

export function encodeGroup(group: GroupState): string {
  return `\nG\t${group.key}\t${group.version}\t${group.limit}`;
}

/** Its own line, then one for each hold and each order. */
export function encodeSku(
  sku: SkuState,
  holds: readonly Hold[],
  put: (line: string) => void,
): void {
  const { key, version, phase, startsAtMs, endsAtMs, holdMs, payMs } = sku;
  const { limit, priceMinor, released, holdCount, group } = sku;
  const rules = `${version}\t${phase}\t${startsAtMs}\t${endsAtMs}\t${holdMs}\t${payMs}`;
  const counts = `${limit}\t${priceMinor}\t${released}\t${holdCount}`;
  put(`\nS\t${key}\t${rules}\t${counts}\t${group === null ? "" : group.key}`);
  for (const hold of holds) {
    const { shopper, number, quantity, priceMinor: price, deadlineMs, orderId, wasPinned } = hold;
    const pin = `${orderId ?? ""}\t${wasPinned ? 1 : 0}`;
    put(`\nH\t${shopper}\t${number}\t${quantity}\t${price}\t${deadlineMs}\t${pin}`);
  }
  for (const [orderId, { shopper, quantity, state }] of sku.orders) {
    put(`\nO\t${orderId}\t${shopper}\t${quantity}\t${state}`);
  }
}

function encodeArchived(sku: ArchivedSku): string {
  const { key, digest, version, phase, startsAtMs, endsAtMs, released, sold, group } = sku;
  const rules = `${version}\t${phase}\t${startsAtMs}\t${endsAtMs}`;
  return `\nA\t${key}\t${digest}\t${rules}\t${released}\t${sold}\t${group ?? ""}`;
}

/** Puts one line into the book. `sku` is the one that holds and orders belong to; returns it. */
export function decodeLine(
  book: StockBook,
  sku: SkuState | null,
  fields: readonly string[],
): SkuState | null {
  switch (fields[0]) {
    case "G":
      decodeGroup(book, fields);
      return sku;
    case "A":
      decodeArchived(book, fields);
      return sku;
    case "S":
      return decodeSku(book, fields);
    default:
      decodeOfSku(book, sku, fields);
      return sku;
  }
}

function decodeArchived(book: StockBook, fields: readonly string[]): void {
  const group = fields[9] === "" ? null : ownText(textOf(fields[9]));
  const key = ownText(textOf(fields[1]));
  book.archived.set(key, {
    key,
    digest: ownText(textOf(fields[2])),
    version: integer(fields[3]),
    phase: phaseOf(fields[4]),
    startsAtMs: integer(fields[5]),
    endsAtMs: integer(fields[6]),
    released: integer(fields[7]),
    sold: integer(fields[8]),
    group,
  });
  if (group === null) return;
  const keys = book.archivedGroups.get(group);
  if (keys === undefined) book.archivedGroups.set(group, [key]);
  else keys.push(key);
}

function decodeGroup(book: StockBook, fields: readonly string[]): void {
  const group = emptyGroup(ownText(textOf(fields[1])));
  group.version = integer(fields[2]);
  group.limit = integer(fields[3]);
  book.groups.set(group.key, group);
}

function decodeSku(book: StockBook, fields: readonly string[]): SkuState {
  const sku = new SkuState(textOf(fields[1]));
  sku.rules = book.rules.share({
    version: integer(fields[2]),
    phase: phaseOf(fields[3]),
    startsAtMs: integer(fields[4]),
    endsAtMs: integer(fields[5]),
    holdMs: integer(fields[6]),
    payMs: integer(fields[7]),
    limit: integer(fields[8]),
    priceMinor: integer(fields[9]),
    released: integer(fields[10]),
  });
  sku.holdCount = integer(fields[11]);
  if (fields[12] !== "") {
    const group = book.groups.get(textOf(fields[12]));
    if (group === undefined) throw corrupt(`SKU ${sku.key} names a group that is not there`);
    sku.group = group;
    group.skus.add(sku);
  }
  book.skus.set(sku.key, sku);
  return sku;
}

function decodeOfSku(book: StockBook, sku: SkuState | null, fields: readonly string[]): void {
  if (sku === null) throw corrupt("a hold or an order before its SKU");
  if (fields[0] === "H") {
    insertHold(book, {
      sku,
      shopper: textOf(fields[1]),
      number: integer(fields[2]),
      quantity: integer(fields[3]),
      priceMinor: integer(fields[4]),
      deadlineMs: integer(fields[5]),
      orderId: fields[6] === "" ? null : textOf(fields[6]),
      wasPinned: fields[7] === "1",
    });
    return;
  }
  if (fields[0] !== "O") throw corrupt(`no line has the tag ${JSON.stringify(fields[0])}`);
  const shopper = textOf(fields[2]);
  const quantity = integer(fields[3]);
  const state = orderStateOf(fields[4]);
  ordersToChange(sku).set(textOf(fields[1]), { shopper, quantity, state });
  if (state === "sold") countBought(sku, shopper, quantity);
  assert(sku.sold + sku.held <= sku.released, "a snapshot holds more than was released");
}

function orderStateOf(text: string | undefined): OrderState {
  const state = ORDER_STATES.find((one) => one === text);
  if (state === undefined) throw corrupt(`no order state is called ${JSON.stringify(text)}`);
  return state;
}

function corrupt(detail: string): Fault {
  return new Fault("journal_corrupt", detail);
}
