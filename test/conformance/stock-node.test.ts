// StockNode on the real journals, with the real ledger behind the real projection: 2,000 random asks
// at once, then the four books of the same stock are compared: actor, backup, journal, ledger.

import { afterAll, expect, test } from "bun:test";

import { applyBatch } from "../../src/actors/recovery.ts";
import { StockNode } from "../../src/actors/stock-node.ts";
import { Fault } from "../../src/core/errors.ts";
import type { Runtime } from "../../src/core/ports/runtime.ts";
import type { SkuRef } from "../../src/core/ports/stock.ts";
import type { Command, Outcome } from "../../src/core/stock/command.ts";
import { encodeBook } from "../../src/core/stock/snapshot.ts";
import { availableOf, emptyBook, type StockBook } from "../../src/core/stock/state.ts";
import { LedgerProjection } from "../../src/projections/ledger-projection.ts";
import { SqliteArchive } from "../../src/store/sqlite/archive.ts";
import { SqliteLedger } from "../../src/store/sqlite/ledger.ts";
import { randomFrom } from "../support/buyers.ts";
import { LogLines } from "../support/http-fakes.ts";
import { openSqliteFile } from "../support/order-shards.ts";
import { startRedis } from "../support/servers.ts";
import {
  type JournalHarness,
  redisHarness,
  sqliteHarness,
  systemClock,
} from "./journal.harness.ts";

/** Printed; `SEED=…` runs one again. */
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`stock-node: SEED=${SEED}\n`);

const ASKS = 2_000;
const LIMIT = 3;
const RELEASED = 40;
/** The partitions that the harness knows how to dump, and the highest of them + 1. */
const PARTITIONS = [0, 7];
const PARTITION_COUNT = 8;
const SKUS: readonly SkuRef[] = [
  { key: "sale/a", partition: 0 },
  { key: "sale/b", partition: 0 },
  { key: "sale/y", partition: 7 },
  { key: "sale/z", partition: 7 },
];

const redis = await startRedis();
afterAll(() => redis.stop());

const runtime: Runtime = {
  clock: systemClock,
  soon: (task) => {
    setImmediate(task);
  },
  every: (everyMs, task) => {
    const timer = setInterval(task, everyMs);
    return () => clearInterval(timer);
  },
  pause: (pauseMs) => Bun.sleep(pauseMs),
};

for (const harness of [sqliteHarness, redisHarness(redis.url)]) {
  test(`${harness.name}: ledger = actor = backup = replay after ${ASKS} asks at once`, () =>
    compareAll(harness));
}

async function compareAll(harness: JournalHarness): Promise<void> {
  const open = await harness.open();
  const { database, close } = openSqliteFile();
  const { journal } = open;
  const ledger = new SqliteLedger({ database });
  const log = new LogLines();
  const projection = new LedgerProjection({ ledger, journal, runtime, log });
  const served = Promise.withResolvers<void>();
  let serving = 0;
  const node = new StockNode({
    journal,
    archive: new SqliteArchive({ database }),
    runtime,
    log,
    ledger: projection,
    owner: "node-1/a",
    generation: "g",
    partitionCount: PARTITION_COUNT,
  });
  node.onOwnership(({ kind }) => {
    if (kind === "serving" && ++serving === PARTITIONS.length) served.resolve();
  });
  try {
    for (const partition of PARTITIONS) await journal.create(partition, "g");
    for (const partition of PARTITIONS) node.own(partition, 1);
    await served.promise;
    const outcomes = await askAll(node);
    expect(outcomes.filter(({ error }) => error !== null)).toEqual([]);

    const books = new Map<number, StockBook>();
    for (const partition of PARTITIONS) books.set(partition, await memoryOf(node, partition));
    const counts = await node.counts(SKUS);
    const memory = new Map([...books].map(([partition, book]) => [partition, linesOf(book)]));
    await node.stop();
    await projection.stop(5_000);

    for (const partition of PARTITIONS) {
      const seq = node.partition(partition).seq;
      expect(seq).toBeGreaterThan(1);
      const rows = await ledger.read({ partition, afterSeq: 0, limit: 100_000 });
      expect(rows.map((row) => row.seq)).toEqual(Array.from({ length: seq }, (_, i) => i + 1));
      const replayed = emptyBook();
      for (const row of rows) applyBatch(replayed, row.bytes);
      expect(linesOf(replayed)).toEqual(memory.get(partition)!);
      const dump = (await open.dump())[partition]!;
      expect(dump.seq).toBe(seq);
      for (const sku of replayed.skus.values()) {
        expect({ key: sku.key, available: dump.stock[sku.key] ?? 0 }).toEqual({
          key: sku.key,
          available: availableOf(sku),
        });
        expect(sku.sold + sku.held).toBeLessThanOrEqual(RELEASED);
        expect(counts.find((count) => count?.skuKey === sku.key)).toMatchObject({
          held: sku.held,
          sold: sku.sold,
          available: availableOf(sku),
        });
      }
    }
    expectHeard(outcomes, counts);
  } finally {
    await open.close();
    close();
  }
}

type Heard = {
  readonly ref: SkuRef;
  readonly command: Command;
  readonly outcome: Outcome | null;
  readonly error: Fault | null;
};

/** All at once, in an order that the seed gives; configures first. */
async function askAll(node: StockNode): Promise<Heard[]> {
  const random = randomFrom(SEED);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const asks: [SkuRef, Command][] = SKUS.map((ref) => [ref, rules()]);
  while (asks.length < ASKS) {
    const shopper = `s${Math.floor(random() * 60)}`;
    const orderId = `o-${shopper}-${Math.floor(random() * 3)}`;
    const quantity = 1 + Math.floor(random() * LIMIT);
    const kind = pick(["hold", "hold", "hold", "give_back", "pin", "confirm", "unpin", "return"]);
    const of = { shopper, orderId };
    const commands: Record<string, Command> = {
      hold: { kind: "hold", shopper, quantity },
      give_back: { kind: "give_back", shopper },
      pin: { kind: "pin", ...of, quantity, priceMinor: 100 },
      confirm: { kind: "confirm", ...of, quantity },
      unpin: { kind: "unpin", ...of },
      return: { kind: "return", ...of, quantity },
    };
    asks.push([pick(SKUS), commands[kind]!]);
  }
  const heard: Promise<Heard>[] = [];
  for (const [index, [ref, command]] of asks.entries()) {
    const answer = node.ask(ref, command);
    heard.push(
      answer.then(
        (outcome) => ({ ref, command, outcome, error: null }),
        (error: Fault) => ({ ref, command, outcome: null, error }),
      ),
    );
    // Nobody waits for an answer; but the loop turns now and then, so that there are many batches.
    if (index % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
  }
  return Promise.all(heard);
}

/** What shoppers heard adds up to what the books say. */
function expectHeard(heard: readonly Heard[], counts: readonly (object | null)[]): void {
  for (const [index, ref] of SKUS.entries()) {
    // Orders end as the last thing that was heard of them, in order of decision.
    const orders = new Map<string, number>();
    for (const { ref: asked, command, outcome } of heard) {
      if (asked.key !== ref.key || outcome === null || !("orderId" in command)) continue;
      if (outcome.kind === "sold" && command.kind === "confirm" && !orders.has(command.orderId)) {
        orders.set(command.orderId, command.quantity);
      }
      if (outcome.kind === "returned") orders.set(command.orderId, 0);
    }
    const sold = [...orders.values()].reduce((sum, quantity) => sum + quantity, 0);
    expect(counts[index]).toMatchObject({ sold, released: RELEASED });
  }
  const kinds = new Set(heard.map(({ outcome }) => outcome?.kind));
  for (const kind of [
    "held",
    "sold",
    "returned",
    "pinned",
    "given_back",
    "limit_reached",
  ] as const) {
    expect(kinds).toContain(kind);
  }
}

/** A question behind all others, so that nothing is in flight; then the book itself. */
async function memoryOf(node: StockNode, partition: number): Promise<StockBook> {
  await node.cartOf(partition, "nobody", 3_000);
  const book = node.partitions[partition]!.freshBook();
  if (book === null) throw new Error(`partition ${partition} is not quiet`);
  return book;
}

function linesOf(book: StockBook): string[] {
  return encodeBook(book, 0).join("\n").split("\n").sort();
}

function rules(): Command {
  const nowMs = Date.now();
  return {
    kind: "configure",
    version: 1,
    phase: "live",
    startsAtMs: nowMs - 60_000,
    endsAtMs: nowMs + 600_000,
    holdMs: 300_000,
    payMs: 600_000,
    limit: LIMIT,
    priceMinor: 100,
    released: RELEASED,
    group: null,
    groupLimit: 0,
  };
}
