// Units of SKUs that leave memory as text, and come back from it.
//
// A unit is a group with all of its SKUs, or a SKU without a group: a limit is never parted from what
// counts against it (S6). Leaving is the event `archived`; coming back is none, since nothing changes.
//
//   1                                      the format
//   G …                                    as in a snapshot
//   S …
//   O …

import { assert } from "../assert.ts";
import { Fault } from "../errors.ts";
import { FORMAT } from "../formats.ts";
import { hash64 } from "../ids.ts";
import { checkFormat, fieldsOf } from "./codec.ts";
import type { Command } from "./command.ts";
import { decideArchived } from "./decide.ts";
import type { StockEvent } from "./event.ts";
import { decodeLine, encodeGroup, encodeSku } from "./snapshot.ts";
import { type ArchivedSku, groupKeyOf, type SkuState, type StockBook } from "./state.ts";

/** Which text of the archive: the unit's name and the text's digest. */
export type UnitRef = { readonly unit: string; readonly digest: string };

/** The end of a group's unit name; no SKU has a slash in it, so it never is another SKU's. */
const WHOLE_GROUP = "/*";

/** The name of the unit that a SKU belongs to. */
export function unitNameOf(sku: {
  readonly key: string;
  readonly group: SkuState["group"];
}): string {
  return sku.group === null ? sku.key : `${sku.group.key}${WHOLE_GROUP}`;
}

/** All SKUs of its unit, this one among them, in one order whatever the history. */
function unitOf(sku: SkuState): readonly SkuState[] {
  if (sku.group === null) return [sku];
  return [...sku.group.skus].sort((left, right) => (left.key < right.key ? -1 : 1));
}

/** Nothing of the unit is held, so that its state is its SKUs' rules and their orders alone. */
export function isQuiet(sku: SkuState): boolean {
  if (sku.group === null) return sku.held === 0;
  return sku.group.held.size === 0;
}

/** SKUs and orders of the unit: what its text grows with. */
export function lineCountOf(sku: SkuState): number {
  let lines = 0;
  for (const one of sku.group?.skus ?? [sku]) lines += 1 + one.orders.size;
  return lines;
}

/** Cost: O(SKUs and orders of the unit), synchronous. */
export function encodeUnit(sku: SkuState, format = FORMAT): UnitRef & { readonly text: string } {
  assert(isQuiet(sku), "a unit with holds is not archived");
  let text = `${format}`;
  const put = (line: string): void => {
    text += line;
  };
  if (sku.group !== null) put(encodeGroup(sku.group));
  for (const one of unitOf(sku)) encodeSku(one, put);
  return { unit: unitNameOf(sku), digest: digestOf(text), text };
}

/** The archived unit that must be restored before this is done to `key`; null when none must be. */
export function archivedUnit(
  book: StockBook,
  key: string,
  change: Command | StockEvent,
): UnitRef | null {
  if (book.archived.size === 0) return null;
  const sku = book.archived.get(key);
  if (sku !== undefined) return refOf(sku);
  if (change.kind !== "configure" && change.kind !== "configured") return null;
  if (change.group === null) return null;
  // A SKU that joins an archived group is limited by what the group's shoppers have.
  const [first] = book.archivedGroups.get(groupKeyOf(key, change.group)) ?? [];
  return first === undefined ? null : refOf(archivedSku(book, first));
}

/** The same for a command; null also when the unit can answer it as it is. */
export function unitToRestore(
  book: StockBook,
  key: string,
  command: Command,
  nowMs: number,
): UnitRef | null {
  const unit = archivedUnit(book, key, command);
  if (unit === null) return null;
  const sku = book.archived.get(key);
  return sku === undefined || decideArchived(sku, command, nowMs) === null ? unit : null;
}

/** Is this the unit's text in the archive now? */
export function isArchivedAs(book: StockBook, { unit, digest }: UnitRef): boolean {
  const [first] = keysOf(book, unit);
  return first !== undefined && book.archived.get(first)?.digest === digest;
}

/**
 * Brings an archived unit back.
 *
 * Throws  Fault("journal_corrupt") when the text is not the one that was archived: nothing changed.
 */
export function restoreUnit(book: StockBook, { unit, digest }: UnitRef, text: string): void {
  if (digestOf(text) !== digest) {
    throw new Fault("journal_corrupt", `the archive's text of ${unit} is not the one of ${digest}`);
  }
  assert(isArchivedAs(book, { unit, digest }), "a unit is restored from its own text");
  const stubs = keysOf(book, unit).map((key) => archivedSku(book, key));
  for (const { key, group } of stubs) {
    book.archived.delete(key);
    if (group !== null) book.archivedGroups.delete(group);
  }
  const lines = text.split("\n");
  checkFormat(lines[0]);
  let sku: SkuState | null = null;
  for (let index = 1; index < lines.length; index++) {
    sku = decodeLine(book, sku, fieldsOf(lines[index]));
  }
  for (const stub of stubs) {
    const restored = book.skus.get(stub.key);
    assert(restored !== undefined && restored.held === 0, "a unit comes back whole");
    const { version, released } = restored.rules;
    const isTold = version === stub.version && released === stub.released;
    const isAlike = isTold && restored.sold === stub.sold;
    assert(isAlike, "a SKU comes back as it went");
  }
}

export function digestOf(text: string): string {
  return hash64(text).toString(36);
}

function refOf({ key, group, digest }: ArchivedSku): UnitRef {
  return { unit: group === null ? key : `${group}${WHOLE_GROUP}`, digest };
}

function keysOf(book: StockBook, unit: string): readonly string[] {
  if (!unit.endsWith(WHOLE_GROUP)) return [unit];
  return book.archivedGroups.get(unit.slice(0, -WHOLE_GROUP.length)) ?? [];
}

function archivedSku(book: StockBook, key: string): ArchivedSku {
  const sku = book.archived.get(key);
  assert(sku !== undefined, "an archived unit has all of its SKUs");
  return sku;
}
