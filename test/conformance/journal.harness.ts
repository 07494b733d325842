// Each journal with a way to see all that it holds, in the model's words.

import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Redis } from "ioredis";

import type { Clock } from "../../src/core/ports/clock.ts";
import type { Journal, JournalEntry } from "../../src/core/ports/journal.ts";
import { keysOf } from "../../src/store/redis/keys.ts";
import { RedisJournal } from "../../src/store/redis/redis-journal.ts";
import { openJournalFile } from "../../src/store/sqlite/journal-schema.ts";
import { SqliteJournal } from "../../src/store/sqlite/sqlite-journal.ts";
import { type JournalDump, ModelJournal } from "../support/model-journal.ts";

/** Tests use these partitions, one of them with four digits. */
export const PARTITIONS = [0, 7, 1_023] as const;

export type OpenJournal = {
  readonly journal: Journal;
  dump(): Promise<JournalDump>;
  close(): Promise<void>;
};

export type JournalHarness = {
  readonly name: string;
  /** An empty journal. */
  open(): Promise<OpenJournal>;
};

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

export const modelHarness: JournalHarness = {
  name: "model",
  open: async () => {
    const journal = new ModelJournal({ clock: systemClock });
    return { journal, dump: async () => journal.dump(), close: () => journal.close() };
  },
};

/** Seen through the file itself, which needs the journal closed: it keeps the file to itself. */
export const sqliteHarness: JournalHarness = {
  name: "SQLite",
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), "doorbuster-journal-"));
    const path = join(folder, "journal.sqlite");
    let inner = new SqliteJournal({ path, clock: systemClock });
    const journal = forwardTo(() => inner);
    return {
      journal,
      dump: async () => {
        await inner.close();
        const dump = dumpFile(path);
        inner = new SqliteJournal({ path, clock: systemClock });
        return dump;
      },
      close: async () => {
        await inner.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
};

export function redisHarness(url: string): JournalHarness {
  return {
    name: "Redis",
    open: async () => {
      const client = new Redis(url);
      await client.flushdb();
      const journal = new RedisJournal({ url, durability: "relaxed" });
      return {
        journal,
        dump: () => dumpRedis(client),
        close: async () => {
          await journal.close();
          await client.quit();
        },
      };
    },
  };
}

/** A journal whose target may be exchanged between two calls. */
function forwardTo(target: () => Journal): Journal {
  return new Proxy({} as Journal, {
    get: (_, name) => {
      const journal = target();
      const method: unknown = Reflect.get(journal, name);
      return typeof method === "function" ? method.bind(journal) : method;
    },
  });
}

function dumpFile(path: string): JournalDump {
  const database = openJournalFile(path);
  try {
    return dumpTables(database);
  } finally {
    database.close();
  }
}

type FenceRow = {
  partition: number;
  view: number;
  claim: number;
  owner: string;
  seq: number;
  batchId: string;
  generation: string;
  released: number | null;
};

function dumpTables(database: Database): JournalDump {
  const dump: JournalDump = {};
  const fences = database.query<FenceRow, []>(
    `SELECT partition, view, claim, owner, seq, batch_id AS batchId, generation, released
       FROM fence`,
  );
  const stock = database.query<{ sku: string; available: number }, [number]>(
    "SELECT sku_key AS sku, available FROM stock WHERE partition = ?",
  );
  const entries = database.query<JournalEntry, [number]>(
    "SELECT seq, claim, bytes FROM journal WHERE partition = ? ORDER BY seq",
  );
  const snapshot = database.query<{ seq: number }, [number]>(
    "SELECT seq FROM snapshot WHERE partition = ?",
  );
  const pieces = database.query<{ bytes: string }, [number]>(
    "SELECT bytes FROM snapshot_piece WHERE partition = ? ORDER BY seq, piece",
  );
  for (const { partition, ...fence } of fences.all()) {
    const seq = snapshot.get(partition)?.seq;
    dump[partition] = {
      ...fence,
      stock: Object.fromEntries(stock.all(partition).map((row) => [row.sku, row.available])),
      entries: entries.all(partition),
      snapshot:
        seq === undefined ? null : { seq, pieces: pieces.all(partition).map((row) => row.bytes) },
    };
  }
  return dump;
}

/** Reads the keys themselves; a key or field that should not be there fails the dump. */
async function dumpRedis(client: Redis): Promise<JournalDump> {
  const dump: JournalDump = {};
  const known = new Set<string>();
  for (const partition of PARTITIONS) {
    const keys = keysOf(partition);
    const { view, claim, owner, seq, batch, generation, released, ...rest } = await client.hgetall(
      keys.fence,
    );
    for (const key of [keys.fence, keys.stock, keys.journal, keys.snapshot]) known.add(key);
    if (view === undefined) continue;
    if (Object.keys(rest).length > 0) throw new Error(`unknown fields ${Object.keys(rest).join()}`);
    const stock = Object.entries(await client.hgetall(keys.stock));
    const entries = await client.xrange(keys.journal, "-", "+");
    const snapshot = await client.hgetall(keys.snapshot);
    dump[partition] = {
      view: Number(view),
      claim: Number(claim),
      owner: owner ?? "missing",
      seq: Number(seq),
      batchId: batch ?? "missing",
      generation: generation ?? "missing",
      released: released === undefined ? null : Number(released),
      stock: Object.fromEntries(stock.map(([sku, available]) => [sku, Number(available)])),
      entries: entries.map(([id, fields]) => ({
        seq: Number(id.replace(/-0$/, "")),
        claim: Number(fields[1]),
        bytes: fields[3] ?? "missing",
      })),
      snapshot:
        snapshot["seq"] === undefined
          ? null
          : {
              seq: Number(snapshot["seq"]),
              pieces: Array.from(
                { length: Number(snapshot["pieces"]) },
                (_, index) => snapshot[String(index)] ?? "missing",
              ),
            },
    };
  }
  const unknown = (await client.keys("*")).filter((key) => !known.has(key));
  if (unknown.length > 0) throw new Error(`unknown keys ${unknown.join(", ")}`);
  return dump;
}
