// Asks to partitions of other nodes: sent with all that this tick has for that node, followed when
// the partition moved, parked while it has no owner, ended at their deadline.
//
//   R1  sent again only when it surely was not done: `moved`, or nobody listens; never after a
//       timeout or a loss of the bus (I4)
//   R2  every ask ends within its time (I9): one sweep, no timer for an ask
//   R3  cut off from the bus nothing is begun: refused at once
//   R4  everything is bounded: windows of peers, parked asks

import { assert } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
import { MOVES_MAX, PARKED_ASKS_MAX, PEER_RESERVE_MAX } from "../core/limits.ts";
import type { Bus } from "../core/ports/bus.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import type { LocalAnswers } from "./local-answers.ts";
import { isFull, Outbox, Sender } from "./outbox.ts";
import type { Owners } from "./owners.ts";
import { type Pending, PendingAsks } from "./pending.ts";
import type { Answer } from "./wire-answer.ts";
import { type Question, RequestLines } from "./wire-request.ts";

/** How late a deadline may be noticed. */
const SWEEP_MS = 50;

/** A parked ask tries its owner again after this, should no news have come; here, it is cheap. */
const PARKED_RETRY_MS = 200;
const PARKED_RETRY_HERE_MS = SWEEP_MS;

export type RemoteAsksOptions = {
  readonly self: string;
  readonly bus: Bus;
  readonly sender: Sender;
  readonly local: LocalAnswers;
  readonly owners: Owners;
  readonly runtime: Runtime;
};

/** What operators see of it. */
export type RouterStats = {
  sent: number;
  moved: number;
  noResponders: number;
  parked: number;
  refused: number;
  unknown: number;
};

export class RemoteAsks {
  readonly stats: RouterStats = {
    sent: 0,
    moved: 0,
    noResponders: 0,
    parked: 0,
    refused: 0,
    unknown: 0,
  };
  readonly #options: RemoteAsksOptions;
  readonly #asks = new PendingAsks();
  readonly #outbox: Outbox<Pending>;
  readonly #endSweeps: () => void;

  constructor(options: RemoteAsksOptions) {
    this.#options = options;
    const { runtime, owners, bus } = options;
    this.#outbox = new Outbox(runtime, (nodeId, items) => this.#flush(nodeId, items));
    this.#endSweeps = runtime.every(SWEEP_MS, () => this.#sweep());
    owners.onChange(() => this.#retryParked(false));
    owners.onEvicted((nodeId) => this.#onEvicted(nodeId));
    bus.onConnection((isConnected) => {
      if (!isConnected) this.#onCutOff();
    });
  }

  get pendingCount(): number {
    return this.#asks.size;
  }

  get parkedCount(): number {
    return this.#asks.parkedCount;
  }

  close(): void {
    this.#endSweeps();
    for (const pending of this.#asks.all()) {
      const code = pending.state === "sent" ? "unknown" : "busy";
      this.#reject(pending, new Fault(code, "the node is stopping"));
    }
  }

  /** Hot path (bench/router.ts): one promise of the caller's, one object, one line of a message. */
  ask(
    question: Extract<Question, { kind: "ask" }>,
    deadlineMs: number,
    resolve: (answer: Answer) => void,
    reject: (fault: Fault) => void,
  ): void {
    const pending = this.#asks.begin(question, deadlineMs, resolve, reject);
    const owner = this.#options.owners.ownerOf(question.sku.partition);
    if (owner === null || owner === this.#options.self) this.#park(pending);
    else this.#assign(pending, owner);
  }

  /** To one node, once: not followed anywhere. */
  askNode(
    nodeId: string,
    question: Question,
    deadlineMs: number,
    resolve: (answer: Answer) => void,
    reject: (fault: Fault) => void,
  ): void {
    this.#assign(this.#asks.begin(question, deadlineMs, resolve, reject), nodeId);
  }

  /** An answer of `from`. Anything that no ask waits for is ignored. */
  onAnswer(wireId: number, from: string, answer: Answer): void {
    const pending = this.#asks.answered(wireId, from);
    if (pending === null || !fits(pending.question, answer)) return;
    if (answer.kind === "moved") {
      this.stats.moved++;
      this.#asks.park(pending, this.#nowMs());
      this.#follow(pending, answer.owner);
    } else if (answer.kind === "fault") {
      this.#reject(pending, new Fault(answer.code, `${from}: ${answer.detail}`));
    } else {
      this.#asks.resolve(pending, answer);
    }
  }

  /** `refuser` said that it is not there. */
  #follow(pending: Pending, hint: string): void {
    const { question, nodeId: refuser } = pending;
    if (question.kind !== "ask") {
      this.#reject(pending, new Fault("busy", `${refuser} is gone`));
      return;
    }
    const known = this.#options.owners.ownerOf(question.sku.partition);
    const next = known !== null && known !== refuser ? known : hint;
    if (next === "" || next === refuser || ++pending.moves > MOVES_MAX) this.#park(pending);
    else this.#go(pending, next);
  }

  #go(pending: Pending, owner: string): void {
    if (owner !== this.#options.self) this.#assign(pending, owner);
    else if (!this.#askHere(pending)) this.#park(pending);
  }

  /** It has come to this node meanwhile. False: not yet. */
  #askHere(pending: Pending): boolean {
    const { question, deadlineMs } = pending;
    const { local, self } = this.#options;
    assert(question.kind === "ask", "only an ask of one SKU is followed");
    if (!local.isHere(question.sku.partition)) return false;
    // A node is its own peer for this: the answer is matched like any other.
    if (!this.#take(pending, self)) return true;
    pending.state = "sent";
    const { wireId } = pending;
    local.ask(question.sku, question.command, deadlineMs - this.#nowMs(), (answer) => {
      this.onAnswer(wireId, self, answer);
    });
    return true;
  }

  #assign(pending: Pending, nodeId: string): void {
    if (!this.#options.bus.isConnected) {
      this.#reject(pending, new Fault("store_unavailable", "cut off from the other nodes"));
    } else if (this.#take(pending, nodeId)) {
      this.#outbox.add(nodeId, pending);
    }
  }

  /** False: it was refused. */
  #take(pending: Pending, nodeId: string): boolean {
    if (!pending.hasAttemptsLeft) {
      this.#reject(pending, new Fault("busy", "its partition has no owner yet"));
      return false;
    }
    if (this.#asks.assign(pending, nodeId, this.#nowMs())) return true;
    this.#reject(pending, new Fault("busy", `too much waits for ${nodeId}`));
    return false;
  }

  /** Stays with us until there is news; bounded, and new holds leave room for the rest. */
  #park(pending: Pending): void {
    this.stats.parked++;
    const { bus } = this.#options;
    const bound = PARKED_ASKS_MAX + (pending.isNewHold ? 0 : PEER_RESERVE_MAX);
    if (!bus.isConnected) {
      this.#reject(pending, new Fault("store_unavailable", "cut off from the other nodes"));
    } else if (this.#asks.parkedCount > bound) {
      this.#reject(pending, new Fault("busy", "too much waits for an owner"));
    } else {
      pending.changedMs = this.#nowMs();
    }
  }

  #flush(nodeId: string, items: readonly Pending[]): void {
    const { bus, sender } = this.#options;
    const nowMs = this.#nowMs();
    let lines = new RequestLines();
    let sent: Pending[] = [];
    const send = (): void => {
      if (sent.length === 0) return;
      const message = sent.map((pending) => ({ pending, wireId: pending.wireId }));
      this.stats.sent += sent.length;
      sender.send({ nodeId, incarnation: "" }, "q", lines, () => this.#onNoResponder(message));
      lines = new RequestLines();
      sent = [];
    };
    for (const pending of items) {
      if (pending.state !== "queued" || pending.nodeId !== nodeId) continue;
      if (!bus.isConnected) {
        this.#reject(pending, new Fault("store_unavailable", "cut off from the other nodes"));
        continue;
      }
      pending.state = "sent";
      lines.add(pending.wireId, Math.max(1, pending.deadlineMs - nowMs), pending.question);
      sent.push(pending);
      if (isFull(lines)) send();
    }
    send();
  }

  /** The server says that the node is gone: nobody has seen the message. */
  #onNoResponder(message: readonly { pending: Pending; wireId: number }[]): void {
    this.stats.noResponders++;
    for (const { pending, wireId } of message) {
      if (pending.state !== "sent" || pending.wireId !== wireId) continue;
      this.#asks.park(pending, this.#nowMs());
      this.#follow(pending, "");
    }
  }

  /** R1: what was sent is of unknown outcome; its answer would be lost as well. */
  #onCutOff(): void {
    for (const pending of this.#asks.all()) {
      if (pending.nodeId === this.#options.self && pending.state === "sent") continue;
      const code = pending.state === "sent" ? "unknown" : "store_unavailable";
      this.#reject(pending, new Fault(code, "cut off from the other nodes"));
    }
  }

  /** R1: whoever waits for it may ask again, and then hears of the owner that follows. */
  #onEvicted(nodeId: string): void {
    for (const pending of this.#asks.all()) {
      if (pending.state !== "sent" || pending.nodeId !== nodeId) continue;
      this.#reject(pending, new Fault("unknown", `${nodeId} was evicted before it answered`));
    }
  }

  #sweep(): void {
    const nowMs = this.#nowMs();
    for (const pending of this.#asks.all()) {
      if (pending.deadlineMs > nowMs) continue;
      const isUnknown = pending.state === "sent";
      this.#reject(
        pending,
        isUnknown
          ? new Fault("deadline", `${pending.nodeId} has not answered in time`)
          : new Fault("busy", "its partition has no owner yet"),
      );
    }
    if (this.#asks.parkedCount > 0) this.#retryParked(true);
  }

  /** With news at once; else only those that have waited for a while. */
  #retryParked(isSweep: boolean): void {
    if (this.#asks.parkedCount === 0) return;
    const { owners, self } = this.#options;
    const nowMs = this.#nowMs();
    for (const pending of this.#asks.all()) {
      const { question } = pending;
      if (pending.state !== "parked" || question.kind !== "ask") continue;
      const owner = owners.ownerOf(question.sku.partition);
      if (owner === null) continue;
      const retryMs = owner === self ? PARKED_RETRY_HERE_MS : PARKED_RETRY_MS;
      const isNews = owner !== pending.nodeId;
      if (!isNews && !(isSweep && nowMs - pending.changedMs >= retryMs)) continue;
      if (owner === self) this.#askHere(pending);
      else this.#assign(pending, owner);
    }
  }

  #reject(pending: Pending, fault: Fault): void {
    if (fault.retry === "same_request") this.stats.unknown++;
    else this.stats.refused++;
    this.#asks.reject(pending, fault);
  }

  #nowMs(): number {
    return this.#options.runtime.clock.monotonicMs();
  }
}

/** A peer that answers something else than was asked is not believed. */
function fits(question: Question, answer: Answer): boolean {
  if (answer.kind === "fault" || answer.kind === "moved") return true;
  return question.kind === "ask" ? answer.kind === "outcome" : answer.kind === question.kind;
}
