// The Archive port over N shards: partition p's texts live where its ledger does, on shard p mod N.

import { and, eq, sql } from "drizzle-orm";

import { assert } from "../../core/assert.ts";
import type { Archive, ArchivedText } from "../../core/ports/archive.ts";
import { arrayLiteral, textArrayLiteral } from "./array-literal.ts";
import type { PostgresDatabase } from "./connect.ts";
import { stockArchive } from "./schema/shard.ts";

export class PostgresArchive implements Archive {
  readonly #shards: readonly PostgresDatabase[];

  constructor(options: { readonly shards: readonly PostgresDatabase[] }) {
    assert(options.shards.length > 0, "an archive has a shard");
    this.#shards = options.shards;
  }

  async put(texts: readonly ArchivedText[]): Promise<void> {
    const byShard = Map.groupBy(texts, ({ partition }) => this.#shardOf(partition));
    await Promise.all([...byShard].map(([shard, own]) => put(shard, own)));
  }

  async get(request: {
    readonly partition: number;
    readonly unit: string;
    readonly digest: string;
  }): Promise<string | null> {
    const { partition, unit, digest } = request;
    const where = and(
      eq(stockArchive.partition, partition),
      eq(stockArchive.unit, unit),
      eq(stockArchive.digest, digest),
    );
    const [row] = await this.#shardOf(partition).run("archive.get", (drizzle) =>
      drizzle.select({ text: stockArchive.text }).from(stockArchive).where(where),
    );
    return row?.text ?? null;
  }

  #shardOf(partition: number): PostgresDatabase {
    const shard = this.#shards[partition % this.#shards.length];
    assert(shard !== undefined, `partition ${partition} has a shard`);
    return shard;
  }
}

async function put(shard: PostgresDatabase, texts: readonly ArchivedText[]): Promise<void> {
  const columnOf = (valueOf: (text: ArchivedText) => string) =>
    textArrayLiteral(texts.map(valueOf));
  await shard.run("archive.put", (drizzle) =>
    drizzle.execute(sql`
      insert into stock_archive (partition, unit, digest, text)
      select partition, unit, digest, text
      from unnest(
        ${arrayLiteral(texts.map(({ partition }) => partition))}::integer[],
        ${columnOf(({ unit }) => unit)}::text[],
        ${columnOf(({ digest }) => digest)}::text[],
        ${columnOf(({ text }) => text)}::text[]
      ) as i (partition, unit, digest, text)
      order by partition, unit, digest
      on conflict (partition, unit, digest) do nothing`),
  );
}
