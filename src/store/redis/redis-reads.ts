// What is read outside the scripts. Replies stay small: each holds Redis for a moment only.

import { Fault } from "../../core/errors.ts";
import type { JournalEntry, Snapshot } from "../../core/ports/journal.ts";
import { keysOf } from "./keys.ts";
import type { RedisConnection } from "./redis-connection.ts";
import { countOf } from "./replies.ts";

/** The first look at a journal: at most 8 × 512 KB. Later ones know how large entries are. */
const FIRST_LOOK_ENTRIES = 8;
const LOOK_ENTRIES_MAX = 1_000;

/** A snapshot is replaced every few seconds at most; reading one takes milliseconds. */
const SNAPSHOT_READS_MAX = 8;

export async function readTimeMs(connection: RedisConnection): Promise<number> {
  const reply = await connection.command("TIME");
  const [seconds, microseconds] = Array.isArray(reply) ? (reply as readonly string[]) : [];
  return countOf(seconds) * 1_000 + Math.floor(countOf(microseconds) / 1_000);
}

export async function readViews(connection: RedisConnection, partitions: number): Promise<number> {
  const views: Promise<unknown>[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    views.push(connection.command("HGET", keysOf(partition).fence, "view"));
  }
  let highest = 0;
  for (const view of await Promise.all(views)) {
    if (typeof view === "string") highest = Math.max(highest, countOf(view));
  }
  return highest;
}

/** Stops at a gap that a trim made between two looks: the next read begins there and shows it. */
export async function readEntries(
  connection: RedisConnection,
  request: { readonly partition: number; readonly fromSeq: number; readonly bytesMax: number },
): Promise<readonly JournalEntry[]> {
  const { journal } = keysOf(request.partition);
  const entries: JournalEntry[] = [];
  let bytes = 0;
  let count = FIRST_LOOK_ENTRIES;
  let nextSeq = request.fromSeq;
  for (;;) {
    const reply = await connection.command(
      "XRANGE",
      journal,
      `${nextSeq}-0`,
      "+",
      "COUNT",
      String(count),
    );
    if (!Array.isArray(reply)) throw corrupt(request.partition, "no stream");
    for (const item of reply as readonly unknown[]) {
      const entry = entryOf(request.partition, item);
      if (entries.length > 0 && entry.seq !== nextSeq) return entries;
      if (entries.length > 0 && bytes + entry.bytes.length > request.bytesMax) return entries;
      entries.push(entry);
      bytes += entry.bytes.length;
      nextSeq = entry.seq + 1;
    }
    if (reply.length < count || bytes >= request.bytesMax) return entries;
    const fitting = Math.ceil(((request.bytesMax - bytes) * entries.length) / Math.max(1, bytes));
    count = Math.min(LOOK_ENTRIES_MAX, Math.max(1, fitting));
  }
}

/** Piece by piece; begins again when another snapshot takes its place meanwhile. */
export async function readSnapshot(
  connection: RedisConnection,
  partition: number,
): Promise<Snapshot | null> {
  const { snapshot: key } = keysOf(partition);
  for (let reads = 0; reads < SNAPSHOT_READS_MAX; reads++) {
    const [seq, pieceCount, attempt] = await fieldsOf(connection, key, [
      "seq",
      "pieces",
      "attempt",
    ]);
    if (attempt === null || attempt === undefined) return null;
    const pieces = await readPieces(connection, { key, attempt, count: countOf(pieceCount ?? "") });
    if (pieces !== null) return { seq: countOf(seq ?? ""), pieces };
  }
  throw new Fault("store_unavailable", `the snapshot of partition ${partition} keeps changing`);
}

/** null: the snapshot is not that attempt's any more. */
async function readPieces(
  connection: RedisConnection,
  wanted: { readonly key: string; readonly attempt: string; readonly count: number },
): Promise<readonly string[] | null> {
  const pieces: string[] = [];
  for (let index = 0; index < wanted.count; index++) {
    const fields = ["attempt", String(index)];
    const [attempt, piece] = await fieldsOf(connection, wanted.key, fields);
    if (attempt !== wanted.attempt) return null;
    if (piece === null || piece === undefined) {
      throw new Fault("journal_corrupt", `${wanted.key} has no piece ${index}`);
    }
    pieces.push(piece);
  }
  return pieces;
}

/** One reply for all SKUs, so that the counts are of one moment. About 0.3 µs of Redis a SKU. */
export async function readStock(
  connection: RedisConnection,
  partition: number,
): Promise<ReadonlyMap<string, number>> {
  const reply = await connection.command("HGETALL", keysOf(partition).stock);
  if (!Array.isArray(reply)) throw corrupt(partition, "no stock hash");
  const fields = reply as readonly string[];
  const stock = new Map<string, number>();
  for (let at = 0; at + 1 < fields.length; at += 2) {
    stock.set(fields[at] as string, countOf(fields[at + 1]));
  }
  return stock;
}

async function fieldsOf(
  connection: RedisConnection,
  key: string,
  fields: readonly string[],
): Promise<readonly (string | null)[]> {
  const reply = await connection.command("HMGET", key, ...fields);
  if (!Array.isArray(reply)) throw new Fault("journal_corrupt", `${key} is no hash`);
  return reply as readonly (string | null)[];
}

function entryOf(partition: number, item: unknown): JournalEntry {
  const [id, fields] = Array.isArray(item) ? (item as readonly unknown[]) : [];
  if (typeof id !== "string" || !id.endsWith("-0")) throw corrupt(partition, `entry ${String(id)}`);
  const [claimName, claim, bytesName, bytes] = Array.isArray(fields) ? (fields as string[]) : [];
  if (claimName !== "claim" || bytesName !== "bytes" || bytes === undefined) {
    throw corrupt(partition, `fields of entry ${id}`);
  }
  return { seq: countOf(id.slice(0, -2)), claim: countOf(claim), bytes };
}

function corrupt(partition: number, what: string): Fault {
  return new Fault("journal_corrupt", `partition ${partition}: ${what}`);
}
