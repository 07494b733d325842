// What the journal's suites share: an open journal for each test, and short ways to say things.

import { afterEach, beforeEach, expect } from "bun:test";

import type { Commit, Journal, StockDelta, Term } from "../../src/core/ports/journal.ts";
import { type JournalHarness, type OpenJournal, PARTITIONS } from "./journal.harness.ts";

/** The partition of most tests; 0 is never created unless a test says so. */
export const P = PARTITIONS[1];

export const NO_STATE = { kind: "no_state" } as const;

export type Testbed = {
  readonly open: OpenJournal;
  readonly journal: Journal;
  /** A claimed partition with batches 1 … `batches` of +10 on "s/a" each. */
  prepared(batches?: number, view?: number): Promise<Term>;
  /** The call gives that answer and the whole journal stays as it was. */
  refuses(call: () => Promise<unknown>, answer: unknown): Promise<void>;
};

/** To be called inside a describe: each of its tests gets an empty journal. */
export function journalTestbed(harness: JournalHarness): Testbed {
  let open: OpenJournal | null = null;
  beforeEach(async () => {
    open = await harness.open();
  });
  afterEach(() => open?.close());

  const opened = (): OpenJournal => {
    if (open === null) throw new Error("no test is running");
    return open;
  };
  return {
    get open() {
      return opened();
    },
    get journal() {
      return opened().journal;
    },
    prepared: async (batches = 0, view = 1) => {
      const { journal } = opened();
      await journal.create(P, "generation-1");
      const term = await claimed(journal, { view, owner: "node-1" });
      for (let seq = 1; seq <= batches; seq++) {
        await expectCommitted(journal, batch(term, seq, [{ skuKey: "s/a", delta: 10 }]));
      }
      return term;
    },
    refuses: async (call, answer) => {
      const before = await opened().dump();
      expect(await call()).toEqual(answer);
      expect(await opened().dump()).toEqual(before);
    },
  };
}

export function batch(term: Term, seq: number, deltas: readonly StockDelta[] = []): Commit {
  return { term, seq, batchId: `batch-${seq}`, bytes: `bytes ${seq}`, deltas };
}

export async function claimed(
  journal: Journal,
  request: { readonly partition?: number; readonly view: number; readonly owner: string },
): Promise<Term> {
  const { partition = P, view, owner } = request;
  const claim = await journal.claim({ partition, view, owner });
  if (claim.kind !== "claimed") throw new Error(`not claimed: ${claim.kind}`);
  return { partition, view, owner, claim: claim.claim };
}

export async function expectCommitted(journal: Journal, request: Commit): Promise<void> {
  expect(await journal.commit(request)).toMatchObject({ kind: "committed", duplicate: false });
}
