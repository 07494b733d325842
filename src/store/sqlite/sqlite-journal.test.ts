import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Fault } from "../../core/errors.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { Commit, Term } from "../../core/ports/journal.ts";
import { SqliteJournal } from "./sqlite-journal.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "doorbuster-journal-"));
  path = join(folder, "journal.sqlite");
});
afterEach(() => rmSync(folder, { recursive: true }));

const clock: Clock = { wallMs: () => 1_000_000, monotonicMs: () => 5 };

function faultOfOpen(): Fault {
  let journal: SqliteJournal;
  try {
    journal = new SqliteJournal({ path, clock });
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  void journal.close();
  throw new Error("the file was opened");
}

async function claimed(journal: SqliteJournal, partition: number): Promise<Term> {
  await journal.create(partition, "generation-1");
  const claim = await journal.claim({ partition, view: 1, owner: "node-1" });
  if (claim.kind !== "claimed") throw new Error(claim.kind);
  return { partition, view: 1, owner: "node-1", claim: claim.claim };
}

function batch(term: Term, seq: number): Commit {
  const deltas = [{ skuKey: "s/a", delta: 10 }];
  return { term, seq, batchId: `batch-${seq}`, bytes: `bytes ${seq}`, deltas };
}

/** Transactions in the write-ahead log: frames whose header says that they end one. */
function transactionsInLog(): number {
  const log = readFileSync(`${path}-wal`);
  const HEADER_BYTES = 32;
  const FRAME_HEADER_BYTES = 24;
  const frameBytes = FRAME_HEADER_BYTES + log.readUInt32BE(8);
  let transactions = 0;
  for (let at = HEADER_BYTES; at + frameBytes <= log.length; at += frameBytes) {
    if (log.readUInt32BE(at + 4) !== 0) transactions += 1;
  }
  return transactions;
}

describe("one file, one engine", () => {
  test("a second journal on the file is a second engine, until the first is closed", async () => {
    const first = new SqliteJournal({ path, clock });
    expect(faultOfOpen().code).toBe("second_engine");
    await first.close();
    await new SqliteJournal({ path, clock }).close();
  });

  test("what a killed process committed is there, and its lock is not", async () => {
    const program = `
      import { SqliteJournal } from ${JSON.stringify(join(import.meta.dir, "sqlite-journal.ts"))};
      const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
      const journal = new SqliteJournal({ path: ${JSON.stringify(path)}, clock });
      const term = { partition: 0, view: 1, owner: "node-1", claim: 1 };
      await journal.create(0, "generation-1");
      await journal.claim(term);
      for (let seq = 1; ; seq++) {
        const deltas = [{ skuKey: "s/a", delta: 1 }];
        await journal.commit({ term, seq, batchId: "batch-" + seq, bytes: "x", deltas });
        console.log(seq);
      }`;
    const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" });
    let printed = "";
    let isRefused = false;
    for await (const chunk of child.stdout) {
      printed += new TextDecoder().decode(chunk);
      if (!isRefused && printed.includes("\n")) {
        isRefused = true;
        expect(faultOfOpen().code).toBe("second_engine");
      }
      if (printed.includes("\n50\n")) child.kill("SIGKILL");
    }
    await child.exited;
    const acknowledged = Number(printed.trimEnd().split("\n").at(-1));
    expect(acknowledged).toBeGreaterThanOrEqual(50);

    const journal = new SqliteJournal({ path, clock });
    const entries = await journal.read(0, 1, 1_000_000);
    const seqs = entries.map(({ seq }) => seq);
    expect(seqs.length).toBeGreaterThanOrEqual(acknowledged);
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    expect((await journal.stockOf(0)).get("s/a")).toBe(seqs.length);
    await journal.close();
  });

  test("a file that is something else is refused with its name", () => {
    writeFileSync(path, "this is no database, and long enough to be looked at ".repeat(40));
    const fault = faultOfOpen();
    expect(fault.code).toBe("config_invalid");
    expect(fault.message).toContain(path);
  });

  test("a file of version 1 is taken over, with its snapshot", async () => {
    const journal = new SqliteJournal({ path, clock });
    const term = await claimed(journal, 3);
    await journal.commit(batch(term, 1));
    await journal.writeSnapshot(term, { seq: 1, pieces: ["one", "two"] });
    await journal.close();
    const old = new Database(path);
    old.run(`
      DROP TABLE snapshot_piece;
      CREATE TABLE snapshot_piece (
        partition INTEGER NOT NULL,
        piece INTEGER NOT NULL,
        bytes TEXT NOT NULL,
        PRIMARY KEY (partition, piece)
      ) STRICT;
      INSERT INTO snapshot_piece VALUES (3, 0, 'one'), (3, 1, 'two');
      PRAGMA user_version = 1;`);
    old.close();
    for (let opened = 0; opened < 2; opened++) {
      const again = new SqliteJournal({ path, clock });
      expect(await again.snapshotOf(3)).toEqual({ seq: 1, pieces: ["one", "two"] });
      expect(await again.read(3, 1, 100)).toMatchObject([{ seq: 1, bytes: "bytes 1" }]);
      await again.close();
    }
  });

  test("a folder that is not there is store_unavailable", () => {
    path = join(folder, "missing", "journal.sqlite");
    expect(faultOfOpen().code).toBe("store_unavailable");
  });
});

test("a second snapshot of the same term ends the first, and is whole", async () => {
  const journal = new SqliteJournal({ path, clock });
  const term = await claimed(journal, 0);
  for (const seq of [1, 2]) await journal.commit(batch(term, seq));
  const second = { seq: 1, pieces: ["second"] };
  async function* pieces() {
    yield "a";
    yield "b";
    yield "c";
    expect(await journal.writeSnapshot(term, second)).toEqual({ kind: "done" });
    yield "d";
  }
  const first = journal.writeSnapshot(term, { seq: 2, pieces: pieces() });
  expect(await first.catch(String)).toContain("another snapshot");
  expect(await journal.snapshotOf(0)).toEqual(second);
  await journal.close();
});

describe("commits that come together", () => {
  test("of all partitions go in one transaction, each with its own answer", async () => {
    const journal = new SqliteJournal({ path, clock });
    const terms = [];
    for (let partition = 0; partition < 8; partition++)
      terms.push(await claimed(journal, partition));
    const before = transactionsInLog();
    const results = await Promise.all(
      terms.map((term, index) => journal.commit(batch(term, index === 3 ? 2 : 1))),
    );
    expect(transactionsInLog()).toBe(before + 1);
    expect(results.map(({ kind }) => kind)).toEqual([
      "committed",
      "committed",
      "committed",
      "out_of_sequence",
      "committed",
      "committed",
      "committed",
      "committed",
    ]);
    await journal.close();
  });

  test("are settled by close", async () => {
    const journal = new SqliteJournal({ path, clock });
    const term = await claimed(journal, 0);
    const commit = journal.commit(batch(term, 1));
    await journal.close();
    expect(await commit).toMatchObject({ kind: "committed" });
  });

  test("come before a claim that is made after them", async () => {
    const journal = new SqliteJournal({ path, clock });
    const term = await claimed(journal, 0);
    const commit = journal.commit(batch(term, 1));
    const claim = await journal.claim({ partition: 0, view: 2, owner: "node-2" });
    expect(claim).toMatchObject({ kind: "claimed", seq: 1, batchId: "batch-1" });
    expect(await commit).toMatchObject({ kind: "committed" });
    await journal.close();
  });
});

test("a long backlog is trimmed in several transactions, commits between them, and no further", async () => {
  const journal = new SqliteJournal({ path, clock });
  const term = await claimed(journal, 0);
  for (let seq = 1; seq <= 900; seq++) void journal.commit(batch(term, seq));
  await journal.writeSnapshot(term, { seq: 850, pieces: ["x"] });
  const heard: string[] = [];
  const trimmed = journal.trim(term, 800).then(({ kind }) => heard.push(kind));
  const commit = journal.commit(batch(term, 901)).then(({ kind }) => heard.push(kind));
  await Promise.all([trimmed, commit]);
  expect(heard).toEqual(["committed", "done"]);
  const left = await journal.read(0, 1, 1_000_000);
  expect([left.length, left[0]?.seq, left.at(-1)?.seq]).toEqual([101, 801, 901]);
  await journal.close();
});

test("a wall clock that jumps moves nothing; time goes on with the monotonic clock", async () => {
  const stepped = { wall: 1_000_000, monotonic: 5.5 };
  const journal = new SqliteJournal({
    path,
    clock: { wallMs: () => stepped.wall, monotonicMs: () => stepped.monotonic },
  });
  expect(await journal.timeMs()).toBe(1_000_000);
  stepped.wall += 3_600_000;
  expect(await journal.timeMs()).toBe(1_000_000);
  stepped.wall -= 7_200_000;
  stepped.monotonic += 250.4;
  expect(await journal.timeMs()).toBe(1_000_250);
  await journal.close();
});
