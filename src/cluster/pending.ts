// Asks under way to other nodes: their ids, their windows, their deadlines.
//
//   P1  an ask settles exactly once; what comes later finds it gone
//   P2  an answer counts only for the attempt that it answers: the attempt is part of the id
//   P3  asks are kept in order of arrival, not of their deadlines: one that waited at this node
//       first, for a partition that then went away, begins with the time that it has left

import { assert } from "../core/assert.ts";
import type { Fault } from "../core/errors.ts";
import { PEER_HOLDS_MAX, PEER_RESERVE_MAX } from "../core/limits.ts";
import type { Answer } from "./wire-answer.ts";
import type { Question } from "./wire-request.ts";

/** Attempts of one ask: 4 bits of its id. */
const ATTEMPTS = 16;

/** `queued` for this tick's message, `sent`, `parked` until its partition has an owner. */
export type PendingState = "queued" | "sent" | "parked" | "settled";

export class Pending {
  readonly number: number;
  readonly question: Question;
  /** Monotonic. */
  readonly deadlineMs: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (fault: Fault) => void;
  state: PendingState = "parked";
  /** Where it is queued or sent, or was last. */
  nodeId = "";
  attempt = 0;
  moves = 0;
  /** Monotonic time of the last change of `state`. */
  changedMs = 0;

  constructor(
    number: number,
    question: Question,
    deadlineMs: number,
    resolve: (answer: Answer) => void,
    reject: (fault: Fault) => void,
  ) {
    this.number = number;
    this.question = question;
    this.deadlineMs = deadlineMs;
    this.resolve = resolve;
    this.reject = reject;
  }

  get wireId(): number {
    return this.number * ATTEMPTS + this.attempt;
  }

  get isNewHold(): boolean {
    return this.question.kind === "ask" && this.question.command.kind === "hold";
  }

  get hasAttemptsLeft(): boolean {
    return this.attempt < ATTEMPTS - 1;
  }
}

/** How much is queued and sent to one peer: new holds and the rest, each within its bound. */
type Window = { holds: number; others: number };

export class PendingAsks {
  readonly #byNumber = new Map<number, Pending>();
  readonly #windows = new Map<string, Window>();
  #lastNumber = 0;
  #parkedCount = 0;

  get size(): number {
    return this.#byNumber.size;
  }

  get parkedCount(): number {
    return this.#parkedCount;
  }

  /** Begins parked: the caller sends it on. Hot path: one object. */
  begin(
    question: Question,
    deadlineMs: number,
    resolve: (answer: Answer) => void,
    reject: (fault: Fault) => void,
  ): Pending {
    const pending = new Pending(++this.#lastNumber, question, deadlineMs, resolve, reject);
    this.#byNumber.set(pending.number, pending);
    this.#parkedCount++;
    return pending;
  }

  /** False when the peer's window is full: the ask stays parked. */
  assign(pending: Pending, nodeId: string, nowMs: number): boolean {
    assert(pending.state === "parked", "an ask is assigned to one node at a time");
    const window = this.#windowOf(nodeId);
    if (pending.isNewHold) {
      if (window.holds >= PEER_HOLDS_MAX) return false;
      window.holds++;
    } else {
      if (window.others >= PEER_RESERVE_MAX) return false;
      window.others++;
    }
    this.#parkedCount--;
    if (pending.nodeId !== "") pending.attempt++;
    pending.nodeId = nodeId;
    pending.state = "queued";
    pending.changedMs = nowMs;
    return true;
  }

  /** Takes it back from its peer: it surely was not done there. */
  park(pending: Pending, nowMs: number): void {
    assert(pending.state === "queued" || pending.state === "sent", "it is with a peer");
    this.#leave(pending);
    pending.state = "parked";
    pending.changedMs = nowMs;
    this.#parkedCount++;
  }

  /** The ask that this answer is for, or null: a late, doubled, foreign or made-up one. */
  answered(wireId: number, from: string): Pending | null {
    const pending = this.#byNumber.get(Math.floor(wireId / ATTEMPTS));
    if (pending === undefined || pending.wireId !== wireId) return null;
    return pending.state === "sent" && pending.nodeId === from ? pending : null;
  }

  resolve(pending: Pending, answer: Answer): void {
    this.#settle(pending);
    pending.resolve(answer);
  }

  reject(pending: Pending, fault: Fault): void {
    this.#settle(pending);
    pending.reject(fault);
  }

  /** In order of arrival; may be settled, parked or assigned on the way. */
  all(): IterableIterator<Pending> {
    return this.#byNumber.values();
  }

  #settle(pending: Pending): void {
    assert(pending.state !== "settled", "an ask settles once");
    if (pending.state === "parked") this.#parkedCount--;
    else this.#leave(pending);
    pending.state = "settled";
    this.#byNumber.delete(pending.number);
  }

  #leave(pending: Pending): void {
    const window = this.#windowOf(pending.nodeId);
    if (pending.isNewHold) window.holds--;
    else window.others--;
    assert(window.holds >= 0 && window.others >= 0, "a window never holds less than nothing");
  }

  #windowOf(nodeId: string): Window {
    let window = this.#windows.get(nodeId);
    if (window === undefined) {
      window = { holds: 0, others: 0 };
      this.#windows.set(nodeId, window);
    }
    return window;
  }
}
