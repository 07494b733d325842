// What archiving quiet SKUs gives back, and what it costs. Usage: bun run bench/archive.ts [SKUs] [orders]

import { heapStats } from "bun:jsc";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { apply } from "../src/core/stock/apply.ts";
import { encodeUnit, restoreUnit, unitToRestore } from "../src/core/stock/archive.ts";
import { emptyBook, type StockBook } from "../src/core/stock/state.ts";
import { SqliteArchive } from "../src/store/sqlite/archive.ts";
import { migrateSqlite } from "../src/store/sqlite/migrate.ts";
import { SqliteDatabase } from "../src/store/sqlite/open.ts";

const SKUS = Number(process.argv[2] ?? 10_000);
const ORDERS = Number(process.argv[3] ?? 20);
const UNITS_A_PUT = 64;
const RESTORES = 1_000;

function soldOutBook(): StockBook {
  const book = emptyBook();
  for (let sku = 0; sku < SKUS; sku++) {
    const key = `sale/sku-${sku}`;
    apply(book, key, {
      kind: "configured",
      version: 1,
      phase: "ended",
      startsAtMs: 0,
      endsAtMs: 1_000,
      holdMs: 300_000,
      payMs: 600_000,
      limit: 2,
      priceMinor: 19_900,
      released: ORDERS,
      group: null,
      groupLimit: 0,
    });
    for (let order = 0; order < ORDERS; order++) {
      const orderId = `ord_${crypto.randomUUID().replaceAll("-", "")}`;
      const shopper = `acc_${sku}_${order}`;
      apply(book, key, { kind: "confirmed", shopper, orderId, quantity: 1, fromPin: false });
    }
  }
  return book;
}

function heapBytes(): number {
  Bun.gc(true);
  return heapStats().heapSize;
}

async function archiveAll(book: StockBook, archive: SqliteArchive): Promise<number> {
  let bytes = 0;
  let texts: { partition: number; unit: string; digest: string; text: string }[] = [];
  for (const sku of book.skus.values()) {
    const encoded = encodeUnit(sku);
    bytes += encoded.text.length;
    texts.push({ partition: 0, ...encoded });
    apply(book, sku.key, { kind: "archived", digest: encoded.digest });
    if (texts.length < UNITS_A_PUT && book.skus.size > 0) continue;
    await archive.put(texts);
    texts = [];
  }
  return bytes;
}

async function restoreSome(book: StockBook, archive: SqliteArchive): Promise<void> {
  const asked = { kind: "return", shopper: "s", orderId: "o", quantity: 1 } as const;
  for (const key of [...book.archived.keys()].slice(0, RESTORES)) {
    const ref = unitToRestore(book, key, asked, 0)!;
    restoreUnit(book, ref, (await archive.get({ partition: 0, ...ref })) ?? "");
  }
}

const folder = mkdtempSync(join(tmpdir(), "doorbuster-archive-bench-"));
const database = new SqliteDatabase({ path: join(folder, "shop.sqlite") });
migrateSqlite(database);
const archive = new SqliteArchive({ database });
const emptyBytes = heapBytes();
const book = soldOutBook();
const fullBytes = heapBytes() - emptyBytes;
const startedMs = performance.now();
const textBytes = await archiveAll(book, archive);
const archivedMs = performance.now() - startedMs;
const leftBytes = heapBytes() - emptyBytes;
const restoringMs = performance.now();
await restoreSome(book, archive);
const restoredMs = performance.now() - restoringMs;
const mebi = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;
process.stdout.write(
  [
    `${SKUS} SKUs x ${ORDERS} orders in memory  ${mebi(fullBytes)}`,
    `archived, what is left             ${mebi(leftBytes)} (${Math.round(leftBytes / SKUS)} B a SKU)`,
    `text                               ${mebi(textBytes)}, written in ${Math.round(archivedMs)} ms`,
    `restored                           ${((restoredMs * 1_000) / RESTORES).toFixed(0)} µs a SKU`,
    "",
  ].join("\n"),
);
database.close();
rmSync(folder, { recursive: true, force: true });
