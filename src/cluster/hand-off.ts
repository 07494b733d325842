// HandOff
//
// Pulled: who is to own a partition asks the one that serves it; that one finishes what it accepted,
// releases the claim and answers. Nothing depends on the answer: after GIVE_WAIT_MS the new owner
// claims anyway, and the fence sees to the rest.

import { assert } from "../core/assert.ts";
import { GIVE_WAIT_MS } from "../core/limits.ts";
import type { Bus } from "../core/ports/bus.ts";
import type { LocalPartitions } from "../core/ports/local-partitions.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import { type ControlMessage, encodeControl } from "./control-message.ts";

/** A question that was lost is asked again. */
const ASK_AGAIN_MS = 150;

export type GiveEnd = "given" | "kept" | "gone" | "silent";

type Asked = {
  readonly number: number;
  readonly from: string;
  readonly partition: number;
  readonly view: number;
  readonly untilMs: number;
  askedAtMs: number;
  readonly end: (how: GiveEnd) => void;
};

export type Give = Extract<ControlMessage, { kind: "give" }>;
type Reply = Extract<ControlMessage, { kind: "reply" }>;

export class HandOff {
  readonly #id: string;
  readonly #bus: Bus;
  readonly #local: LocalPartitions;
  readonly #runtime: Runtime;
  readonly #incarnation: () => string;
  readonly #asked = new Map<number, Asked>();
  readonly #giving = new Map<number, Promise<void>>();
  #number = 0;
  /** Partitions that were given away on request. */
  givenCount = 0;

  constructor(options: {
    readonly id: string;
    readonly bus: Bus;
    readonly local: LocalPartitions;
    readonly runtime: Runtime;
    readonly incarnation: () => string;
  }) {
    this.#id = options.id;
    this.#bus = options.bus;
    this.#local = options.local;
    this.#runtime = options.runtime;
    this.#incarnation = options.incarnation;
  }

  /** Asks the one that serves the partition. Never rejects; ends within about GIVE_WAIT_MS. */
  ask(partition: number, from: string, view: number): Promise<GiveEnd> {
    assert(from !== this.#id, "nobody asks oneself");
    const nowMs = this.#runtime.clock.monotonicMs();
    return new Promise<GiveEnd>((resolve) => {
      const number = ++this.#number;
      const end = (how: GiveEnd): void => {
        this.#asked.delete(number);
        resolve(how);
      };
      const untilMs = nowMs + GIVE_WAIT_MS;
      const asked: Asked = { number, from, partition, view, untilMs, askedAtMs: nowMs, end };
      this.#asked.set(number, asked);
      this.#send(asked);
    });
  }

  look(nowMs: number): void {
    for (const asked of this.#asked.values()) {
      if (nowMs >= asked.untilMs) asked.end("silent");
      else if (nowMs - asked.askedAtMs >= ASK_AGAIN_MS) {
        asked.askedAtMs = nowMs;
        this.#send(asked);
      }
    }
  }

  onReply({ to, partition, number, isGiven, from }: Reply): void {
    const asked = this.#asked.get(number);
    if (to !== this.#incarnation() || asked?.partition !== partition) return;
    if (asked.from === from) asked.end(isGiven ? "given" : "kept");
  }

  /** Releases the partition, if it is here, and says so. */
  async give(request: Give): Promise<void> {
    const { partition } = request;
    const { state } = this.#local.partition(partition);
    if (state !== "idle" && state !== "halted") await this.#release(partition);
    this.answer(request, true);
  }

  answer({ from, incarnation: to, partition, number }: Give, isGiven: boolean): void {
    const incarnation = this.#incarnation();
    const kind = "reply" as const;
    const reply = { kind, from: this.#id, incarnation, to, partition, number, isGiven };
    this.#bus.send(from, encodeControl(reply));
  }

  /** Asked twice, released once. */
  #release(partition: number): Promise<void> {
    let giving = this.#giving.get(partition);
    if (giving === undefined) {
      this.givenCount++;
      giving = this.#local.disown(partition).finally(() => this.#giving.delete(partition));
      this.#giving.set(partition, giving);
    }
    return giving;
  }

  #send({ number, from, partition, view, end }: Asked): void {
    const incarnation = this.#incarnation();
    const give = { kind: "give", from: this.#id, incarnation, partition, view, number } as const;
    this.#bus.send(from, encodeControl(give), () => end("gone"));
  }
}
