// The Ledger port on SQLite: the embedded twin; SKU keys are a JSON array.

import type { Statement } from "bun:sqlite";

import { and, asc, eq, gt, sql } from "drizzle-orm";

import { assert } from "../../core/assert.ts";
import type { Ledger, LedgerRow } from "../../core/ports/ledger.ts";
import type { SqliteDatabase } from "./open.ts";
import { ledger } from "./schema/shard.ts";

const COLUMNS = {
  partition: ledger.partition,
  seq: ledger.seq,
  claim: ledger.claim,
  atMs: ledger.at_ms,
  skuKeys: ledger.sku_keys,
  bytes: ledger.bytes,
};

export class SqliteLedger implements Ledger {
  readonly #database: SqliteDatabase;
  readonly #insert: Statement<unknown, (string | number)[]>;
  readonly #highest: Statement<{ seq: number | null }, [partition: number]>;

  /** The tables are there already. */
  constructor(options: { readonly database: SqliteDatabase }) {
    this.#database = options.database;
    this.#insert = options.database.client.prepare(`
      insert into ledger ("partition", seq, claim, at_ms, sku_keys, bytes)
      values (?, ?, ?, ?, ?, ?)
      on conflict ("partition", seq) do nothing`);
    this.#highest = options.database.client.prepare(
      'select max(seq) as seq from ledger where "partition" = ?',
    );
  }

  async append(rows: readonly LedgerRow[]): Promise<void> {
    if (rows.length === 0) return;
    for (const row of rows) assert(row.seq >= 1, "a partition's journal begins at 1");
    this.#database.write("ledger.append", () => {
      for (const { partition, seq, claim, atMs, skuKeys, bytes } of rows) {
        this.#insert.run(partition, seq, claim, atMs, JSON.stringify(skuKeys), bytes);
      }
    });
  }

  async highest(partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    // One look into the key for each: together they would be a scan.
    return this.#database.run("ledger.highest", () => {
      const found = new Map<number, number>();
      for (const partition of partitions) {
        const seq = this.#highest.get(partition)?.seq ?? null;
        if (seq !== null) found.set(partition, seq);
      }
      return found;
    });
  }

  async read(request: {
    readonly partition: number;
    readonly afterSeq: number;
    readonly limit: number;
    readonly skuKey?: string;
  }): Promise<readonly LedgerRow[]> {
    const { partition, afterSeq, limit, skuKey } = request;
    const where = and(
      eq(ledger.partition, partition),
      gt(ledger.seq, afterSeq),
      skuKey === undefined
        ? undefined
        : sql`exists (select 1 from json_each(${ledger.sku_keys}) where value = ${skuKey})`,
    );
    const rows = this.#database.run("ledger.read", (db) =>
      db.select(COLUMNS).from(ledger).where(where).orderBy(asc(ledger.seq)).limit(limit).all(),
    );
    return rows.map((row) => ({ ...row, skuKeys: JSON.parse(row.skuKeys) as string[] }));
  }
}
