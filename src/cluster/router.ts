// Router: the stock of the whole cluster behind the `Stock` port. A partition that is here is asked
// directly, any other through its owner's node.
//
// Owns          which way a question goes, and the messages of both ways (remote-asks.ts,
//               responder.ts).
// Does not own  partitions, placement, the bus.

import { Fault } from "../core/errors.ts";
import { COUNTS_PAGE, READ_WAIT_MS, REQUEST_DEADLINE_MS } from "../core/limits.ts";
import type { Bus } from "../core/ports/bus.ts";
import type { LocalPartitions } from "../core/ports/local-partitions.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import type { CartHold, SkuCounts, SkuRef, Stock } from "../core/ports/stock.ts";
import type { Command, HoldRefusal, Outcome, OutcomeOf } from "../core/stock/command.ts";
import { IgnoredMessages } from "./ignored-messages.ts";
import { isElsewhere, LocalAnswers } from "./local-answers.ts";
import { MessageAges } from "./message-ages.ts";
import { Sender } from "./outbox.ts";
import type { Owners } from "./owners.ts";
import { RemoteAsks, type RouterStats } from "./remote-asks.ts";
import { Responder } from "./responder.ts";
import { NODE_ID } from "./subjects.ts";
import { type Answer, decodeAnswer, namedCounts } from "./wire-answer.ts";
import { decodeMessage, Garbled, integer, isRouterMessage, type Message } from "./wire-message.ts";
import type { Question } from "./wire-request.ts";

/** What edges know of each other's stock (levels.ts). */
export interface Edge {
  /** What may be refused without asking the owner, true within I8; or null: ask. */
  refusalOf(sku: SkuRef): HoldRefusal | null;
  /** Another node was told so by a partition that is here. */
  soldOut(sku: SkuRef): void;
}

export type RouterOptions = {
  readonly self: string;
  /** Of this process: no other life of the node has the same. */
  readonly incarnation: string;
  readonly partitionCount: number;
  readonly bus: Bus;
  readonly local: LocalPartitions & Pick<Stock, "refuseEarly">;
  readonly owners: Owners;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly edge?: Edge;
};

export class Router implements Stock {
  readonly #options: RouterOptions;
  readonly #local: LocalAnswers;
  readonly #remote: RemoteAsks;
  readonly #responder: Responder;
  readonly #ages: MessageAges;
  readonly #ignored: IgnoredMessages;

  constructor(options: RouterOptions) {
    this.#options = options;
    const { self, incarnation, bus, local, owners, runtime, log } = options;
    this.#local = new LocalAnswers({ self, local, owners });
    const sender = new Sender({ bus, runtime, nodeId: self, incarnation });
    const shared = { sender, local: this.#local, owners, runtime };
    this.#remote = new RemoteAsks({ ...shared, self, bus });
    const { edge } = options;
    this.#responder = new Responder(edge === undefined ? shared : { ...shared, edge });
    this.#ages = new MessageAges(runtime.clock);
    this.#ignored = new IgnoredMessages(runtime.clock, log);
    bus.onMessage((payload) => {
      if (isRouterMessage(payload)) this.#onMessage(payload);
    });
  }

  get stats(): RouterStats {
    return this.#remote.stats;
  }

  get pendingCount(): number {
    return this.#remote.pendingCount;
  }

  get parkedCount(): number {
    return this.#remote.parkedCount;
  }

  /** Whoever still waits hears `busy`. */
  close(): void {
    this.#remote.close();
    this.#responder.close();
  }

  /** Hot path (bench/router.ts). */
  ask<C extends Command>(sku: SkuRef, command: C): Promise<OutcomeOf<C>> {
    const deadlineMs = this.#nowMs() + REQUEST_DEADLINE_MS;
    const asked = this.#isHere(sku.partition)
      ? this.#askHere(sku, command, deadlineMs)
      : this.#askAway(sku, command, deadlineMs);
    return asked as Promise<OutcomeOf<C>>;
  }

  /** Hot path. */
  refuseEarly(sku: SkuRef): HoldRefusal | null {
    if (this.#isHere(sku.partition)) return this.#options.local.refuseEarly(sku);
    return this.#options.edge?.refusalOf(sku) ?? null;
  }

  async cart(shopper: string): Promise<{ holds: readonly CartHold[]; complete: boolean }> {
    const { here, away, orphans } = this.#partitionsByOwner();
    const asked: Promise<Answer>[] = [this.#local.cart(shopper, here, READ_WAIT_MS)];
    for (const [nodeId, partitions] of away) {
      asked.push(this.#lookAway(nodeId, { kind: "cart", shopper, partitions }));
    }
    const holds: CartHold[] = [];
    let complete = !orphans;
    for (const answered of await Promise.allSettled(asked)) {
      const answer = answered.status === "fulfilled" ? answered.value : null;
      if (answer?.kind === "cart") holds.push(...answer.holds);
      if (answer?.kind !== "cart" || !answer.isComplete) complete = false;
    }
    return { holds, complete };
  }

  async counts(skus: readonly SkuRef[]): Promise<readonly (SkuCounts | null)[]> {
    const counts: (SkuCounts | null)[] = skus.map(() => null);
    const asked: Promise<void>[] = [];
    for (const [nodeId, indexes] of this.#indexesByOwner(skus)) {
      for (let from = 0; from < indexes.length; from += COUNTS_PAGE) {
        const page = indexes.slice(from, from + COUNTS_PAGE);
        const pageSkus = page.map((index) => skus[index]!);
        asked.push(
          this.#countsAt(nodeId, pageSkus).then((found) => {
            page.forEach((index, at) => {
              counts[index] = found[at] ?? null;
            });
          }),
        );
      }
    }
    await Promise.allSettled(asked);
    return counts;
  }

  /** What this node owns, or is about to. */
  #isHere(partition: number): boolean {
    const { state } = this.#options.local.partition(partition);
    return state !== "idle";
  }

  /** A partition that goes away before it decides is followed to its next owner. */
  #askHere(sku: SkuRef, command: Command, deadlineMs: number): Promise<Outcome> {
    const { local } = this.#options;
    return local.askWithin(sku, command, REQUEST_DEADLINE_MS).catch((cause: unknown) => {
      if (!isElsewhere(cause)) throw cause;
      return this.#askAway(sku, command, deadlineMs);
    });
  }

  #askAway(sku: SkuRef, command: Command, deadlineMs: number): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const settle = (answer: Answer): void => {
        if (answer.kind === "outcome") resolve(answer.outcome);
        else reject(new Fault("unknown", "the answer is of another kind"));
      };
      this.#remote.ask({ kind: "ask", sku, command }, deadlineMs, settle, reject);
    });
  }

  #lookAway(nodeId: string, question: Question): Promise<Answer> {
    const deadlineMs = this.#nowMs() + READ_WAIT_MS;
    return new Promise((resolve, reject) => {
      this.#remote.askNode(nodeId, question, deadlineMs, resolve, reject);
    });
  }

  async #countsAt(nodeId: string, skus: readonly SkuRef[]): Promise<readonly (SkuCounts | null)[]> {
    if (nodeId === this.#options.self) {
      return namedCounts(skus, await this.#local.counts(skus, READ_WAIT_MS));
    }
    const answer = await this.#lookAway(nodeId, { kind: "counts", skus });
    return answer.kind === "counts" ? namedCounts(skus, answer.counts) : [];
  }

  #ownerOf(partition: number): string | null {
    if (this.#isHere(partition)) return this.#options.self;
    const owner = this.#options.owners.ownerOf(partition);
    return owner === this.#options.self ? null : owner;
  }

  #partitionsByOwner(): {
    readonly here: readonly number[];
    readonly away: ReadonlyMap<string, number[]>;
    readonly orphans: boolean;
  } {
    const here: number[] = [];
    const away = new Map<string, number[]>();
    let orphans = false;
    for (let partition = 0; partition < this.#options.partitionCount; partition++) {
      const owner = this.#ownerOf(partition);
      if (owner === this.#options.self) here.push(partition);
      else if (owner === null) orphans = true;
      else addTo(away, owner, partition);
    }
    return { here, away, orphans };
  }

  #indexesByOwner(skus: readonly SkuRef[]): ReadonlyMap<string, number[]> {
    const byOwner = new Map<string, number[]>();
    skus.forEach(({ partition }, index) => {
      const owner = this.#ownerOf(partition);
      if (owner !== null) addTo(byOwner, owner, index);
    });
    return byOwner;
  }

  #onMessage(payload: string): void {
    try {
      const message = decodeMessage(payload);
      if (!NODE_ID.test(message.header.from)) throw new Garbled("no node has this id");
      if (message.header.kind === "a") this.#onAnswers(message);
      else this.#onRequests(message);
    } catch (cause) {
      if (!(cause instanceof Garbled)) throw cause;
      this.#ignored.ignored("garbled");
    }
  }

  #onAnswers(message: Message): void {
    const { from, to } = message.header;
    // Asked by an earlier life of this node: nobody waits for it any more.
    if (to !== this.#options.incarnation) return;
    const answers = message.lines.map((fields) => decodeAnswer(fields));
    message.lines.forEach((fields, index) => {
      this.#remote.onAnswer(integer(fields[0]), from, answers[index]!);
    });
  }

  #onRequests(message: Message): void {
    const ageMs = this.#ages.ageMs(message.header);
    if (ageMs === null) this.#ignored.ignored("double");
    else this.#responder.onRequests(message, ageMs);
  }

  #nowMs(): number {
    return this.#options.runtime.clock.monotonicMs();
  }
}

function addTo(map: Map<string, number[]>, key: string, value: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
