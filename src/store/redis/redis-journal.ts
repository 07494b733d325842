// The journal on Redis: each call is one script on the partition's own keys, fenced inside Redis; the
// commits of one turn share theirs.
//
// Two connections of one kind: `commits` carries what answers wait for, `bulk` carries what is large
// or can wait, so that a big reply never sits before a commit. Both are checked and fenced alike.

import { Fault } from "../../core/errors.ts";
import { COMMIT_DEADLINE_MS } from "../../core/limits.ts";
import type {
  CheckResult,
  ClaimResult,
  Commit,
  CommitResult,
  FencedWrite,
  Journal,
  JournalEntry,
  NewSnapshot,
  Snapshot,
  Term,
} from "../../core/ports/journal.ts";
import {
  assertClaimRequest,
  assertCommit,
  assertLedgerSeq,
  assertTerm,
} from "../journal-request.ts";
import { piecesOf } from "../snapshot-pieces.ts";
import { ConnectionKeeper, type Log } from "./connection-keeper.ts";
import { GatheredCommits } from "./gathered-commits.ts";
import { keysOf } from "./keys.ts";
import type { Durability } from "./redis-durability.ts";
import { readEntries, readSnapshot, readStock, readTimeMs, readViews } from "./redis-reads.ts";
import { countOf, fencedOf, termArgv, unexpected } from "./replies.ts";

export type RedisJournalOptions = {
  readonly url: string;
  readonly durability: Durability;
  readonly log?: Log;
  /** A commit that has not answered by then is unknown; bulk calls get twice that. */
  readonly deadlineMs?: number;
};

/** Entries that one trim script drops: about a millisecond of Redis. */
const TRIM_ENTRIES_MAX = 1_000;

export class RedisJournal implements Journal {
  readonly #commits: ConnectionKeeper;
  readonly #bulk: ConnectionKeeper;
  readonly #gathered: GatheredCommits;
  readonly #durability: Durability;
  #warnings: readonly string[] = [];
  #wrongSettings: readonly string[] = [];

  /** Connects in the background; calls made until the first attempt is over wait for it. */
  constructor(options: RedisJournalOptions) {
    this.#durability = options.durability;
    const { url, log = () => {}, deadlineMs = COMMIT_DEADLINE_MS } = options;
    const judge = (problems: readonly string[]): void => this.#judge(problems, log);
    const shared = { url, log, judge };
    this.#commits = new ConnectionKeeper({ ...shared, purpose: "commits", deadlineMs });
    this.#gathered = new GatheredCommits(this.#commits);
    this.#bulk = new ConnectionKeeper({ ...shared, purpose: "bulk", deadlineMs: 2 * deadlineMs });
  }

  /** With relaxed durability: what an acknowledged answer may not survive. */
  warnings(): readonly string[] {
    return this.#warnings;
  }

  /** With strict durability: the settings for which Redis was refused when it was last asked. */
  wrongSettings(): readonly string[] {
    return this.#wrongSettings;
  }

  async create(partition: number, generation: string): Promise<boolean> {
    const { fence, stock, journal, snapshot } = keysOf(partition);
    const keys = [fence, stock, journal, snapshot];
    const [kind] = await (await this.#bulk.get()).run("create", keys, [generation]);
    if (kind === "OK") return true;
    if (kind === "EXISTS") return false;
    if (kind !== "LEFTOVER") throw unexpected("create", kind);
    throw new Fault("journal_corrupt", `partition ${partition} has no fence but other keys`);
  }

  async claim(request: {
    readonly partition: number;
    readonly view: number;
    readonly owner: string;
  }): Promise<ClaimResult> {
    assertClaimRequest(request);
    const connection = await this.#commits.get();
    const { fence } = keysOf(request.partition);
    const argv = [String(request.view), request.owner];
    const [kind, ...fields] = await connection.run("claim", [fence], argv);
    if (kind === "NOSTATE") return { kind: "no_state" };
    if (kind === "FENCED") return fencedOf(fields);
    if (kind !== "OK") throw unexpected("claim", kind);
    const [view, owner, claim, seq, batchId, generation, nowMs] = fields;
    if (!(view === argv[0] && owner === argv[1])) throw connection.mismatch("claim");
    return {
      kind: "claimed",
      claim: countOf(claim),
      seq: countOf(seq),
      batchId: batchId ?? "",
      generation: generation ?? "",
      nowMs: countOf(nowMs),
    };
  }

  async commit(request: Commit): Promise<CommitResult> {
    assertCommit(request);
    return this.#gathered.add(request);
  }

  async check(term: Term): Promise<CheckResult> {
    assertTerm(term);
    const connection = await this.#commits.get();
    const { fence } = keysOf(term.partition);
    const [kind, ...fields] = await connection.run("check", [fence], termArgv(term));
    if (kind === "NOSTATE") return { kind: "no_state" };
    if (kind === "FENCED") return fencedOf(fields);
    if (kind !== "OK") throw unexpected("check", kind);
    if (!(fields[0] === String(term.claim))) throw connection.mismatch("check");
    return { kind: "confirmed", seq: countOf(fields[1]), nowMs: countOf(fields[2]) };
  }

  async timeMs(): Promise<number> {
    return readTimeMs(await this.#commits.get());
  }

  async highestView(partitions: number): Promise<number> {
    return readViews(await this.#bulk.get(), partitions);
  }

  async read(
    partition: number,
    fromSeq: number,
    bytesMax: number,
  ): Promise<readonly JournalEntry[]> {
    return readEntries(await this.#bulk.get(), { partition, fromSeq, bytesMax });
  }

  async snapshotOf(partition: number): Promise<Snapshot | null> {
    return readSnapshot(await this.#bulk.get(), partition);
  }

  async stockOf(partition: number): Promise<ReadonlyMap<string, number>> {
    return readStock(await this.#bulk.get(), partition);
  }

  /** Each piece is a call of its own; the last one switches. */
  async writeSnapshot(term: Term, snapshot: NewSnapshot): Promise<FencedWrite> {
    const { fence, snapshot: stored, staging } = keysOf(term.partition);
    const keys = [fence, stored, staging];
    const seq = String(snapshot.seq);
    const attempt = crypto.randomUUID();
    const about = [...termArgv(term), seq, attempt];
    for await (const { index, bytes, isLast } of piecesOf(term, snapshot)) {
      const connection = await this.#bulk.get();
      const argv = [...about, String(index), bytes, isLast ? "1" : "0"];
      const [kind, ...fields] = await connection.run("snapshot", keys, argv);
      if (kind === "ATTEMPT") {
        // A second writer of the same term, or Redis came back without the pieces: the stored
        // snapshot is untouched.
        throw new Fault("store_unavailable", `partition ${term.partition}: another snapshot`);
      }
      const refusal = refusalOf("snapshot", kind, fields);
      if (refusal !== null) return refusal;
      if (!(fields[0] === seq && fields[1] === attempt)) throw connection.mismatch("snapshot");
    }
    return { kind: "done" };
  }

  async trim(term: Term, ledgerSeq: number): Promise<FencedWrite> {
    assertTerm(term);
    assertLedgerSeq(ledgerSeq);
    const { fence, snapshot, journal } = keysOf(term.partition);
    const argv = [...termArgv(term), String(ledgerSeq), String(TRIM_ENTRIES_MAX)];
    const connection = await this.#bulk.get();
    for (;;) {
      const [kind, ...fields] = await connection.run("trim", [fence, snapshot, journal], argv);
      const refusal = refusalOf("trim", kind, fields);
      if (refusal !== null) return refusal;
      if (countOf(fields[0]) >= countOf(fields[1])) return { kind: "done" };
    }
  }

  async release(term: Term): Promise<FencedWrite> {
    assertTerm(term);
    const connection = await this.#commits.get();
    const { fence } = keysOf(term.partition);
    const [kind, ...fields] = await connection.run("release", [fence], termArgv(term));
    return refusalOf("release", kind, fields) ?? { kind: "done" };
  }

  async close(): Promise<void> {
    await Promise.all([this.#commits.close(), this.#bulk.close()]);
  }

  #judge(problems: readonly string[], log: Log): void {
    this.#wrongSettings = this.#durability === "strict" ? problems : [];
    if (this.#wrongSettings.length > 0) {
      throw new Fault("store_unavailable", problems.join("; "));
    }
    const isNews = problems.join() !== this.#warnings.join();
    this.#warnings = problems;
    if (isNews && problems.length > 0) log("warn", { problems }, "durability is relaxed");
  }
}

/** The refusals that all fenced writes share; null when it was done. */
function refusalOf(script: string, kind: string, fields: readonly string[]): FencedWrite | null {
  switch (kind) {
    case "OK":
      return null;
    case "FENCED":
      return fencedOf(fields);
    case "STALE":
      return { kind: "stale", seq: countOf(fields[0]) };
    case "NOSTATE":
      return { kind: "no_state" };
    default:
      throw unexpected(script, kind);
  }
}
