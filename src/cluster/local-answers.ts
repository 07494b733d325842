// Questions to partitions of this node, asked by this node or by another, as answers for the wire.

import { Fault, faultOf } from "../core/errors.ts";
import type { LocalPartitions } from "../core/ports/local-partitions.ts";
import type { CartHold, SkuRef } from "../core/ports/stock.ts";
import type { Command } from "../core/stock/command.ts";
import type { Owners } from "./owners.ts";
import type { Answer, Counted } from "./wire-answer.ts";
import type { Question } from "./wire-request.ts";

export class LocalAnswers {
  readonly #self: string;
  readonly #local: LocalPartitions;
  readonly #owners: Owners;

  constructor(options: {
    readonly self: string;
    readonly local: LocalPartitions;
    readonly owners: Owners;
  }) {
    this.#self = options.self;
    this.#local = options.local;
    this.#owners = options.owners;
  }

  /** Is the partition here, in whatever state? */
  isHere(partition: number): boolean {
    return this.#local.partition(partition).state !== "idle";
  }

  /** Hot path. `settle` is called once, maybe within the call. */
  ask(sku: SkuRef, command: Command, leftMs: number, settle: (answer: Answer) => void): void {
    if (!this.isHere(sku.partition)) {
      settle(this.moved(sku.partition));
      return;
    }
    this.#local.askWithin(sku, command, leftMs).then(
      (outcome) => settle({ kind: "outcome", outcome }),
      (cause: unknown) => settle(this.#answerOf(sku.partition, cause)),
    );
  }

  /** Never rejects. */
  async look(question: Exclude<Question, { kind: "ask" }>, leftMs: number): Promise<Answer> {
    if (question.kind === "cart") return this.cart(question.shopper, question.partitions, leftMs);
    return { kind: "counts", counts: await this.counts(question.skus, leftMs) };
  }

  async cart(
    shopper: string,
    partitions: readonly number[],
    leftMs: number,
  ): Promise<Extract<Answer, { kind: "cart" }>> {
    const answers = await Promise.allSettled(
      partitions.map((partition) => this.#local.cartOf(partition, shopper, leftMs)),
    );
    const holds: CartHold[] = [];
    let isComplete = true;
    for (const answer of answers) {
      if (answer.status === "fulfilled") holds.push(...answer.value);
      else isComplete = false;
    }
    return { kind: "cart", isComplete, holds };
  }

  /** In the order of `skus`; null where the partition is not here or knows no such SKU. */
  async counts(skus: readonly SkuRef[], leftMs: number): Promise<(Counted | null)[]> {
    const counts: (Counted | null)[] = skus.map(() => null);
    const indexesOf = Map.groupBy(skus.keys(), (index) => skus[index]!.partition);
    await Promise.allSettled(
      [...indexesOf].map(async ([partition, indexes]) => {
        const keys = indexes.map((index) => skus[index]!.key);
        const found = await this.#local.countsOf(partition, keys, leftMs);
        indexes.forEach((index, at) => {
          counts[index] = found[at] ?? null;
        });
      }),
    );
    return counts;
  }

  /** Where else it may be; "" when that is not known. */
  moved(partition: number): Answer {
    const owner = this.#owners.ownerOf(partition);
    return { kind: "moved", owner: owner === null || owner === this.#self ? "" : owner, claim: 0 };
  }

  /** `not_owner` and `fenced` say that it was not decided: it may be asked elsewhere. */
  #answerOf(partition: number, cause: unknown): Answer {
    const fault = faultOf(cause, "unknown", `partition ${partition}`);
    if (isElsewhere(fault)) return this.moved(partition);
    return { kind: "fault", code: fault.code, detail: fault.message };
  }
}

/** The partition went away before it decided: nothing was done. */
export function isElsewhere(fault: unknown): boolean {
  return fault instanceof Fault && (fault.code === "not_owner" || fault.code === "fenced");
}
