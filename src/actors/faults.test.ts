// Fault injection: a history of several shoppers over two partitions, with the 1st journal call
// failed, then the 2nd, … in every way that a call can fail, until a run ends without the fault.
//
// After each run: every promise settled (I9); acknowledged ⊆ journal ⊆ acknowledged ∪ unknown (I2,
// I4, I8); replay of the journal equals memory and the stock backup (I3, I5); no shopper above the
// limit, nothing oversold (I1, I7); the ledger's feed heard each batch once, in order.

import { expect, test } from "bun:test";

import {
  type Heard,
  holdOf,
  type NodeBed,
  nodeBed,
  rulesOf,
  START_MS,
} from "../../test/support/actors.ts";
import { inMode, type Mode, MODES } from "../../test/support/hand-journal.ts";
import { Fault } from "../core/errors.ts";
import { REQUEST_DEADLINE_MS } from "../core/limits.ts";
import type { SkuRef } from "../core/ports/stock.ts";
import { apply } from "../core/stock/apply.ts";
import { decodeBatch } from "../core/stock/codec.ts";
import type { Command, Outcome } from "../core/stock/command.ts";
import type { StockEvent } from "../core/stock/event.ts";
import { encodeBook } from "../core/stock/snapshot.ts";
import { availableOf, emptyBook, type StockBook } from "../core/stock/state.ts";

const RELEASED = 8;
const LIMIT = 3;
const SKUS: readonly SkuRef[] = [
  { key: "sale/a", partition: 0 },
  { key: "sale/b", partition: 0 },
  { key: "sale/z", partition: 1 },
];

type Asked = { readonly ref: SkuRef; readonly command: Command; readonly heard: Heard<Outcome> };
type Step = { readonly ref: SkuRef; readonly command: Command } | "turn" | "wait";

/** About 60 commands: rounds that overlap, so that batches carry several shoppers. */
function script(): Step[] {
  const steps: Step[] = [];
  const add = (sku: number, command: Command): void => {
    steps.push({ ref: SKUS[sku]!, command });
  };
  SKUS.forEach((_, sku) => add(sku, rulesOf({ released: RELEASED, limit: LIMIT, holdMs: 20_000 })));
  steps.push("turn");
  for (let round = 0; round < 3; round++) {
    for (let shopper = 0; shopper < 4; shopper++) {
      add((round + shopper) % 3, holdOf(`s${shopper}`, 1 + ((round + shopper) % 3)));
      if (shopper % 2 === 1) steps.push("turn");
    }
    const buyer = { shopper: `s${round}`, orderId: `o${round}` };
    const sku = (2 * round) % 3;
    const quantity = 1 + ((2 * round) % 3);
    add(sku, { kind: "pin", ...buyer, quantity, priceMinor: 100 });
    steps.push("turn");
    add(sku, { kind: "confirm", ...buyer, quantity });
    add((sku + 1) % 3, { kind: "give_back", shopper: "s3" });
    steps.push("wait");
    add(sku, { kind: "confirm", ...buyer, quantity });
    if (round === 1) add(sku, { kind: "return", ...buyer, quantity });
    add(sku, { kind: "unpin", shopper: "s3", orderId: `u${round}` });
    add(round, holdOf("s3", 2));
    add(round, holdOf("s3", 2));
    steps.push("turn");
    add(round, rulesOf({ version: 2, released: RELEASED + 1, limit: LIMIT, holdMs: 20_000 }));
  }
  for (let sku = 0; sku < 3; sku++) {
    add(sku, rulesOf({ version: 2, released: 1, limit: LIMIT }));
    add(sku, holdOf("s9", 3));
    add(sku, holdOf("s8", 3));
  }
  steps.push("wait");
  return steps;
}

/** Fails `length` calls in a row, from the call `at` on. */
type Injected = { readonly at: number; readonly length: number; readonly mode: Mode };

async function run(fault: Injected): Promise<{ bed: NodeBed; asked: Asked[]; reached: boolean }> {
  const bed = await nodeBed({ count: 2, serve: false });
  let reached = false;
  bed.hand.through((_, number, work) => {
    if (number < fault.at || number >= fault.at + fault.length) return work();
    reached = true;
    return inMode(fault.mode, work, (pauseMs) => bed.runtime.pause(pauseMs));
  });
  bed.node.own(0, 1);
  bed.node.own(1, 1);
  const asked: Asked[] = [];
  for (const step of script()) {
    if (step === "turn") await bed.runtime.settle();
    else if (step === "wait") await bed.runtime.advance(700);
    else asked.push({ ...step, heard: bed.ask(step.command, step.ref) as Heard<Outcome> });
  }
  await bed.runtime.advance(REQUEST_DEADLINE_MS + 200);
  bed.hand.through(null);
  return { bed, asked, reached };
}

type Written = { readonly key: string; readonly event: StockEvent };

function eventsOf(bed: NodeBed, partition: number): { events: Written[]; book: StockBook } {
  const book = emptyBook();
  const events: Written[] = [];
  for (const entry of bed.model.dump()[partition]!.entries) {
    const { skuKeys, events: decoded } = decodeBatch(entry.bytes);
    for (const { skuIndex, event } of decoded) {
      const key = skuKeys[skuIndex]!;
      apply(book, key, event);
      events.push({ key, event });
      expectWithinLimits(book);
    }
  }
  return { events, book };
}

/** I1 and I7, after every event. */
function expectWithinLimits(book: StockBook): void {
  for (const [sku, holds] of book.holds.bySku()) {
    for (const { shopper, quantity } of holds) {
      expect(quantity + (sku.bought.get(shopper) ?? 0)).toBeLessThanOrEqual(LIMIT);
    }
  }
  for (const sku of book.skus.values()) {
    expect(sku.sold + sku.held).toBeLessThanOrEqual(sku.rules.released);
  }
}

/** What a command that was done may have left in the journal; null: nothing of its own. */
function traceOf({ ref, command }: Asked, outcome: Outcome): ((one: Written) => boolean) | null {
  const of = (match: (event: StockEvent) => boolean) => (one: Written) =>
    one.key === ref.key && match(one.event);
  switch (outcome.kind) {
    case "held":
      return of(
        (event) =>
          (event.kind === "held" || event.kind === "changed") &&
          event.shopper === (command as { shopper: string }).shopper &&
          (outcome.hold.paying || event.quantity === outcome.hold.quantity),
      );
    case "sold":
      return of(
        (event) =>
          event.kind === "confirmed" && event.orderId === (command as { orderId: string }).orderId,
      );
    case "returned":
      return of(
        (event) =>
          event.kind === "returned" && event.orderId === (command as { orderId: string }).orderId,
      );
    case "configured":
      return of((event) => event.kind === "configured");
    default:
      return null;
  }
}

const POSSIBLE_FAULTS = new Set(["unknown", "deadline", "store_unavailable", "busy", "not_owner"]);

function check({ bed, asked }: { bed: NodeBed; asked: Asked[] }, label: string): void {
  for (const one of asked)
    expect({ label, settled: one.heard.isSettled }).toMatchObject({ settled: true });
  const written = [0, 1].map((partition) => eventsOf(bed, partition));
  const events = written.flatMap((one) => one.events);

  for (const one of asked) {
    const { value, error } = one.heard;
    if (error !== undefined) {
      expect(error).toBeInstanceOf(Fault);
      expect(POSSIBLE_FAULTS.has((error as Fault).code)).toBe(true);
      continue;
    }
    const trace = traceOf(one, value!);
    if (trace !== null)
      expect({ label, command: one.command, found: events.some(trace) }).toMatchObject({
        found: true,
      });
  }
  // Nothing in the journal that nobody asked for and could not have been done.
  for (const { key, event } of events) {
    if (event.kind === "lapsed") continue;
    const cause = asked.find(
      ({ ref, command, heard }) =>
        ref.key === key && isCause(command, event) && !isSurelyNotDone(heard),
    );
    expect({ label, event, caused: cause !== undefined }).toMatchObject({ caused: true });
  }
  for (const [partition, { book }] of written.entries()) {
    const dump = bed.model.dump()[partition]!;
    const owned = bed.node.partitions[partition]!;
    expect({ label, state: owned.state, seq: owned.seq }).toEqual({
      label,
      state: "serving",
      seq: dump.seq,
    });
    for (const sku of book.skus.values()) expect(dump.stock[sku.key]).toBe(availableOf(sku));
    const told = bed.ledger.rows.filter((row) => row.partition === partition);
    const entries = dump.entries.filter(({ seq }) => told.some((row) => row.seq === seq));
    expect(told.map(({ seq, claim, bytes }) => ({ seq, claim, bytes }))).toEqual(entries);
  }
}

function isCause(command: Command, event: StockEvent): boolean {
  const causes: Readonly<Record<Command["kind"], readonly string[]>> = {
    configure: ["configured"],
    hold: ["held", "changed"],
    give_back: ["given_back"],
    pin: ["pinned"],
    unpin: ["unpinned"],
    confirm: ["confirmed", "refused"],
    return: ["returned", "refused"],
  };
  if (!causes[command.kind].includes(event.kind)) return false;
  if ("orderId" in event && "orderId" in command) return event.orderId === command.orderId;
  return !("shopper" in event) || !("shopper" in command) || event.shopper === command.shopper;
}

/** A refusal, or a fault that says so: no event may be its doing. */
function isSurelyNotDone({ value, error }: Heard<Outcome>): boolean {
  if (error !== undefined) return (error as Fault).retry === "resend";
  return (
    !["held", "given_back", "pinned", "unpinned", "sold", "refused", "returned"].includes(
      value!.kind,
    ) && value!.kind !== "configured"
  );
}

/** Memory, as the journal's replay must have it. */
async function expectReplayIsMemory(bed: NodeBed, label: string): Promise<void> {
  for (const partition of [0, 1]) {
    await bed.told(holdOf("nobody"), { key: "sale/nothing", partition });
    const memory = bed.node.partitions[partition]!.freshBook();
    if (memory === null) throw new Error(`${label}: partition ${partition} is not fresh`);
    const sorted = (book: StockBook) => encodeBook(book, 0).join("\n").split("\n").sort();
    expect({ label, book: sorted(memory) }).toEqual({
      label,
      book: sorted(eventsOf(bed, partition).book),
    });
  }
}

const BURSTS = MODES.flatMap((mode) => [1, 2, 4].map((length) => [mode, length] as const));

test.each(BURSTS)("each journal call, %s, %i in a row", async (mode, length) => {
  let at = 1;
  for (; ; at++) {
    const label = `${length} calls from ${at} ${mode}`;
    const done = await run({ at, length, mode });
    check(done, label);
    await expectReplayIsMemory(done.bed, label);
    expect(done.bed.lost).toEqual([]);
    if (!done.reached) break;
  }
  // A run makes a few dozen calls; a loop that ends early has tested nothing.
  expect(at).toBeGreaterThan(30);
});

test("the history is worth failing: it sells, refuses, returns, repeats and lapses", async () => {
  const { bed, asked } = await run({ at: 1, length: 0, mode: "away" });
  const kinds: Set<string | undefined> = new Set(asked.map(({ heard }) => heard.value?.kind));
  for (const kind of [
    "held",
    "sold",
    "returned",
    "given_back",
    "configured",
    "unchanged",
    "too_few",
  ] as const) {
    expect(kinds).toContain(kind);
  }
  expect(asked.length).toBeGreaterThan(45);
  await bed.runtime.advance(30_000);
  const events = [0, 1].flatMap((partition) => eventsOf(bed, partition).events);
  expect(events.map(({ event }) => event.kind)).toContain("lapsed");
  expect(bed.runtime.clock.wallMs()).toBeGreaterThan(START_MS);
});
