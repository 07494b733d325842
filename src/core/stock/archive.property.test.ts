// S6 and the archive: units leave the book and come back anywhere in random histories, and nobody
// can tell from any answer.

import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { apply } from "./apply.ts";
import {
  archivedUnit,
  encodeUnit,
  isQuiet,
  restoreUnit,
  type UnitRef,
  unitToRestore,
} from "./archive.ts";
import { BatchBuilder, decodeBatch } from "./codec.ts";
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
import { decodeBook, encodeBook } from "./snapshot.ts";
import { emptyBook, type StockBook } from "./state.ts";

const RUNS = 3_000;

type Counts = { archived: number; restored: number; answeredAsIs: number };

/** A book with an archive: before each step the units that `archives` picks leave it. */
class ArchivingBook {
  readonly texts = new Map<string, string>();
  readonly counts: Counts = { archived: 0, restored: 0, answeredAsIs: 0 };
  readonly events: { readonly key: string; readonly event: StockEvent }[] = [];
  book = emptyBook();

  run(one: Step, nowMs: number, archives: number) {
    this.#archive(archives);
    for (let due = nextLapse(this.book, nowMs); due !== null; due = nextLapse(this.book, nowMs)) {
      this.#apply(due.key, due.event);
    }
    const { key, command } = one;
    const ref = unitToRestore(this.book, key, command, nowMs);
    if (ref !== null) this.#restore(ref);
    else if (this.book.archived.has(key)) this.counts.answeredAsIs++;
    const { outcome, event } = decide(this.book, key, command, nowMs);
    if (event !== null) this.#apply(key, event);
    return outcome;
  }

  /** Bit i of `archives`: the i-th SKU's unit. */
  #archive(archives: number): void {
    const keys = [...this.book.skus.keys()].sort();
    for (const [index, key] of keys.entries()) {
      const sku = this.book.skus.get(key);
      if (((archives >> index) & 1) === 0 || sku === undefined || !isQuiet(sku)) continue;
      const { unit, digest, text } = encodeUnit(sku);
      this.texts.set(`${unit} ${digest}`, text);
      this.#apply(key, { kind: "archived", digest });
      this.counts.archived++;
    }
  }

  #restore(ref: UnitRef): void {
    restoreUnit(this.book, ref, this.textOf(ref));
    this.counts.restored++;
  }

  textOf({ unit, digest }: UnitRef): string {
    return this.texts.get(`${unit} ${digest}`) ?? "";
  }

  #apply(key: string, event: StockEvent): void {
    const before = availableIn(this.book, key);
    const delta = apply(this.book, key, event);
    expect(availableIn(this.book, key) - before).toBe(delta);
    this.events.push({ key, event });
  }
}

function availableIn(book: StockBook, key: string): number {
  const summary = summaryOf(book)[key] as { available: number } | undefined;
  return summary?.available ?? 0;
}

const archivings = fc.array(fc.constantFrom(0, 0, 0, 0, 1, 2, 4, 7), {
  minLength: 63,
  maxLength: 400,
  size: "max",
});

function stepsOf(random: readonly Step[]): Step[] {
  return ofOneShopper([...opening, ...random].map(inGroup));
}

function runAll(
  steps: readonly Step[],
  archives: readonly number[],
  onStep: (under: ArchivingBook, one: Step, outcome: unknown, nowMs: number) => void,
): ArchivingBook {
  const under = new ArchivingBook();
  let nowMs = 1_000;
  steps.forEach((one, index) => {
    nowMs += one.advanceMs;
    onStep(under, one, under.run(one, nowMs, archives[index % archives.length]!), nowMs);
  });
  return under;
}

describe("units archived and restored anywhere in random histories", () => {
  test("every outcome and every count is as if they had stayed in memory", () => {
    const seen: Counts = { archived: 0, restored: 0, answeredAsIs: 0 };
    fc.assert(
      fc.property(history, archivings, (random, archives) => {
        const model = new StockModel();
        const { counts } = runAll(stepsOf(random), archives, (under, one, outcome, nowMs) => {
          expect({ one, outcome }).toEqual({
            one,
            outcome: model.decide(one.key, one.command, nowMs),
          });
          expect(summaryOf(under.book)).toEqual(model.summary());
        });
        for (const name of ["archived", "restored", "answeredAsIs"] as const) {
          seen[name] += counts[name];
        }
      }),
      { numRuns: RUNS },
    );
    expect(seen.archived).toBeGreaterThan(RUNS);
    expect(seen.restored).toBeGreaterThan(RUNS);
    expect(seen.answeredAsIs).toBeGreaterThan(RUNS);
  });

  test("a replay that restores what its events change gives the same state, also by a snapshot", () => {
    fc.assert(
      fc.property(history, archivings, fc.nat({ max: 90 }), (random, archives, cut) => {
        const under = runAll(stepsOf(random), archives, () => {});
        let replayed = emptyBook();
        under.events.forEach(({ key, event }, index) => {
          if (index === cut) replayed = decodeBook(encodeBook(replayed, 1)).book;
          const batch = new BatchBuilder(1_000);
          batch.add(key, event, 0);
          const [read] = decodeBatch(batch.build().bytes).events;
          expect(read?.event).toEqual(event);
          const ref = archivedUnit(replayed, key, event);
          const isThere = event.kind === "archived" && event.digest === ref?.digest;
          if (ref !== null && !isThere) restoreUnit(replayed, ref, under.textOf(ref));
          apply(replayed, key, event);
        });
        // What came back for an answer alone is no event: everything back in, they are equal.
        for (const book of [replayed, under.book]) restoreAll(book, under);
        expect(linesOf(replayed)).toEqual(linesOf(under.book));
        expect(summaryOf(replayed)).toEqual(summaryOf(under.book));
      }),
      { numRuns: RUNS / 3 },
    );
  });
});

describe("a unit", () => {
  const [a, b, c] = opening;

  function bookOf(steps: readonly Step[]): StockBook {
    const book = emptyBook();
    for (const { key, command } of steps) {
      const { event } = decide(book, key, command, 1_000);
      if (event !== null) apply(book, key, event);
    }
    return book;
  }

  function archive(book: StockBook, key: string): { ref: UnitRef; text: string } {
    const { unit, digest, text } = encodeUnit(book.skus.get(key)!);
    apply(book, key, { kind: "archived", digest });
    return { ref: { unit, digest }, text };
  }

  const sold = (key: string, orderId: string): Step => ({
    key,
    advanceMs: 0,
    command: { kind: "confirm", shopper: "s1", orderId, quantity: 1 },
  });

  test("of a group takes all of its SKUs, and the group's counts with them", () => {
    const book = bookOf([a!, b!, c!, sold(a!.key, "o1"), sold(b!.key, "o2")]);
    const { ref, text } = archive(book, b!.key);
    expect([...book.skus.keys()]).toEqual([c!.key]);
    expect(book.groups.size).toBe(0);
    restoreUnit(book, ref, text);
    expect(book.groups.get("sale/g")?.bought).toEqual(new Map([["s1", 2]]));
    expect(book.archived.size + book.archivedGroups.size).toBe(0);
  });

  test("a new SKU that joins an archived group calls it back: its limit counts what was bought", () => {
    const book = bookOf([a!, sold(a!.key, "o1"), sold(a!.key, "o2")]);
    const { ref, text } = archive(book, a!.key);
    const joins = { ...b!.command };
    expect(unitToRestore(book, b!.key, joins, 1_000)).toEqual(ref);
    restoreUnit(book, ref, text);
    apply(book, b!.key, decide(book, b!.key, joins, 1_000).event!);
    const more = decide(book, b!.key, { kind: "hold", shopper: "s1", quantity: 2 }, 1_000);
    expect(more.outcome).toEqual({ kind: "limit_reached", limit: 3, held: 0, bought: 2 });
  });

  test("does not come back from another text than its own", () => {
    const book = bookOf([c!, sold(c!.key, "o1")]);
    const { ref, text } = archive(book, c!.key);
    const before = encodeBook(book, 1);
    expect(() => restoreUnit(book, ref, text.replace("o1", "o2"))).toThrow("journal_corrupt");
    expect(encodeBook(book, 1)).toEqual(before);
  });

  test("with a hold is not archived", () => {
    const hold: Step = {
      key: a!.key,
      advanceMs: 0,
      command: { kind: "hold", shopper: "s1", quantity: 1 },
    };
    const book = bookOf([a!, b!, hold]);
    expect([...book.skus.values()].map(isQuiet)).toEqual([false, false]);
    expect(() => encodeUnit(book.skus.get(b!.key)!)).toThrow("holds");
    expect(() => apply(book, b!.key, { kind: "archived", digest: "d" })).toThrow("holds");
  });
});

function restoreAll(book: StockBook, under: ArchivingBook): void {
  for (let [key] = book.archived.keys(); key !== undefined; [key] = book.archived.keys()) {
    const ref = archivedUnit(book, key, { kind: "give_back", shopper: "s1" });
    if (ref !== null) restoreUnit(book, ref, under.textOf(ref));
  }
}

/** A snapshot's lines without their order. */
function linesOf(book: StockBook): string[] {
  return encodeBook(book, 1).join("\n").split("\n").sort();
}
