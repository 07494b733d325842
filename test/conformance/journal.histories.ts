// Random histories: every journal gives the answers of the model and ends as the model does.

import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { unreachable } from "../../src/core/assert.ts";
import type { Journal, Term } from "../../src/core/ports/journal.ts";
import type { JournalDump } from "../support/model-journal.ts";
import { type JournalHarness, type OpenJournal, PARTITIONS } from "./journal.harness.ts";

/** Relative to the model's state, so that most calls are nearly right and all refusals are met. */
type Step = {
  readonly act:
    "create" | "claim" | "commit" | "check" | "snapshot" | "trim" | "release" | "read" | "repeat";
  readonly partition: number;
  readonly viewStep: number;
  readonly claimStep: number;
  readonly seqStep: number;
  readonly owner: string;
  readonly deltas: readonly { readonly skuKey: string; readonly delta: number }[];
};

const usually = <T>(value: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(value) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );

const step: fc.Arbitrary<Step> = fc.record({
  act: fc.oneof(
    { weight: 6, arbitrary: fc.constant("commit" as const) },
    { weight: 2, arbitrary: fc.constantFrom("claim" as const, "create" as const) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        "check" as const,
        "snapshot" as const,
        "trim" as const,
        "release" as const,
        "read" as const,
        "repeat" as const,
      ),
    },
  ),
  partition: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(PARTITIONS[0], PARTITIONS[2]) },
    { weight: 1, arbitrary: fc.constant(PARTITIONS[1]) },
  ),
  viewStep: usually(0, 1, -1),
  claimStep: usually(0, 1, -1),
  seqStep: usually(0, 1, -1, -2),
  owner: usually("node-1", "node-2"),
  deltas: fc.uniqueArray(
    fc.record({
      skuKey: fc.constantFrom("s/a", "s/b", "s/{c}", "}{"),
      delta: fc.integer({ min: -4, max: 6 }),
    }),
    { selector: ({ skuKey }) => skuKey, maxLength: 4 },
  ),
});

/** Commits of one turn, of different partitions, that come together. */
const turn: fc.Arbitrary<readonly Step[]> = fc.uniqueArray(
  step.map((one) => ({ ...one, act: one.act === "repeat" ? one.act : ("commit" as const) })),
  { selector: ({ partition }) => partition, minLength: 2, maxLength: 3 },
);

const CREATE: Step = {
  act: "create",
  partition: PARTITIONS[0],
  viewStep: 1,
  claimStep: 0,
  seqStep: 0,
  owner: "node-1",
  deltas: [],
};

/** Otherwise most calls of a short history would meet nothing. */
const BEGINNING: readonly Step[] = [PARTITIONS[0], PARTITIONS[2]].flatMap((partition) => [
  { ...CREATE, partition },
  { ...CREATE, partition, act: "claim" },
]);

const history = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: step.map((one): readonly Step[] => [one]) },
    { weight: 1, arbitrary: turn },
  ),
  { minLength: 20, maxLength: 60 },
);

const RUNS = Number(process.env["HISTORIES"] ?? 60);
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));

export function journalHistories(harnesses: readonly JournalHarness[]): void {
  describe("journal: random histories", () => {
    test(`give equal answers and equal ends everywhere (SEED=${SEED})`, async () => {
      const met = new Map<string, number>();
      await fc.assert(
        fc.asyncProperty(history, async (turns) => runHistory(harnesses, turns, met)),
        { seed: SEED, numRuns: RUNS },
      );
      // A history generator that misses an answer would prove nothing about it.
      for (const kind of MUST_MEET) expect([kind, met.get(kind) ?? 0]).not.toEqual([kind, 0]);
    }, 300_000);
  });
}

const MUST_MEET = [
  "create: true",
  "create: false",
  "claim: claimed",
  "claim: fenced",
  "claim: no_state",
  "commit: committed",
  "commit: fenced",
  "commit: out_of_sequence",
  "commit: below_zero",
  "commit: no_state",
  "repeat: committed",
  "turn: committed",
  "turn: fenced",
  "turn: out_of_sequence",
  "turn: below_zero",
  "turn: no_state",
  "check: confirmed",
  "check: fenced",
  "snapshot: done",
  "snapshot: stale",
  "snapshot: fenced",
  "trim: done",
  "trim: stale",
  "trim: fenced",
  "release: done",
  "release: fenced",
];

async function runHistory(
  harnesses: readonly JournalHarness[],
  turns: readonly (readonly Step[])[],
  met: Map<string, number>,
): Promise<void> {
  const opened: OpenJournal[] = [];
  try {
    for (const harness of harnesses) opened.push(await harness.open());
    const [model, ...others] = opened;
    if (model === undefined) throw new Error("the model comes first");
    for (const together of [...BEGINNING.map((one) => [one]), ...turns]) {
      const dump = await model.dump();
      const calls = together.map((one) => callOf(dump, one));
      const answersOf = ({ journal }: OpenJournal) =>
        Promise.all(calls.map(async (call) => timeless(await call(journal))));
      const answers = await answersOf(model);
      for (const [index, answer] of answers.entries()) {
        const act = together.length > 1 ? "turn" : together[index]?.act;
        const name = `${act}: ${kindOf(answer)}`;
        met.set(name, (met.get(name) ?? 0) + 1);
      }
      for (const other of await Promise.all(others.map(answersOf))) expect(other).toEqual(answers);
    }
    const end = await model.dump();
    for (const other of others) expect(await other.dump()).toEqual(end);
  } finally {
    for (const one of opened) await one.close();
  }
}

/** One concrete call, the same for every journal. */
function callOf(dump: JournalDump, one: Step): (journal: Journal) => Promise<unknown> {
  const { partition, owner, deltas } = one;
  const now = dump[partition] ?? { view: 0, claim: 0, seq: 0, batchId: "", snapshot: null };
  const view = Math.max(0, now.view + one.viewStep);
  const claim = Math.max(1, now.claim + one.claimStep);
  const term: Term = { partition, view: now.view, owner, claim };
  const seq = Math.max(1, now.seq + 1 + one.seqStep);
  switch (one.act) {
    case "create":
      return (journal) => journal.create(partition, `generation of ${owner}`);
    case "claim":
      return (journal) => journal.claim({ partition, view, owner });
    case "commit": {
      const batchId = `batch ${seq} of ${now.claim}`;
      const bytes = `${batchId} ${JSON.stringify(deltas)}`;
      return (journal) => journal.commit({ term, seq, batchId, bytes, deltas });
    }
    case "repeat": {
      const batchId = now.batchId === "" ? "none" : now.batchId;
      const again = { term, seq: Math.max(1, now.seq), batchId, bytes: "again", deltas };
      return (journal) => journal.commit(again);
    }
    case "check":
      return (journal) => journal.check(term);
    case "release":
      return (journal) => journal.release(term);
    case "snapshot": {
      const pieces = deltas.map(({ skuKey }) => skuKey);
      const snapshot = { seq: Math.max(1, now.seq + one.seqStep), pieces: [...pieces, "end"] };
      return (journal) => journal.writeSnapshot(term, snapshot);
    }
    case "trim":
      return (journal) => journal.trim(term, Math.max(0, now.seq + deltas.length - 3));
    case "read":
      return async (journal) => [
        await journal.read(partition, seq, 100),
        await journal.snapshotOf(partition),
        Object.fromEntries(await journal.stockOf(partition)),
        await journal.highestView(PARTITIONS.length),
      ];
    default:
      return unreachable(one.act);
  }
}

function kindOf(answer: unknown): string {
  const isObject = typeof answer === "object" && answer !== null && "kind" in answer;
  return isObject ? String(answer.kind) : String(answer);
}

/** Journals have clocks of their own. */
function timeless(answer: unknown): unknown {
  if (typeof answer !== "object" || answer === null || !("nowMs" in answer)) return answer;
  const { nowMs, ...rest } = answer;
  expect(Number.isInteger(nowMs)).toBe(true);
  return rest;
}
