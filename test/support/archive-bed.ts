// A node whose sale is over, for tests of the archive.

import { expect } from "bun:test";

import { ARCHIVE_AFTER_MS } from "../../src/core/limits.ts";
import type { SkuRef } from "../../src/core/ports/stock.ts";
import type { Command } from "../../src/core/stock/command.ts";
import { A, hear, holdOf, type NodeBed, nodeBed, START_MS } from "./actors.ts";

export const ENDS_MS = 60_000;
export const OVER = { endsAtMs: START_MS + ENDS_MS, holdMs: 30_000 } as const;

export const C: SkuRef = { key: "sale/c", partition: 0 };
export const LIVE: SkuRef = { key: "next/a", partition: 0 };

export function confirmOf(orderId: string, shopper = "s1"): Extract<Command, { kind: "confirm" }> {
  return { kind: "confirm", shopper, orderId, quantity: 1 };
}

export function returnOf(orderId: string, shopper = "s1"): Extract<Command, { kind: "return" }> {
  return { kind: "return", shopper, orderId, quantity: 1 };
}

/** `sale/a` sold one unit to o1 and is over; `next/a` goes on. */
export async function bedWithSale(): Promise<NodeBed> {
  const bed = await nodeBed();
  await bed.open(OVER);
  await bed.open({}, LIVE);
  await bed.told(confirmOf("o1"));
  return bed;
}

export async function bedWithArchived(): Promise<NodeBed> {
  const bed = await bedWithSale();
  await bed.runtime.advance(ENDS_MS + ARCHIVE_AFTER_MS + 200);
  expect(isArchived(bed)).toBe(true);
  return bed;
}

export function isArchived(bed: NodeBed, ref = A): boolean {
  // The book, under a confirmation that is fresh.
  const book = bed.node.partitions[ref.partition]!.freshBook();
  if (book === null) throw new Error("the partition does not serve");
  return book.archived.has(ref.key);
}

export async function confirmClaim(bed: NodeBed): Promise<void> {
  await bed.told(holdOf("someone", 1), LIVE);
}

/** A crash: nothing is said to anybody any more. */
export async function crashed(bed: NodeBed): Promise<void> {
  bed.node = bed.newNode("node-1/b");
  bed.node.own(0, 2);
  await bed.runtime.settle();
}

export async function countsOf(bed: NodeBed, ref = A) {
  const heard = hear(bed.node.counts([ref]));
  await bed.runtime.settle();
  return heard.value?.[0];
}
