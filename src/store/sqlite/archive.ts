// The Archive port on SQLite: the embedded twin.

import type { Statement } from "bun:sqlite";

import type { Archive, ArchivedText } from "../../core/ports/archive.ts";
import type { SqliteDatabase } from "./open.ts";

export class SqliteArchive implements Archive {
  readonly #database: SqliteDatabase;
  readonly #insert: Statement<unknown, [number, string, string, string]>;
  readonly #select: Statement<{ text: string }, [number, string, string]>;

  /** The tables are there already. */
  constructor(options: { readonly database: SqliteDatabase }) {
    this.#database = options.database;
    this.#insert = options.database.client.prepare(`
      insert into stock_archive ("partition", unit, digest, text) values (?, ?, ?, ?)
      on conflict ("partition", unit, digest) do nothing`);
    this.#select = options.database.client.prepare(`
      select text from stock_archive where "partition" = ? and unit = ? and digest = ?`);
  }

  async put(texts: readonly ArchivedText[]): Promise<void> {
    if (texts.length === 0) return;
    this.#database.write("archive.put", () => {
      for (const { partition, unit, digest, text } of texts) {
        this.#insert.run(partition, unit, digest, text);
      }
    });
  }

  async get(request: {
    readonly partition: number;
    readonly unit: string;
    readonly digest: string;
  }): Promise<string | null> {
    const { partition, unit, digest } = request;
    return this.#database.run("archive.get", () => {
      return this.#select.get(partition, unit, digest)?.text ?? null;
    });
  }
}
