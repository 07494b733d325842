// Deliberate breakages of partitions and of the ledger's projection. Each must make the unit tests
// of its folder fail; `bun run scripts/mutants.ts` runs them all.

import { ARCHIVE_MUTANTS } from "./archive.ts";
import type { Mutant } from "./mutant.ts";

const partition = "src/actors/partition.ts";
const settle = "src/actors/settle.ts";
const flight = "src/actors/flight.ts";
const recovery = "src/actors/recovery.ts";
const decideTurn = "src/actors/decide-turn.ts";
const mailbox = "src/actors/mailbox.ts";
const snapshots = "src/actors/snapshot-policy.ts";
const time = "src/actors/partition-time.ts";

export const ACTOR_MUTANTS: readonly Mutant[] = [
  ...ARCHIVE_MUTANTS,
  {
    name: "a snapshot in the middle of a rush",
    file: snapshots,
    find: "!this.#host.isInRush() || ",
    replace: "true || ",
  },
  {
    name: "all postponed snapshots at once",
    file: snapshots,
    find: "if (!snapshotSlots.take()) return;",
    replace: "snapshotSlots.take();",
  },
  {
    name: "a refused snapshot is tried for ever",
    file: snapshots,
    find: "this.#isRefused = !isStored;",
    replace: "",
  },
  {
    name: "a stored snapshot whose answer was lost is written for ever",
    file: snapshots,
    find: ' || (result.kind === "stale" && result.seq >= seq)',
    replace: "",
  },
  {
    name: "a hand-off writes a book that takes too long",
    file: snapshots,
    find: "this.#lastBytes + this.#bytesSince > HAND_OFF_BOOK_BYTES_MAX",
    replace: "this.#lastBytes > HAND_OFF_BOOK_BYTES_MAX",
  },
  {
    name: "P2: reply before commit",
    file: partition,
    find: "    this.#flight = flight;\n",
    replace:
      "    answerAll(flight, this.#memory.book, this.nowMs());\n    this.#flight = flight;\n",
  },
  {
    name: "P1: decide while a batch is in flight",
    file: partition,
    find: 'return this.#state === "serving" && this.#flight === null && !this.#closing.isLeaving;',
    replace: 'return this.#state === "serving" && !this.#closing.isLeaving;',
  },
  {
    name: "P3: no check before a repeat's 200",
    file: flight,
    find: "  held: false,",
    replace: "  held: true,",
  },
  {
    name: "P3: no check before a cart",
    file: flight,
    find: "  for (const reading of flight.readings) if (reading.isStrict) return false;\n",
    replace: "",
  },
  {
    name: "P3: refusal from an old confirmation",
    file: partition,
    find: "monotonicMs - this.#confirmedAtMs < REFUSAL_FRESH_MS;",
    replace: "monotonicMs >= this.#confirmedAtMs;",
  },
  {
    name: "P3: early refusal from an old confirmation",
    file: partition,
    find: "return ageMs < REFUSAL_FRESH_MS ? this.#memory.book : null;",
    replace: "return ageMs < 10 * REFUSAL_FRESH_MS ? this.#memory.book : null;",
  },
  {
    name: "P3: a confirmation counts from its reply",
    file: partition,
    find: "this.#confirmedAtMs = flight.sentAtMs;",
    replace: "this.#confirmedAtMs = this.#host.runtime.clock.monotonicMs();",
  },
  {
    name: "P3: a check of another seq confirms",
    file: partition,
    find: 'if (result.kind === "confirmed" && result.seq !== this.seq) {',
    replace: 'if (result.kind === "confirmed" && result.seq < 0) {',
  },
  {
    name: "P4: timeout taken for failure",
    file: settle,
    find: '    return "written";\n',
    replace: '    return "not_written";\n',
  },
  {
    name: "P4: timeout taken for success",
    file: settle,
    find: 'return isAlone && isBefore ? "not_written" : "lost";',
    replace: 'return isAlone && isBefore ? "written" : "lost";',
  },
  {
    name: "P4: memory kept whatever the fence shows",
    file: settle,
    find: "const isBefore = claimed.seq === memory.seq && claimed.batchId === memory.batchId;",
    replace: "const isBefore = claimed.seq === memory.seq;",
  },
  {
    name: "P4: memory kept though another claimed",
    file: settle,
    find: "const isAlone = claimed.claim <= term.claim + attempts;",
    replace: "const isAlone = claimed.claim > 0;",
  },
  {
    name: "P4: a batch that is never written is sent again without a pause",
    file: settle,
    find: "if (resends > 0) await",
    replace: "if (resends > 1_000) await",
  },
  {
    name: "P4: sent again and again though the journal is corrupt",
    file: partition,
    find: 'if (cause.code === "journal_corrupt") return this.#halt(cause.message);',
    replace: "",
  },
  {
    name: "P4: own lost claims taken for another's",
    file: settle,
    find: "const isAlone = claimed.claim <= term.claim + attempts;",
    replace: "const isAlone = claimed.claim <= term.claim + 1;",
  },
  {
    name: "P4: sent again with a new batch id",
    file: flight,
    find: "  flight.commit = { ...flight.commit, term };",
    replace:
      "  const batchId = `${term.owner}.${term.claim}.${flight.commit.seq}`;\n" +
      "  flight.commit = { ...flight.commit, term, batchId };",
  },
  {
    name: "P4: the ledger names the first claim of a batch sent again",
    file: flight,
    find: "  flight.row = { ...flight.row, claim: term.claim };\n",
    replace: "",
  },
  {
    name: "P5: fenced, and answered all the same",
    file: partition,
    find: "return this.#lose(result.owner, result.claim);",
    replace: "return this.#accept(flight);",
  },
  {
    name: "P5: a life that is over claims",
    file: settle,
    find: '  if (request.isGivenUp()) return { kind: "given_up" };\n  const { partition, view }',
    replace: "  const { partition, view }",
  },
  {
    name: "below zero is taken for written",
    file: partition,
    find: "return this.#halt(`${result.skuKey} would go below zero`);",
    replace: "return this.#accept(flight);",
  },
  {
    name: "another generation is served",
    file: settle,
    find: "if (claimed.generation !== host.generation) {",
    replace: 'if (claimed.generation === "") {',
  },
  {
    name: "a journal behind the ledger is served",
    file: settle,
    find: "if (ledger.value > claimed.seq) {",
    replace: "if (ledger.value < 0) {",
  },
  {
    name: "a journal behind this node is served",
    file: settle,
    find: "if (claimed.seq < request.memory.seq) {",
    replace: "if (claimed.seq < 0) {",
  },
  {
    name: "the store is away and nobody is told",
    file: settle,
    find: '      if (cause.code === "store_unavailable") request.onStoreAway();\n',
    replace: "",
  },
  {
    name: "no backup comparison",
    file: recovery,
    find: "if (backed === available) return;",
    replace: "if (backed >= 0) return;",
  },
  {
    name: "replay stops one short",
    file: recovery,
    find: "while (next <= seq) {",
    replace: "while (next < seq) {",
  },
  {
    name: "replay takes a gap",
    file: recovery,
    find: "      if (entry.seq !== next) {",
    replace: "      if (entry.seq < next) {",
  },
  {
    name: "snapshot taken in flight",
    file: partition,
    find: '    await this.#quiet();\n    const term = this.#term;\n    if (this.#state === "serving" && this.#flight === null && term !== null) {',
    replace: '    const term = this.#term;\n    if (this.#state === "serving" && term !== null) {',
  },
  {
    name: "a lapse commits behind the last snapshot",
    file: partition,
    find: "      this.#closing.leave();\n",
    replace: "",
  },
  {
    name: "trim passes the ledger",
    file: "src/actors/snapshot-policy.ts",
    find: "const result = await this.#host.journal.trim(term, ledgerSeq);",
    replace: "const result = await this.#host.journal.trim(term, this.#storedSeq);",
  },
  {
    name: "lapses skipped in a turn",
    file: decideTurn,
    find: "  if (lapseDue(book, nowMs, batch)) return batch;\n",
    replace: "",
  },
  {
    name: "decides though more lapses are due than fit",
    file: decideTurn,
    find: "  if (lapseDue(book, nowMs, batch)) return batch;\n",
    replace: "  lapseDue(book, nowMs, batch);\n",
  },
  {
    name: "decides what is over its deadline",
    file: decideTurn,
    find: "if (envelope.deadlineMs <= monotonicMs) {",
    replace: "if (envelope.deadlineMs < 0) {",
  },
  {
    name: "SKU keys are not counted in a batch's bytes",
    file: "src/core/stock/codec.ts",
    find: "return this.#lineBytes + this.#keyBytes;",
    replace: "return this.#lineBytes;",
  },
  {
    name: "money shares the bound of holds",
    file: mailbox,
    find: "} else if (this.length - this.#holdCount >= MAILBOX_RESERVE_MAX) {",
    replace: "} else if (this.length >= MAILBOX_HOLDS_MAX) {",
  },
  {
    name: "no bound on the reserve",
    file: mailbox,
    find: "} else if (this.length - this.#holdCount >= MAILBOX_RESERVE_MAX) {",
    replace: "} else if (this.length < 0) {",
  },
  {
    name: "a crash is not contained",
    file: partition,
    find: "    } catch (cause) {\n      this.#crash(flight, cause);\n    }\n  }\n\n  /** About ten",
    replace: "    } catch (cause) {\n      throw cause;\n    }\n  }\n\n  /** About ten",
  },
  {
    name: "time falls behind a former owner's",
    file: time,
    find: "    if (behindMs > 0) this.#baseMs += behindMs;\n",
    replace: "",
  },
  {
    name: "time forgets the last batch",
    file: time,
    find: "this.#lastMs = Math.max(this.#lastMs, lastAtMs);",
    replace: "this.#lastMs = Math.max(this.#lastMs, 0 * lastAtMs);",
  },
  {
    name: "time follows the wall clock",
    file: time,
    find: "Math.floor(this.#baseMs + this.#clock.monotonicMs() - this.#learnedAtMs)",
    replace: "this.#clock.wallMs()",
  },
  {
    name: "a load makes the partition late",
    file: time,
    find: "this.#learnedAtMs = claimed.learnedAtMs;",
    replace: "this.#learnedAtMs = this.#clock.monotonicMs();",
  },
  {
    name: "loads have no bound",
    file: "src/actors/load-gate.ts",
    find: "if (this.#free > 0) this.#free--;",
    replace: "if (this.#free > -99) this.#free--;",
  },
];

const cursor = "src/projections/cursor.ts";
const ledger = "src/projections/ledger-projection.ts";

export const PROJECTION_MUTANTS: readonly Mutant[] = [
  {
    name: "L1: the cursor moves before the ledger has stored",
    file: ledger,
    find: "    await this.#ledger.append(batch);\n",
    replace:
      "    for (const row of batch) this.#cursors.get(row.partition)?.stored(row);\n" +
      "    await this.#ledger.append(batch);\n",
  },
  {
    name: "L2: stored behind a gap",
    file: ledger,
    find: "seq === fromSeq + index",
    replace: "seq >= fromSeq + index",
  },
  {
    name: "sleeps with work left",
    file: ledger,
    find: " && !this.#hasWork()",
    replace: "",
  },
  {
    name: "a partition that is gone keeps it full",
    file: cursor,
    find: "    this.#rows = [];\n    this.#count(-this.#countedBytes);\n",
    replace: "    this.#rows = [];\n",
  },
  {
    name: "an earlier life's rows are taken off",
    file: cursor,
    find: "else if (row.seq > this.#countedAfterSeq) this.#count(-row.bytes.length);",
    replace: "else this.#totals.backlogBytes -= row.bytes.length;",
  },
  {
    name: "never full",
    file: ledger,
    find: "return this.#totals.backlogBytes >= this.#backlogBytesMax;",
    replace: "return false;",
  },
  {
    name: "rows without room are kept",
    file: cursor,
    find: "if (!isRoom || (last",
    replace: "if ((last",
  },
];
