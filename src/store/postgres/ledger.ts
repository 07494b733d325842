// The Ledger port over N shards: partition p's rows live on shard p mod N.

import { and, asc, eq, gt, sql } from "drizzle-orm";

import { assert } from "../../core/assert.ts";
import type { Ledger, LedgerRow } from "../../core/ports/ledger.ts";
import { arrayLiteral, textArrayLiteral } from "./array-literal.ts";
import type { PostgresDatabase } from "./connect.ts";
import { ledger } from "./schema/shard.ts";

const COLUMNS = {
  partition: ledger.partition,
  seq: ledger.seq,
  claim: ledger.claim,
  atMs: ledger.at_ms,
  skuKeys: ledger.sku_keys,
  bytes: ledger.bytes,
};

export class PostgresLedger implements Ledger {
  readonly #shards: readonly PostgresDatabase[];

  constructor(options: { readonly shards: readonly PostgresDatabase[] }) {
    assert(options.shards.length > 0, "a ledger has a shard");
    this.#shards = options.shards;
  }

  async append(rows: readonly LedgerRow[]): Promise<void> {
    const byShard = Map.groupBy(rows, (row) => this.#shardOf(row.partition));
    await Promise.all([...byShard].map(([shard, own]) => append(shard, own)));
  }

  async highest(partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const byShard = Map.groupBy(partitions, (partition) => this.#shardOf(partition));
    const found = await Promise.all(
      [...byShard].map(([shard, own]) => highest(shard, [...new Set(own)])),
    );
    return new Map(found.flat());
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
      skuKey === undefined ? undefined : sql`${skuKey} = any (${ledger.sku_keys})`,
    );
    return await this.#shardOf(partition).run("ledger.read", (drizzle) =>
      drizzle.select(COLUMNS).from(ledger).where(where).orderBy(asc(ledger.seq)).limit(limit),
    );
  }

  #shardOf(partition: number): PostgresDatabase {
    const shard = this.#shards[partition % this.#shards.length];
    assert(shard !== undefined, `partition ${partition} has a shard`);
    return shard;
  }
}

/** SKU keys travel as one text a row, since `unnest` would flatten an array of arrays. */
const KEY_SEPARATOR = "\n";

const APPEND = `
  insert into ledger (partition, seq, claim, at_ms, sku_keys, bytes)
  select partition, seq, claim, at_ms, string_to_array(sku_keys, E'\\n'), bytes
  from unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[])
    as i (partition, seq, claim, at_ms, sku_keys, bytes)
  on conflict (partition, seq) do nothing`;

async function append(shard: PostgresDatabase, rows: readonly LedgerRow[]): Promise<void> {
  // Two writers that catch up at once lock rows in the same order.
  const sorted = rows.toSorted((a, b) => a.partition - b.partition || a.seq - b.seq);
  for (const row of sorted) {
    assert(row.seq >= 1, "a partition's journal begins at 1");
    assert(!row.skuKeys.some((key) => key.includes(KEY_SEPARATOR)), "a SKU key is one line");
  }
  const numbers = (valueOf: (row: LedgerRow) => number) => arrayLiteral(sorted.map(valueOf));
  const texts = (valueOf: (row: LedgerRow) => string) => textArrayLiteral(sorted.map(valueOf));
  await shard.execute("ledger.append", {
    text: APPEND,
    values: [
      numbers((row) => row.partition),
      numbers((row) => row.seq),
      numbers((row) => row.claim),
      numbers((row) => row.atMs),
      texts((row) => row.skuKeys.join(KEY_SEPARATOR)),
      texts((row) => row.bytes),
    ],
  });
}

async function highest(
  shard: PostgresDatabase,
  partitions: readonly number[],
): Promise<[number, number][]> {
  // One step down the key for each partition; an aggregate would read every row.
  const rows = await shard.run("ledger.highest", (drizzle) =>
    drizzle.execute<{ partition: number; seq: number }>(sql`
      select p.partition, l.seq
      from unnest(${arrayLiteral(partitions)}::integer[]) as p (partition)
      cross join lateral (
        select seq from ledger where ledger.partition = p.partition order by seq desc limit 1
      ) l`),
  );
  return rows.map((row) => [row.partition, row.seq]);
}
