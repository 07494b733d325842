import { describe, expect, test } from "bun:test";

import { Fault } from "../core/errors.ts";
import { Coalescer, type CoalescerOptions } from "./coalescer.ts";

type Item = { readonly key: string; readonly n: number };

class DataError extends Error {}
class DeadlockError extends Error {}

/** A statement that ends when the test says so. */
class HandHeldStatements {
  readonly sent: { items: readonly Item[]; end: (outcome?: Error) => void }[] = [];
  #armed: (() => void) | null = null;

  run = (items: readonly Item[]): Promise<readonly number[]> => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly number[]>();
    const end = (outcome?: Error) =>
      outcome === undefined ? resolve(items.map((item) => item.n)) : reject(outcome);
    this.sent.push({ items, end });
    this.#armed?.();
    return promise;
  };

  /** The statement number `count` (from 1), once it was sent. */
  async number(count: number) {
    while (this.sent.length < count) {
      await new Promise<void>((resume) => (this.#armed = resume));
    }
    const statement = this.sent[count - 1];
    if (statement === undefined) throw new Error("no such statement");
    return statement;
  }
}

function coalescerOf(
  statements: HandHeldStatements,
  options: Partial<CoalescerOptions<Item, number>> = {},
) {
  return new Coalescer<Item, number>({
    name: "test",
    keyOf: (item) => item.key,
    keysMayRepeat: false,
    batchMax: 100,
    waitingMax: 1_000,
    waitMsMax: 60_000,
    run: statements.run,
    verdictOf: (error) =>
      error instanceof DataError ? "data" : error instanceof DeadlockError ? "again" : "final",
    ...options,
  });
}

const numbersOf = (items: readonly Item[]) => items.map((item) => item.n);

describe("the coalescer", () => {
  test("what arrives while a statement runs is the next statement, sorted by key", async () => {
    const statements = new HandHeldStatements();
    const line = coalescerOf(statements);
    const first = line.do({ key: "m", n: 1 });
    const one = await statements.number(1);
    const others = ["z", "a", "k"].map((key, index) => line.do({ key, n: index + 2 }));
    expect(line.waitingCount).toBe(3);
    expect(statements.sent.length).toBe(1);
    one.end();
    expect(await first).toBe(1);
    const two = await statements.number(2);
    expect(numbersOf(two.items)).toEqual([3, 4, 2]);
    two.end();
    expect(await Promise.all(others)).toEqual([2, 3, 4]);
  });

  test("two items with one key go in consecutive statements, in the order they came", async () => {
    const statements = new HandHeldStatements();
    const line = coalescerOf(statements);
    const calls = [
      line.do({ key: "a", n: 1 }),
      line.do({ key: "a", n: 2 }),
      line.do({ key: "b", n: 3 }),
      line.do({ key: "a", n: 4 }),
    ];
    for (const [index, expected] of [[1, 3], [2], [4]].entries()) {
      const statement = await statements.number(index + 1);
      expect(numbersOf(statement.items)).toEqual(expected);
      statement.end();
    }
    expect(await Promise.all(calls)).toEqual([1, 2, 3, 4]);
  });

  test("items with one key share a statement where that is allowed, the first one first", async () => {
    const statements = new HandHeldStatements();
    const line = coalescerOf(statements, { keysMayRepeat: true });
    const calls = [5, 3, 4].map((n) => line.do({ key: "a", n }));
    const statement = await statements.number(1);
    expect(numbersOf(statement.items)).toEqual([5, 3, 4]);
    statement.end();
    expect(await Promise.all(calls)).toEqual([5, 3, 4]);
  });

  test("a statement holds at most its bound, the line at most its own: then busy", async () => {
    const statements = new HandHeldStatements();
    const line = coalescerOf(statements, { batchMax: 2, waitingMax: 3 });
    const calls = ["a", "b", "c"].map((key, n) => line.do({ key, n }));
    const refused = await line.do({ key: "d", n: 9 }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Fault);
    expect((refused as Fault).code).toBe("busy");
    const one = await statements.number(1);
    expect(one.items.length).toBe(2);
    one.end();
    (await statements.number(2)).end();
    expect(await Promise.all(calls)).toEqual([0, 1, 2]);
  });

  test("who waited too long behind a slow statement is refused, not sent", async () => {
    const statements = new HandHeldStatements();
    let nowMs = 0;
    const line = coalescerOf(statements, { waitMsMax: 100, nowMs: () => nowMs });
    const first = line.do({ key: "a", n: 1 });
    const one = await statements.number(1);
    const old = line.do({ key: "b", n: 2 }).catch((error: unknown) => error);
    nowMs = 150;
    const young = line.do({ key: "c", n: 3 });
    one.end();
    expect(await first).toBe(1);
    expect(((await old) as Fault).code).toBe("busy");
    const two = await statements.number(2);
    expect(numbersOf(two.items)).toEqual([3]);
    two.end();
    expect(await young).toBe(3);
  });

  test("a bad row fails alone: the statement is split until it is by itself", async () => {
    const bad = new DataError("bad row");
    const sizes: number[] = [];
    const line = coalescerOf(new HandHeldStatements(), {
      run: (items) => {
        sizes.push(items.length);
        if (items.some((item) => item.n === 5)) return Promise.reject(bad);
        return Promise.resolve(items.map((item) => item.n));
      },
    });
    const calls = Array.from({ length: 8 }, (_, n) => line.do({ key: `k${n}`, n }));
    const settled = await Promise.allSettled(calls);
    expect(settled.map((call) => call.status === "fulfilled")).toEqual(
      settled.map((_, n) => n !== 5),
    );
    expect((settled[5] as PromiseRejectedResult).reason).toBe(bad);
    expect(sizes).toEqual([8, 4, 4, 2, 1, 1, 2]);
  });

  test("a lost race is run again, a few times and no more", async () => {
    for (const { losses, won } of [
      { losses: 2, won: true },
      { losses: 1_000, won: false },
    ]) {
      let runs = 0;
      const line = coalescerOf(new HandHeldStatements(), {
        run: (items) =>
          ++runs <= losses
            ? Promise.reject(new DeadlockError("40P01"))
            : Promise.resolve(items.map((item) => item.n)),
      });
      const outcome = await line.do({ key: "a", n: 7 }).catch((error: unknown) => error);
      if (won) expect(outcome).toBe(7);
      else expect(outcome).toBeInstanceOf(DeadlockError);
      expect(runs).toBeLessThan(10);
    }
  });

  test("any other error is heard by each caller once, is not sent again, and the line goes on", async () => {
    const statements = new HandHeldStatements();
    const line = coalescerOf(statements);
    const calls = [line.do({ key: "a", n: 1 }), line.do({ key: "b", n: 2 })];
    const cut = new Fault("unknown", "the connection was cut");
    const settled = Promise.allSettled(calls);
    (await statements.number(1)).end(cut);
    expect(await settled).toEqual([
      { status: "rejected", reason: cut },
      { status: "rejected", reason: cut },
    ]);
    expect(statements.sent.length).toBe(1);
    const next = line.do({ key: "a", n: 3 });
    (await statements.number(2)).end();
    expect(await next).toBe(3);
  });
});
