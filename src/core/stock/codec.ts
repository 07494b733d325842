// Batches as text, format 1. One line an event, fields between tabs; no id of ours may contain a tab
// or a newline, so nothing is escaped.
//
//   1 <atMs>
//   <skuKey> <skuKey> …
//   <tag> <index of the SKU> <field> …
//
// Deadlines are written as offsets from atMs: short, and most are alike.

import { assert, unreachable } from "../assert.ts";
import { Fault } from "../errors.ts";
import { FORMAT, FORMAT_OLDEST_READ } from "../formats.ts";
import type { Configured, Held, StockEvent } from "./event.ts";
import { type Phase, PHASES } from "./rules.ts";

export type Batch = {
  /** The partition's time when it was decided. */
  readonly atMs: number;
  readonly skuKeys: readonly string[];
  /** In order; `skuIndex` points into `skuKeys`. */
  readonly events: readonly { readonly skuIndex: number; readonly event: StockEvent }[];
};

/** About what a hold's number takes. */
const NUMBER_BYTES = 8;

/**
 * Builds a batch while it is decided.
 *
 * Hot path (bench/hold.ts): a new hold makes no string.
 */
export class BatchBuilder {
  readonly #atMs: number;
  readonly #format: number;
  readonly #indexes = new Map<string, number>();
  readonly #deltas: number[] = [];
  /** To be joined once: concatenating makes trees of strings that are slow to gather. */
  readonly #parts: (string | number)[] = [];
  #lineBytes = 0;
  #keyBytes = 0;
  /** Of the last hold. */
  #index = -1;
  #quantity = 0;
  #priceMinor = 0;
  #deadlineMs = 0;
  #heldHead = "";
  #heldTail = "";
  #eventCount = 0;

  /** `format`: what every reader of the journal reads; this build's own unless told otherwise. */
  constructor(atMs: number, format = FORMAT) {
    assert(format >= FORMAT_OLDEST_READ && format <= FORMAT, "this build writes what it reads");
    this.#atMs = atMs;
    this.#format = format;
  }

  get eventCount(): number {
    return this.#eventCount;
  }

  /** About the bytes of the batch: everything in it is ASCII. */
  get byteCount(): number {
    return this.#lineBytes + this.#keyBytes;
  }

  /** `delta` is what `apply` returned. */
  add(key: string, event: StockEvent, delta: number): void {
    let index = this.#indexes.get(key);
    if (index === undefined) {
      index = this.#indexes.size;
      this.#indexes.set(key, index);
      this.#deltas.push(0);
      this.#keyBytes += key.length + 1;
    }
    this.#deltas[index]! += delta;
    if (event.kind === "held") this.#addHeld(index, event);
    else {
      const line = encodeEvent(index, event, this.#atMs);
      this.#lineBytes += line.length;
      this.#parts.push(line);
    }
    this.#eventCount++;
  }

  /** Most holds of a batch end alike: one price, one quantity, one deadline. */
  #addHeld(index: number, { shopper, number, quantity, priceMinor, deadlineMs }: Held): void {
    const isAlike = quantity === this.#quantity && priceMinor === this.#priceMinor;
    if (!isAlike || deadlineMs !== this.#deadlineMs || index !== this.#index) {
      this.#quantity = quantity;
      this.#priceMinor = priceMinor;
      this.#deadlineMs = deadlineMs;
      this.#index = index;
      this.#heldHead = `\nh\t${index}\t`;
      this.#heldTail = `\t${quantity}\t${priceMinor}\t${deadlineMs - this.#atMs}`;
    }
    this.#lineBytes +=
      this.#heldHead.length + shopper.length + this.#heldTail.length + NUMBER_BYTES;
    this.#parts.push(this.#heldHead, shopper, "\t", number, this.#heldTail);
  }

  /** The whole batch, and each SKU's net change. */
  build(): { bytes: string; skuKeys: string[]; deltas: { skuKey: string; delta: number }[] } {
    assert(this.#eventCount >= 1, "a batch carries at least one event");
    const skuKeys = [...this.#indexes.keys()];
    const bytes = `${this.#format}\t${this.#atMs}\n${skuKeys.join("\t")}${this.#parts.join("")}`;
    const deltas: { skuKey: string; delta: number }[] = [];
    for (let index = 0; index < skuKeys.length; index++) {
      const delta = this.#deltas[index]!;
      if (delta !== 0) deltas.push({ skuKey: skuKeys[index]!, delta });
    }
    return { bytes, skuKeys, deltas };
  }
}

/**
 * Reads a batch back.
 *
 * Throws  Fault("journal_corrupt") when the text is no batch of a format that this build reads.
 */
export function decodeBatch(bytes: string): Batch {
  const lines = bytes.split("\n");
  const [format, at] = fieldsOf(lines[0]);
  checkFormat(format);
  const atMs = integer(at);
  const skuKeys = fieldsOf(lines[1]);
  const events: { skuIndex: number; event: StockEvent }[] = [];
  for (let index = 2; index < lines.length; index++) {
    const fields = fieldsOf(lines[index]);
    const skuIndex = integer(fields[1]);
    if (skuIndex >= skuKeys.length) throw corrupt(`line ${index} names SKU ${skuIndex}`);
    events.push({ skuIndex, event: decodeEvent(fields, atMs) });
  }
  return { atMs, skuKeys, events };
}

/** Throws Fault("journal_corrupt") when this build does not read the format. */
export function checkFormat(text: string | undefined): void {
  const format = integer(text);
  if (format < FORMAT_OLDEST_READ || format > FORMAT) {
    throw corrupt(`format ${format}; this build reads ${FORMAT_OLDEST_READ} to ${FORMAT}`);
  }
}

function encodeEvent(
  index: number,
  event: Exclude<StockEvent, { kind: "held" }>,
  atMs: number,
): string {
  switch (event.kind) {
    case "changed":
      return `\nq\t${index}\t${event.shopper}\t${event.quantity}`;
    case "given_back":
      return `\ng\t${index}\t${event.shopper}`;
    case "lapsed":
      return `\nl\t${index}\t${event.shopper}`;
    case "pinned":
      return `\np\t${index}\t${event.shopper}\t${event.orderId}\t${event.deadlineMs - atMs}`;
    case "unpinned":
      return `\nu\t${index}\t${event.shopper}\t${event.orderId}`;
    case "confirmed": {
      const { shopper, orderId, quantity, fromPin } = event;
      return `\n${fromPin ? "c" : "f"}\t${index}\t${shopper}\t${orderId}\t${quantity}`;
    }
    case "refused":
      return `\nx\t${index}\t${event.shopper}\t${event.orderId}\t${event.quantity}`;
    case "returned":
      return `\nr\t${index}\t${event.orderId}`;
    case "archived":
      return `\na\t${index}\t${event.digest}`;
    case "configured":
      return `\nv\t${index}\t${encodeConfigured(event)}`;
    default:
      return unreachable(event);
  }
}

function encodeConfigured(event: Configured): string {
  const { version, phase, startsAtMs, endsAtMs, holdMs, payMs, limit } = event;
  const { priceMinor, released, group, groupLimit } = event;
  const rules = `${version}\t${phase}\t${startsAtMs}\t${endsAtMs}\t${holdMs}\t${payMs}\t${limit}`;
  return `${rules}\t${priceMinor}\t${released}\t${group ?? ""}\t${groupLimit}`;
}

function decodeEvent(fields: readonly string[], atMs: number): StockEvent {
  const text = (index: number): string => textOf(fields[index]);
  const count = (index: number): number => integer(fields[index]);
  switch (fields[0]) {
    case "h":
      return {
        kind: "held",
        shopper: text(2),
        number: count(3),
        quantity: count(4),
        priceMinor: count(5),
        deadlineMs: atMs + count(6),
      };
    case "q":
      return { kind: "changed", shopper: text(2), quantity: count(3) };
    case "g":
      return { kind: "given_back", shopper: text(2) };
    case "l":
      return { kind: "lapsed", shopper: text(2) };
    case "p":
      return { kind: "pinned", shopper: text(2), orderId: text(3), deadlineMs: atMs + count(4) };
    case "u":
      return { kind: "unpinned", shopper: text(2), orderId: text(3) };
    case "c":
    case "f": {
      const fromPin = fields[0] === "c";
      return {
        kind: "confirmed",
        shopper: text(2),
        orderId: text(3),
        quantity: count(4),
        fromPin,
      };
    }
    case "x":
      return { kind: "refused", shopper: text(2), orderId: text(3), quantity: count(4) };
    case "r":
      return { kind: "returned", orderId: text(2) };
    case "a":
      return { kind: "archived", digest: text(2) };
    case "v":
      return decodeConfigured(fields.slice(2));
    default:
      throw corrupt(`no event has the tag ${JSON.stringify(fields[0])}`);
  }
}

function decodeConfigured(fields: readonly string[]): Configured {
  return {
    kind: "configured",
    version: integer(fields[0]),
    phase: phaseOf(fields[1]),
    startsAtMs: integer(fields[2]),
    endsAtMs: integer(fields[3]),
    holdMs: integer(fields[4]),
    payMs: integer(fields[5]),
    limit: integer(fields[6]),
    priceMinor: integer(fields[7]),
    released: integer(fields[8]),
    group: fields[9] === "" ? null : textOf(fields[9]),
    groupLimit: integer(fields[10]),
  };
}

export function phaseOf(text: string | undefined): Phase {
  // The word of ours: the text's own would keep the whole text in memory.
  const phase = PHASES.find((one) => one === text);
  if (phase === undefined) throw corrupt(`no phase is called ${JSON.stringify(text)}`);
  return phase;
}

export function fieldsOf(line: string | undefined): string[] {
  if (line === undefined) throw corrupt("a line is missing");
  return line.split("\t");
}

export function textOf(field: string | undefined): string {
  if (field === undefined || field === "") throw corrupt("a field is missing");
  return field;
}

export function integer(field: string | undefined): number {
  const value = field === undefined || field === "" ? Number.NaN : Number(field);
  if (!Number.isSafeInteger(value)) throw corrupt(`${JSON.stringify(field)} is no integer`);
  return value;
}

function corrupt(detail: string): Fault {
  return new Fault("journal_corrupt", detail);
}
