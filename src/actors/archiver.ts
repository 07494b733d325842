// Which SKUs leave memory, and how.
//
// A slow walk over the book looks for units whose sale has been over for `archiveAfterMs` and that
// hold nothing. Their text is put into the archive first; only when it is durable there, and in a turn
// that finds the unit unchanged, is `archived` journaled. A crash between the two leaves a text that
// nobody names.
//
//   A1  what the journal calls archived is in the archive
//   A2  a unit that was just restored stays for as long as one whose sale has just ended
//   A3  an archive that is away keeps SKUs in memory, and harms nobody

import { assert } from "../core/assert.ts";
import {
  ARCHIVE_AGAIN_MS,
  ARCHIVE_LINES_MAX,
  ARCHIVE_SCAN_SKUS,
  ARCHIVE_TEXT_BYTES_MAX,
  BATCH_BYTES_MAX,
  BATCH_EVENTS_MAX,
} from "../core/limits.ts";
import type { ArchivedText } from "../core/ports/archive.ts";
import { apply } from "../core/stock/apply.ts";
import { encodeUnit, isQuiet, lineCountOf, unitNameOf } from "../core/stock/archive.ts";
import type { BatchBuilder } from "../core/stock/codec.ts";
import type { Archived } from "../core/stock/event.ts";
import type { SkuState, StockBook } from "../core/stock/state.ts";
import type { PartitionHost } from "./partition-host.ts";
import type { Restores } from "./restores.ts";

/** An event of it is at most about this long. */
const EVENT_BYTES_MAX = 256;

/** In the archive; `key` is a SKU of the unit. */
type Stored = { readonly key: string; readonly digest: string };

export class Archiver {
  readonly #partition: number;
  readonly #host: PartitionHost;
  readonly #wake: () => void;
  #book: StockBook | null = null;
  #walk: Iterator<SkuState> = [].values();
  #isPutting = false;
  #stored: readonly Stored[] = [];
  #againAtMs = Number.NEGATIVE_INFINITY;
  /** When a sale was first seen ended or cancelled ahead of its time: the event carries no time. */
  readonly #closedAtMs = new Map<string, number>();
  readonly #restores: Restores;

  /** `wake` asks for a turn. */
  constructor(
    partition: number,
    host: PartitionHost,
    { restores, wake }: { readonly restores: Restores; readonly wake: () => void },
  ) {
    this.#partition = partition;
    this.#host = host;
    this.#restores = restores;
    this.#wake = wake;
  }

  /** Looks at ARCHIVE_SCAN_SKUS of the book at most, and at none while the partition is busy. */
  tick(book: StockBook, isBusy: boolean, nowMs: number): void {
    if (this.#book !== book) {
      this.#book = book;
      this.#walk = book.skus.values();
    }
    const monotonicMs = this.#host.runtime.clock.monotonicMs();
    if (isBusy || this.#isPutting || this.#stored.length > 0 || monotonicMs < this.#againAtMs)
      return;
    const found = this.#find(book, nowMs);
    if (found.length > 0) void this.#put(found, monotonicMs);
  }

  /** In a turn, behind its decisions: A1. What does not fit the batch is found again. */
  journal(book: StockBook, batch: BatchBuilder, nowMs: number): void {
    const stored = this.#stored;
    if (stored.length === 0) return;
    this.#stored = [];
    let unitCount = 0;
    for (const { key, digest } of stored) {
      if (batch.eventCount >= BATCH_EVENTS_MAX) break;
      if (batch.byteCount > BATCH_BYTES_MAX - EVENT_BYTES_MAX) break;
      const sku = book.skus.get(key);
      if (sku === undefined || !this.#isDue(sku, nowMs)) continue;
      if (encodeUnit(sku, this.#host.writtenFormat()).digest !== digest) continue;
      this.#restores.forget(unitNameOf(sku));
      const event: Archived = { kind: "archived", digest };
      const delta = apply(book, key, event);
      assert(delta === 0, "the stock backup does not move");
      batch.add(key, event, delta);
      unitCount++;
    }
    if (unitCount > 0) this.#host.onArchived(unitCount);
  }

  #find(book: StockBook, nowMs: number): (Stored & ArchivedText)[] {
    const found: (Stored & ArchivedText)[] = [];
    let bytes = 0;
    for (let looked = 0; looked < ARCHIVE_SCAN_SKUS; looked++) {
      const next = this.#walk.next();
      if (next.done === true) {
        this.#walk = book.skus.values();
        break;
      }
      const sku = next.value;
      if (!isFirstOfUnit(sku) || !this.#isDue(sku, nowMs)) continue;
      const encoded = encodeUnit(sku, this.#host.writtenFormat());
      found.push({ key: sku.key, partition: this.#partition, ...encoded });
      bytes += encoded.text.length;
      if (bytes >= ARCHIVE_TEXT_BYTES_MAX) break;
    }
    return found;
  }

  async #put(found: readonly (Stored & ArchivedText)[], monotonicMs: number): Promise<void> {
    this.#isPutting = true;
    try {
      await this.#host.archive.put(
        found.map(({ partition, unit, digest, text }) => ({ partition, unit, digest, text })),
      );
      this.#stored = found.map(({ key, digest }) => ({ key, digest }));
      this.#wake();
    } catch (cause) {
      // A3.
      this.#againAtMs = monotonicMs + ARCHIVE_AGAIN_MS;
      const fields = { partition: this.#partition, units: found.length, err: String(cause) };
      this.#host.log.warn(fields, "not archived");
    } finally {
      this.#isPutting = false;
    }
  }

  #isDue(sku: SkuState, nowMs: number): boolean {
    const { archiveAfterMs } = this.#host;
    // Nearly all fail here.
    if (nowMs < this.#overAtMs(sku, nowMs) + archiveAfterMs || !isQuiet(sku)) return false;
    // A2.
    if (nowMs < this.#restores.restoredAtMs(unitNameOf(sku)) + archiveAfterMs) return false;
    for (const one of sku.group?.skus ?? []) {
      if (nowMs < this.#overAtMs(one, nowMs) + archiveAfterMs) return false;
    }
    return lineCountOf(sku) <= ARCHIVE_LINES_MAX;
  }

  /** Since when its sale is over; Infinity while it is not. */
  #overAtMs(sku: SkuState, nowMs: number): number {
    const { phase, endsAtMs } = sku.rules;
    if (nowMs >= endsAtMs) return endsAtMs;
    const isClosed = phase === "ended" || phase === "cancelled";
    if (!isClosed && this.#closedAtMs.size === 0) return Number.POSITIVE_INFINITY;
    const saleId = sku.key.slice(0, sku.key.indexOf("/"));
    if (!isClosed) {
      this.#closedAtMs.delete(saleId);
      return Number.POSITIVE_INFINITY;
    }
    const knownMs = this.#closedAtMs.get(saleId);
    if (knownMs === undefined) this.#closedAtMs.set(saleId, nowMs);
    return knownMs ?? nowMs;
  }
}

/** A unit is looked at once a walk, however many SKUs it has. */
function isFirstOfUnit(sku: SkuState): boolean {
  return sku.group === null || sku.group.skus.values().next().value === sku;
}
