// Archive calls that fail, hang or are cut, and crashes, anywhere in random histories: what was
// answered stays true (I4), and the books agree with a replay that never archived anything (I1, I5).

import { expect, test } from "bun:test";

import fc from "fast-check";

import { type NodeBed, nodeBed, START_MS } from "../../test/support/actors.ts";
import { Fault } from "../core/errors.ts";
import type { SkuRef } from "../core/ports/stock.ts";
import { apply } from "../core/stock/apply.ts";
import { decodeBatch } from "../core/stock/codec.ts";
import type { Command } from "../core/stock/command.ts";
import { emptyBook } from "../core/stock/state.ts";

const REFS: readonly SkuRef[] = ["a", "b", "c"].map((sku) => ({ key: `s/${sku}`, partition: 0 }));
const RUNS = 600;
const ARCHIVE_AFTER_MS = 300;

type Step =
  | { readonly kind: "ask"; readonly sku: number; readonly command: Command }
  | { readonly kind: "pass"; readonly passedMs: number }
  | { readonly kind: "archive"; readonly is: "well" | "away" | "hanging" }
  | { readonly kind: "crash" };

const order = fc.integer({ min: 0, max: 5 });
const command: fc.Arbitrary<Command> = fc.oneof(
  ...(["confirm", "return", "unpin"] as const).map((kind) =>
    order.map((n) => ({ kind, shopper: `s${n}`, orderId: `o${n}`, quantity: 1 })),
  ),
  order.map((n) => ({ kind: "hold" as const, shopper: `s${n}`, quantity: 1 })),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("ask" as const), sku: fc.nat({ max: 2 }), command }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("pass" as const),
      passedMs: fc.constantFrom(0, 100, 200, 400, 11_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("archive" as const),
      is: fc.constantFrom("well" as const, "well" as const, "away" as const, "hanging" as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "crash" as const }) },
);

let archived = 0;
let restored = 0;

class Run {
  readonly #bed: NodeBed;
  #life = 1;
  /** What each order was last told by a SKU: its effect, final but for a return. */
  readonly #told = new Map<string, string>();
  #asking: Promise<unknown>[] = [];

  constructor(bed: NodeBed) {
    this.#bed = bed;
  }

  async do(one: Step): Promise<void> {
    const { archive, runtime } = this.#bed;
    switch (one.kind) {
      case "ask":
        this.#asking.push(this.#ask(REFS[one.sku]!, one.command));
        return runtime.settle();
      case "pass":
        return runtime.advance(one.passedMs);
      case "archive":
        archive.release();
        archive.fault = one.is === "away" ? new Fault("store_unavailable", "away") : null;
        if (one.is === "hanging") archive.hold();
        return runtime.settle();
      case "crash":
        return this.crash();
    }
  }

  async crash(): Promise<void> {
    const { node, runtime } = this.#bed;
    this.#count();
    this.#life++;
    // Whoever waits there is answered by nobody: its own end is not part of this life.
    void node.stop();
    this.#bed.node = this.#bed.newNode(`node-1/${this.#life}`);
    this.#bed.node.own(0, this.#life);
    await runtime.settle();
  }

  /** All is well again: every question ends, and the books agree. */
  async end(): Promise<void> {
    const { archive, runtime, node, model } = this.#bed;
    archive.release();
    archive.fault = null;
    await runtime.advance(12_000);
    await Promise.all(this.#asking);
    const counts = node.counts(REFS);
    await runtime.settle();
    const whole = emptyBook();
    for (const { bytes } of model.dump()[0]!.entries) {
      const { events, skuKeys } = decodeBatch(bytes);
      for (const { skuIndex, event } of events) {
        if (event.kind !== "archived") apply(whole, skuKeys[skuIndex]!, event);
      }
    }
    for (const [index, count] of (await counts).entries()) {
      const { rules, held, sold } = whole.skus.get(REFS[index]!.key)!;
      const { released } = rules;
      expect(count).toMatchObject({ released, held, sold, available: released - held - sold });
    }
    this.#count();
  }

  #count(): void {
    archived += this.#bed.node.stats.archived;
    restored += this.#bed.node.stats.restored;
  }

  async #ask(ref: SkuRef, asked: Command): Promise<void> {
    const told = await this.#bed.node.ask(ref, asked).catch((fault: Fault) => fault.code);
    if (typeof told === "string") {
      expect(["store_unavailable", "deadline", "unknown", "not_owner", "fenced"]).toContain(told);
    } else if ("orderId" in asked) {
      const name = `${ref.key} ${asked.orderId}`;
      const before = this.#told.get(name);
      const isFinal = before === "refused" || before === "returned";
      if (isFinal) expect({ name, asked, kind: told.kind }).toEqual({ name, asked, kind: before });
      this.#told.set(name, told.kind);
    }
  }
}

test("whatever the archive does, answers stay true and no unit is lost", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80, size: "max" }), async (all) => {
      const bed = await nodeBed({ archiveAfterMs: ARCHIVE_AFTER_MS });
      for (const [index, ref] of REFS.entries()) {
        const group = index < 2 ? { group: "g", groupLimit: 4 } : {};
        await bed.open({ endsAtMs: START_MS + 100, released: 4, ...group }, ref);
      }
      const run = new Run(bed);
      for (const one of all) await run.do(one);
      await run.end();
    }),
    { numRuns: RUNS },
  );
  expect(archived).toBeGreaterThan(RUNS);
  expect(restored).toBeGreaterThan(RUNS / 2);
});
