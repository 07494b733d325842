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
import type { FrozenHolds } from "./holds/frozen-holds.ts";
import { ownText } from "./own-text.ts";
import {
  type ArchivedSku,
  availableOf,
  emptyBook,
  emptyGroup,
  type GroupState,
  type NewHold,
  ORDER_STATES,
  type OrderEffect,
  type OrderState,
  ordersToChange,
  SkuState,
  type StockBook,
} from "./state.ts";

/** Lines that are made between two pauses: a quarter of a millisecond, and the rest of a piece. */
const SLICE_LINES = 1_000;

/** A SKU's own line, and what was under it. */
type FrozenSku = {
  readonly sku: SkuState;
  readonly line: string;
  readonly orderIds: readonly string[];
  readonly effects: readonly OrderEffect[];
};

/**
 * A book as it was between two batches, to be written while the book goes on. To be thawed.
 *
 * Cost     of freezing: O(SKUs + orders) and a counter for each chunk of holds; no line of a hold or
 *          of an order is made yet.
 */
export class FrozenBook {
  readonly #head: string;
  readonly #groups: readonly string[];
  readonly #skus: readonly FrozenSku[];
  readonly #archived: readonly string[];
  readonly #holds: FrozenHolds<SkuState>;

  /** `atMs` is the time of the last batch in it, `format` what is written. */
  constructor(book: StockBook, atMs: number, format = FORMAT) {
    assert(Number.isSafeInteger(atMs), "time is whole milliseconds");
    this.#head = `${format}\t${atMs}`;
    this.#groups = Array.from(book.groups.values(), encodeGroup);
    this.#skus = Array.from(book.skus.values(), (sku) => ({
      sku,
      line: skuLine(sku),
      orderIds: sku.orders.size === 0 ? [] : [...sku.orders.keys()],
      effects: sku.orders.size === 0 ? [] : [...sku.orders.values()],
    }));
    this.#archived = Array.from(book.archived.values(), encodeArchived);
    this.#holds = book.holds.freeze();
  }

  thaw(): void {
    this.#holds.thaw();
  }

  /**
   * The book's pieces, each at most SNAPSHOT_PIECE_BYTES_MAX, at least one; null between them, when
   * others should have their turn.
   */
  *pieces(): Generator<string | null> {
    const places = new Map<SkuState, number[]>();
    yield* this.#holds.gatherPlaces(places);
    let piece = [this.#head];
    let bytes = this.#head.length;
    let untilPause = SLICE_LINES;
    for (const line of this.#lines(places)) {
      if (bytes + line.length > SNAPSHOT_PIECE_BYTES_MAX) {
        yield piece.join("");
        piece = [this.#head];
        bytes = this.#head.length;
      }
      piece.push(line);
      bytes += line.length;
      untilPause -= 1;
      if (untilPause > 0) continue;
      untilPause = SLICE_LINES;
      yield null;
    }
    yield piece.join("");
  }

  *#lines(places: ReadonlyMap<SkuState, readonly number[]>): Generator<string> {
    for (const line of this.#groups) yield line;
    for (const { sku, line, orderIds, effects } of this.#skus) {
      yield line;
      for (const place of places.get(sku) ?? []) yield holdLine(this.#holds.at(place));
      for (const [index, orderId] of orderIds.entries()) yield orderLine(orderId, effects[index]!);
    }
    for (const line of this.#archived) yield line;
  }
}

/** The pieces of a book at once: FrozenBook without pauses. */
export function encodeBook(book: StockBook, atMs: number, format = FORMAT): string[] {
  const frozen = new FrozenBook(book, atMs, format);
  const pieces = [...frozen.pieces()].filter((piece) => piece !== null);
  frozen.thaw();
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

/** Of a SKU that nobody holds: its own line, then one for each order. */
export function encodeSku(sku: SkuState, put: (line: string) => void): void {
  assert(sku.held === 0, "holds are written by a whole book alone");
  put(skuLine(sku));
  for (const [orderId, effect] of sku.orders) put(orderLine(orderId, effect));
}

function skuLine(sku: SkuState): string {
  const { key, holdCount, group } = sku;
  const { version, phase, startsAtMs, endsAtMs, holdMs, payMs } = sku.rules;
  const { limit, priceMinor, released } = sku.rules;
  const rules = `${version}\t${phase}\t${startsAtMs}\t${endsAtMs}\t${holdMs}\t${payMs}`;
  const counts = `${limit}\t${priceMinor}\t${released}\t${holdCount}`;
  return `\nS\t${key}\t${rules}\t${counts}\t${group === null ? "" : group.key}`;
}

function holdLine(hold: NewHold): string {
  const { shopper, number, quantity, priceMinor, deadlineMs, orderId, wasPinned } = hold;
  const pin = `${orderId ?? ""}\t${wasPinned ? 1 : 0}`;
  return `\nH\t${shopper}\t${number}\t${quantity}\t${priceMinor}\t${deadlineMs}\t${pin}`;
}

function orderLine(orderId: string, { shopper, quantity, state }: OrderEffect): string {
  return `\nO\t${orderId}\t${shopper}\t${quantity}\t${state}`;
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
  assert(availableOf(sku) >= 0, "a snapshot holds more than was released");
}

function orderStateOf(text: string | undefined): OrderState {
  const state = ORDER_STATES.find((one) => one === text);
  if (state === undefined) throw corrupt(`no order state is called ${JSON.stringify(text)}`);
  return state;
}

function corrupt(detail: string): Fault {
  return new Fault("journal_corrupt", detail);
}
