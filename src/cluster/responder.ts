// The other side of the router: what other nodes ask of the partitions that are here.
//
//   S1  a message is taken once, and a request only while it has time left: what is older was given
//       up by whoever asked, who may have done other things since (I4)
//   S2  a message is understood whole, or nothing of it is done
//   S3  what is not here is answered `moved`, unless it is on its way here: then it waits, bounded

import { PARKED_ASKS_MAX } from "../core/limits.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import type { SkuRef } from "../core/ports/stock.ts";
import type { LocalAnswers } from "./local-answers.ts";
import { isFull, type Lines, Outbox, type Sender } from "./outbox.ts";
import type { Owners } from "./owners.ts";
import { type Answer, answerText } from "./wire-answer.ts";
import type { Message } from "./wire-message.ts";
import { decodeRequests, type Question, type WireRequest } from "./wire-request.ts";

/** How late a waiting request notices that its partition is here. */
const LOOK_MS = 25;

export type ResponderOptions = {
  readonly sender: Sender;
  readonly local: LocalAnswers;
  readonly owners: Owners;
  readonly runtime: Runtime;
  /** Hears which SKUs other nodes are told to be sold out. */
  readonly edge?: { soldOut(sku: SkuRef): void };
};

type Ask = Extract<Question, { kind: "ask" }>;
type Waiting = {
  readonly peer: string;
  readonly id: number;
  readonly ask: Ask;
  readonly deadlineMs: number;
};
type Reply = { readonly id: number; readonly answer: Answer };

export class Responder {
  readonly #options: ResponderOptions;
  readonly #replies: Outbox<Reply>;
  readonly #endLooks: () => void;
  #waiting: Waiting[] = [];

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#replies = new Outbox(options.runtime, (peer, items) => this.#flush(peer, items));
    this.#endLooks = options.runtime.every(LOOK_MS, () => this.#look());
    options.owners.onChange(() => this.#look());
  }

  close(): void {
    this.#endLooks();
    this.#waiting = [];
  }

  /** Throws Garbled. `ageMs` is how long the message was on its way, as far as it is known. */
  onRequests(message: Message, ageMs: number): void {
    const requests = decodeRequests(message);
    const peer = `${message.header.from}\t${message.header.incarnation}`;
    for (const request of requests) {
      const leftMs = request.leftMs - ageMs;
      if (leftMs > 0) this.#answer(peer, request, leftMs);
    }
  }

  /** Hot path (bench/router.ts). */
  #answer(peer: string, { id, question }: WireRequest, leftMs: number): void {
    const { local } = this.#options;
    if (question.kind !== "ask") {
      void local.look(question, leftMs).then((answer) => this.#replies.add(peer, { id, answer }));
    } else if (this.#mustWait(question)) {
      const deadlineMs = this.#options.runtime.clock.monotonicMs() + leftMs;
      this.#waiting.push({ peer, id, ask: question, deadlineMs });
    } else {
      const { sku, command } = question;
      local.ask(sku, command, leftMs, (answer) => this.#reply(peer, { id, answer }, sku));
    }
  }

  #mustWait({ sku }: Ask): boolean {
    const { local, owners } = this.#options;
    if (local.isHere(sku.partition) || !owners.parkable(sku.partition)) return false;
    return this.#waiting.length < PARKED_ASKS_MAX;
  }

  #look(): void {
    if (this.#waiting.length === 0) return;
    const { local, runtime } = this.#options;
    const nowMs = runtime.clock.monotonicMs();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) {
      const leftMs = one.deadlineMs - nowMs;
      if (leftMs <= 0) continue;
      if (this.#mustWait(one.ask)) {
        this.#waiting.push(one);
        continue;
      }
      const { sku, command } = one.ask;
      local.ask(sku, command, leftMs, (answer) => {
        this.#reply(one.peer, { id: one.id, answer }, sku);
      });
    }
  }

  #reply(peer: string, reply: Reply, sku: SkuRef): void {
    const { answer } = reply;
    if (answer.kind === "outcome" && answer.outcome.kind === "sold_out") {
      this.#options.edge?.soldOut(sku);
    }
    this.#replies.add(peer, reply);
  }

  #flush(peer: string, items: readonly Reply[]): void {
    const [nodeId = "", incarnation = ""] = peer.split("\t");
    let lines = new AnswerLines();
    for (const { id, answer } of items) {
      lines.add(id, answer);
      if (!isFull(lines)) continue;
      this.#options.sender.send({ nodeId, incarnation }, "a", lines);
      lines = new AnswerLines();
    }
    if (lines.lines !== "") this.#options.sender.send({ nodeId, incarnation }, "a", lines);
  }
}

class AnswerLines implements Lines {
  readonly keys = "";
  lines = "";

  get byteCount(): number {
    return this.lines.length;
  }

  add(id: number, answer: Answer): void {
    this.lines += `\n${id}\t${answerText(answer)}`;
  }
}
