// What a hold costs that enters at another node than its owner's, beyond what it costs there.
//
//   bun bench/router.ts [rounds]
//
// `wire`: text against JSON, both ways, batch by batch. `router`: CPU of the asking and of the
// answering side over a bus that hands text on, with partitions that answer at once; both sides run
// in this process, so each is timed where it works.

import { MessageAges } from "../src/cluster/message-ages.ts";
import type { Owners } from "../src/cluster/owners.ts";
import { Router } from "../src/cluster/router.ts";
import { answerText, decodeAnswer } from "../src/cluster/wire-answer.ts";
import { decodeMessage, encodeMessage, type MessageHeader } from "../src/cluster/wire-message.ts";
import { decodeRequests, RequestLines } from "../src/cluster/wire-request.ts";
import type { Bus } from "../src/core/ports/bus.ts";
import type { LocalPartition, LocalPartitions } from "../src/core/ports/local-partitions.ts";
import type { Logger } from "../src/core/ports/logger.ts";
import type { Runtime } from "../src/core/ports/runtime.ts";
import type { Stock } from "../src/core/ports/stock.ts";
import type { HoldOutcome, Outcome, SetHold } from "../src/core/stock/command.ts";

const ROUNDS = Number(process.argv[2] ?? 400);
const BATCH = 256;
const SKU = { key: "diwali-drop/phone-x-128", partition: 1 };
const HELD: HoldOutcome = {
  kind: "held",
  isNew: true,
  hold: { number: 41, quantity: 1, priceMinor: 1_999_900, deadlineMs: 1.8e12, paying: false },
};
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const log: Logger = { info() {}, warn() {}, error() {} };
const HEADER: MessageHeader = {
  kind: "q",
  from: "node-1",
  incarnation: "8d3c1f2e-aaaa-bbbb-cccc-0123456789ab",
  number: 1,
  sentAtMs: 1,
  to: "",
};

function holds(): SetHold[] {
  return Array.from({ length: BATCH }, (_, index) => ({
    kind: "hold",
    shopper: `01890a5d-ac96-774b-bcce-b302099a80${index}`,
    quantity: 1,
  }));
}

/** Microseconds for each command, the best of three rounds: the machine is shared. */
function micros(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round++) {
    const startedMs = performance.now();
    for (let count = 0; count < ROUNDS; count++) work();
    const tookMs = performance.now() - startedMs;
    if (round > 0) best = Math.min(best, (tookMs * 1_000) / (ROUNDS * BATCH));
  }
  return best;
}

function benchWire(): void {
  const commands = holds();
  const askText = (): string => {
    const lines = new RequestLines();
    commands.forEach((command, id) =>
      lines.add(id * 16, 2_990, { kind: "ask", sku: SKU, command }),
    );
    return encodeMessage(HEADER, lines.keys, lines.lines);
  };
  const askJson = (): string =>
    JSON.stringify([HEADER, commands.map((command, id) => [id * 16, 2_990, SKU, command])]);
  const answersText = (): string => {
    let lines = "";
    for (let id = 0; id < BATCH; id++) {
      lines += `\n${id * 16}\t${answerText({ kind: "outcome", outcome: HELD })}`;
    }
    return encodeMessage({ ...HEADER, kind: "a", to: HEADER.incarnation }, "", lines);
  };
  const answersJson = (): string =>
    JSON.stringify([HEADER, commands.map((_, id) => [id * 16, HELD])]);
  const texts = { ask: askText(), askJson: askJson(), answer: answersText(), json: answersJson() };
  report("wire, text", [
    ["ask out", micros(askText)],
    ["ask in", micros(() => void decodeRequests(decodeMessage(texts.ask)))],
    ["answer out", micros(answersText)],
    ["answer in", micros(() => decodeMessage(texts.answer).lines.forEach(decodeLine))],
  ]);
  report("wire, JSON without checks", [
    ["ask out", micros(askJson)],
    ["ask in", micros(() => void JSON.parse(texts.askJson))],
    ["answer out", micros(answersJson)],
    ["answer in", micros(() => void JSON.parse(texts.json))],
  ]);
  const bytes = `${Math.round(texts.ask.length / BATCH)} and ${Math.round(texts.answer.length / BATCH)}`;
  const json = `${Math.round(texts.askJson.length / BATCH)} and ${Math.round(texts.json.length / BATCH)}`;
  console.log(`bytes a hold, out and back: text ${bytes}, JSON ${json}\n`);
}

function decodeLine(fields: readonly string[]): void {
  decodeAnswer(fields);
}

/** Hands text on when told, and says how long each side worked. */
class HandBus implements Bus {
  readonly isConnected = true;
  readonly connectedAtMs = 0;
  readonly sent: string[] = [];
  #handler: (payload: string) => void = () => {};

  send(_: string, payload: string): void {
    // Flat text, as a socket would make it: joining a rope is part of what sending costs.
    this.sent.push(Buffer.from(payload).toString());
  }
  take(payload: string): void {
    this.#handler(payload);
  }
  broadcast(): void {}
  onMessage(handler: (payload: string) => void): void {
    this.#handler = handler;
  }
  onBroadcast(): void {}
  onConnection(): void {}
  close(): Promise<void> {
    return Promise.resolve();
  }
}

class InstantPartitions implements Pick<LocalPartitions, "partition" | "askWithin"> {
  readonly #owned: number;
  readonly #answer = Promise.resolve<Outcome>(HELD);

  constructor(owned: number) {
    this.#owned = owned;
  }
  partition(id: number): LocalPartition {
    const state = id === this.#owned ? "serving" : "idle";
    return { id, state, view: 1, claim: 1, seq: 1, queueDepth: 0 };
  }
  askWithin(): Promise<Outcome> {
    return this.#answer;
  }
}

async function benchRouter(): Promise<void> {
  const tasks: (() => void)[] = [];
  const runtime: Runtime = {
    clock,
    soon: (task) => void tasks.push(task),
    every: () => () => {},
    pause: () => Promise.resolve(),
  };
  const run = (): void => {
    for (const task of tasks.splice(0)) task();
  };
  const owners: Owners = {
    ownerOf: () => "node-2",
    parkable: () => false,
    onChange() {},
    onEvicted() {},
  };
  const routerOn = (self: string, owned: number, bus: Bus): Router => {
    const local = new InstantPartitions(owned) as unknown as LocalPartitions & Stock;
    const ids = { self, incarnation: `life of ${self}`, partitionCount: 2 };
    return new Router({ ...ids, bus, local, owners, runtime, log });
  };
  const [asking, answering] = [new HandBus(), new HandBus()];
  const router = routerOn("node-1", 0, asking);
  routerOn("node-2", 1, answering);
  const commands = holds();
  const spentMs = { ask: 0, answer: 0 };
  for (let round = -100; round < ROUNDS; round++) {
    if (round === 0) spentMs.ask = spentMs.answer = 0;
    let startedMs = performance.now();
    const asked = commands.map((command) => router.ask(SKU, command));
    run();
    spentMs.ask += performance.now() - startedMs;

    startedMs = performance.now();
    for (const text of asking.sent.splice(0)) answering.take(text);
    await Promise.resolve();
    await Promise.resolve();
    run();
    spentMs.answer += performance.now() - startedMs;

    startedMs = performance.now();
    for (const text of answering.sent.splice(0)) asking.take(text);
    await Promise.all(asked);
    spentMs.ask += performance.now() - startedMs;
  }
  const each = (ms: number): number => (ms * 1_000) / (ROUNDS * BATCH);
  report("router, one forwarded hold", [
    ["asking side", each(spentMs.ask)],
    ["answering side", each(spentMs.answer)],
  ]);
}

function benchAges(): void {
  const ages = new MessageAges(clock);
  let number = 0;
  const age = (): void => {
    for (let count = 0; count < BATCH; count++) {
      ages.ageMs({ incarnation: "one", number: ++number, sentAtMs: number });
    }
  };
  report("age and doubles, once a message", [["", micros(age)]]);
}

function report(name: string, rows: readonly (readonly [string, number])[]): void {
  const cells = rows.map(([what, value]) => `${what} ${value.toFixed(2)} µs`);
  console.log(`${name.padEnd(34)} ${cells.join("  ")}`);
}

console.log(`${BATCH} holds a message, ${ROUNDS} messages a round; target: 5 µs a side`);
benchWire();
await benchRouter();
benchAges();
