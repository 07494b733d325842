// I1, I5 and I7 after every step of random histories, against a second, slower opinion of what a
// SKU is; and replay of the events gives an equal state. The mutants of scripts/mutants.ts must
// make this file fail.

import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { apply } from "./apply.ts";
import { BatchBuilder, decodeBatch } from "./codec.ts";
import type { Outcome } from "./command.ts";
import { decide, nextLapse } from "./decide.ts";
import type { StockEvent } from "./event.ts";
import {
  history,
  inGroup,
  ofOneShopper,
  opening,
  type Step,
  summaryOf,
} from "./histories.test-support.ts";
import { StockModel } from "./model.test-support.ts";
import { decodeBook, encodeBook, FrozenBook } from "./snapshot.ts";
import { emptyBook, type StockBook } from "./state.ts";

const RUNS = 20_000;

type Recorded = { readonly key: string; readonly event: StockEvent; readonly delta: number };

function run(
  book: StockBook,
  steps: readonly Step[],
  onStep: (one: Step, outcome: Outcome, nowMs: number) => void,
): Recorded[] {
  const recorded: Recorded[] = [];
  const record = (key: string, event: StockEvent): void => {
    recorded.push({ key, event, delta: apply(book, key, event) });
  };
  let nowMs = 1_000;
  for (const one of steps) {
    nowMs += one.advanceMs;
    for (let due = nextLapse(book, nowMs); due !== null; due = nextLapse(book, nowMs)) {
      record(due.key, due.event);
    }
    const { outcome, event } = decide(book, one.key, one.command, nowMs);
    if (event !== null) record(one.key, event);
    onStep(one, outcome, nowMs);
  }
  return recorded;
}

describe("random histories", () => {
  test("agree with the model step by step and keep I1, I5 and I7", () => {
    fc.assert(
      fc.property(history, (random) => {
        const steps = ofOneShopper([...opening, ...random].map(inGroup));
        const book = emptyBook();
        const model = new StockModel();
        run(book, steps, (one, outcome, nowMs) => {
          expect({ step: one, outcome }).toEqual({
            step: one,
            outcome: model.decide(one.key, one.command, nowMs),
          });
          expect(summaryOf(book)).toEqual(model.summary());
          model.check();
        });
      }),
      { numRuns: RUNS },
    );
  });

  test("replay of the journaled text, and of a snapshot and the rest, gives an equal book", () => {
    fc.assert(
      fc.property(history, fc.nat({ max: 60 }), (random, cut) => {
        const steps = ofOneShopper([...opening, ...random].map(inGroup));
        const book = emptyBook();
        const recorded = run(book, steps, () => {});
        const replayed = emptyBook();
        let afterSnapshot: StockBook | null = null;
        let frozen: FrozenBook | null = null;
        let asItWas: string[] = [];
        recorded.forEach(({ key, event, delta }, index) => {
          if (index === cut) {
            asItWas = encodeBook(replayed, 1);
            afterSnapshot = decodeBook(asItWas).book;
            frozen = new FrozenBook(replayed, 1);
          }
          const batch = new BatchBuilder(1_000);
          batch.add(key, event, delta);
          const { events, skuKeys } = decodeBatch(batch.build().bytes);
          expect(events[0]!.event).toEqual(event);
          expect(apply(replayed, skuKeys[0]!, events[0]!.event)).toBe(delta);
          if (afterSnapshot !== null) apply(afterSnapshot, key, event);
        });
        expect(encodeBook(replayed, 1)).toEqual(encodeBook(book, 1));
        if (afterSnapshot !== null) expect(sorted(afterSnapshot)).toEqual(sorted(book));
        expect(summaryOf(replayed)).toEqual(summaryOf(book));
        if (frozen !== null) expect(piecesOf(frozen)).toEqual(asItWas);
      }),
      { numRuns: RUNS / 4 },
    );
  });
});

function piecesOf(frozen: FrozenBook): string[] {
  const pieces = [...frozen.pieces()].filter((piece) => piece !== null);
  frozen.thaw();
  return pieces;
}

/** A snapshot's lines without their order: maps of a decoded book were filled in another one. */
function sorted(book: StockBook): string[] {
  return encodeBook(book, 1).join("\n").split("\n").sort();
}
