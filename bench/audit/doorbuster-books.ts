// Doorbuster's books: every batch of the ledger in SQL, replayed from nothing, beside what the live
// engine reported last. The two must agree before either is compared with the clients.

import { apply } from "../../src/core/stock/apply.ts";
import { decodeBatch } from "../../src/core/stock/codec.ts";
import { emptyBook, type StockBook } from "../../src/core/stock/state.ts";
import type { Books } from "./audit.ts";

/** One row of the ledger. Rows of a partition come in order of `seq`. */
export type StoredBatch = {
  readonly partition: number;
  readonly seq: number;
  readonly bytes: string;
};

export type ReportedSku = {
  readonly skuKey: string;
  readonly released: number;
  readonly available: number;
  readonly held: number;
  readonly sold: number;
};

export function doorbusterBooks(
  batches: Iterable<StoredBatch>,
  reported: readonly ReportedSku[],
  orders: Readonly<Record<string, number>>,
): Books {
  const problems: string[] = [];
  const books = new Map<number, StockBook>();
  const lastSeq = new Map<number, number>();
  for (const { partition, seq, bytes } of batches) {
    const last = lastSeq.get(partition) ?? 0;
    if (seq !== last + 1) problems.push(`partition ${partition}: batch ${seq} follows ${last}`);
    lastSeq.set(partition, seq);
    const book = books.get(partition) ?? emptyBook();
    books.set(partition, book);
    const batch = decodeBatch(bytes);
    for (const { skuIndex, event } of batch.events) {
      // Where a SKU's state is, not what it is: here everything stays in memory.
      if (event.kind === "archived") continue;
      apply(book, batch.skuKeys[skuIndex] as string, event);
    }
  }
  const skus = new Map([...books.values()].flatMap((book) => [...book.skus]));
  const counts = new Map<string, { released: number; available: number }>();
  for (const { skuKey, released, available, held, sold } of reported) {
    const state = skus.get(skuKey);
    counts.set(skuKey, { released, available });
    const told = state?.rules.released;
    const isAlike = told === released && state?.held === held && state.sold === sold;
    if (!isAlike && problems.length < 10) {
      const ledger = `${told}/${state?.held}/${state?.sold}`;
      problems.push(`${skuKey}: state ${released}/${held}/${sold}, ledger ${ledger}`);
    }
  }
  return { rows: rowsOf(books.values()), counts, problems, orders };
}

function* rowsOf(books: Iterable<StockBook>): Iterable<{
  skuKey: string;
  shopper: string;
  quantity: number;
}> {
  for (const book of books) {
    for (const [sku, holds] of book.holds.bySku()) {
      for (const { shopper, quantity } of holds) yield { skuKey: sku.key, shopper, quantity };
    }
    for (const sku of book.skus.values()) {
      for (const [shopper, quantity] of sku.bought) {
        if (book.holds.get(sku, shopper) === null) yield { skuKey: sku.key, shopper, quantity };
      }
    }
  }
}
