// How requests reach the cluster: at any node, with a connection that breaks when the node dies. Every
// attempt is recorded, judged when it is answered, and must be answered in time (I9).

import { Fault } from "../../src/core/errors.ts";
import { REQUEST_DEADLINE_MS } from "../../src/core/limits.ts";
import type { SkuRef, Stock } from "../../src/core/ports/stock.ts";
import type { Command, Outcome } from "../../src/core/stock/command.ts";
import type { Attempt, Causes } from "./causes.ts";
import { isGrant, type Oracle } from "./oracle.ts";
import type { Random } from "./random.ts";
import { expectThat, Violation } from "./shadow.ts";
import type { Process, World } from "./world.ts";

/** Where requests enter a node. */
export type Entrance = {
  readonly nodeId: string;
  readonly process: Process;
  readonly stock: Stock;
};

/** `resend`: nothing was done. `unknown`: it may have been, or may still be. */
export type Answer =
  | { readonly kind: "outcome"; readonly outcome: Outcome }
  | { readonly kind: "resend" }
  | { readonly kind: "unknown" };

/** Deadlines are looked at about ten times a second, at the entrance and at the owner. */
const DEADLINE_SLACK_MS = 350;
const HOP_MS = 0.3;

export type AnswerCounts = {
  sent: number;
  grants: number;
  refusals: number;
  early: number;
  unknown: number;
};

type Open = { readonly attempt: Attempt; readonly settle: (answer: Answer) => void };

export class Clients {
  readonly counts: AnswerCounts = { sent: 0, grants: 0, refusals: 0, early: 0, unknown: 0 };
  readonly #world: World;
  readonly #random: Random;
  readonly #oracle: Oracle;
  readonly #causes: Causes;
  readonly #entrances: () => readonly Entrance[];
  readonly #open = new Map<Process, Set<Open>>();
  #lastId = 0;

  constructor(options: {
    readonly world: World;
    readonly random: Random;
    readonly oracle: Oracle;
    readonly causes: Causes;
    /** The nodes that listen now. */
    readonly entrances: () => readonly Entrance[];
  }) {
    this.#world = options.world;
    this.#random = options.random;
    this.#oracle = options.oracle;
    this.#causes = options.causes;
    this.#entrances = options.entrances;
  }

  get openCount(): number {
    let count = 0;
    for (const open of this.#open.values()) count += open.size;
    return count;
  }

  openAt(process: Process): number {
    return this.#open.get(process)?.size ?? 0;
  }

  /** Its sockets are closed: whoever waited there does not know. */
  killed(process: Process): void {
    // Each takes itself out of the set, which iteration minds not.
    for (const open of this.#open.get(process) ?? []) open.settle({ kind: "unknown" });
    this.#open.delete(process);
  }

  pause(pauseMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#world.after(pauseMs, null, resolve);
    });
  }

  /** Repeats the same request, here and there, until it is answered; null when patience is over. */
  async ask(sku: SkuRef, command: Command, tries: number): Promise<Outcome | null> {
    for (let left = tries; left > 0; left--) {
      const entrances = this.#entrances();
      if (entrances.length > 0) {
        const answer = await this.attempt(this.#random.pick(entrances), sku, command);
        if (answer.kind === "outcome") return answer.outcome;
      }
      await this.pause(this.#random.between(50, 500));
    }
    return null;
  }

  attempt(entrance: Entrance, sku: SkuRef, command: Command): Promise<Answer> {
    const { nodeId, process, stock } = entrance;
    const attempt: Attempt = {
      id: ++this.#lastId,
      skuKey: sku.key,
      command,
      nodeId,
      sentMs: this.#world.nowMs,
      enteredMs: Number.POSITIVE_INFINITY,
      doneByMs: Number.POSITIVE_INFINITY,
      mayHaveActed: true,
    };
    this.counts.sent++;
    this.#causes.began(attempt);
    return new Promise<Answer>((resolve) => {
      const open: Open = {
        attempt,
        settle: (answer) => {
          // Whoever was told that the connection broke hears nothing more.
          if (this.#open.get(process)?.delete(open) !== true) return;
          this.#world.guard(() => this.#settled(attempt, answer));
          resolve(answer);
        },
      };
      this.#waits(process, open);
      this.#world.after(HOP_MS, process, () => {
        attempt.enteredMs = this.#world.nowMs;
        // As the HTTP edge does: some refusals need nobody.
        const early = command.kind === "hold" ? stock.refuseEarly(sku) : null;
        if (early !== null) {
          this.counts.early++;
          open.settle({ kind: "outcome", outcome: early });
          return;
        }
        stock.ask(sku, command).then(
          (outcome) => open.settle({ kind: "outcome", outcome }),
          (cause: unknown) => {
            this.#world.guard(() => open.settle(answerOf(attempt, cause)));
          },
        );
      });
      this.#watch(process, open);
    });
  }

  #waits(process: Process, open: Open): void {
    const others = this.#open.get(process);
    if (others === undefined) this.#open.set(process, new Set([open]));
    else others.add(open);
  }

  #watch(process: Process, open: Open): void {
    this.#world.after(REQUEST_DEADLINE_MS + DEADLINE_SLACK_MS, null, () => {
      if (this.#open.get(process)?.has(open) !== true) return;
      const sinceMs = Math.max(open.attempt.sentMs, process.resumedMs);
      const waitedMs = this.#world.nowMs - sinceMs;
      const isOverdue = !process.isPaused && waitedMs >= REQUEST_DEADLINE_MS + DEADLINE_SLACK_MS;
      expectThat(!isOverdue, "I9", () => `${describe(open.attempt)}: no answer for ${waitedMs} ms`);
      this.#watch(process, open);
    });
  }

  #settled(attempt: Attempt, answer: Answer): void {
    const what = answer.kind === "outcome" ? JSON.stringify(answer.outcome) : answer.kind;
    this.#world.log(`answer ${attempt.id} ${describe(attempt)}: ${what}`);
    if (answer.kind === "unknown") {
      this.counts.unknown++;
      return;
    }
    attempt.doneByMs = this.#world.nowMs;
    if (answer.kind === "resend") {
      attempt.mayHaveActed = false;
      return;
    }
    const { outcome } = answer;
    const isDone = isGrant(outcome);
    if (isDone) this.counts.grants++;
    else this.counts.refusals++;
    // An order that is refused is remembered: that is an effect too.
    attempt.mayHaveActed = isDone || outcome.kind === "refused";
    this.#oracle.judge(attempt, outcome);
  }
}

function answerOf(attempt: Attempt, cause: unknown): Answer {
  if (!(cause instanceof Fault)) throw new Violation("bug", String(cause));
  if (cause.retry === "give_up")
    throw new Violation("halt", `${describe(attempt)}: ${cause.message}`);
  return cause.retry === "resend" ? { kind: "resend" } : { kind: "unknown" };
}

function describe({ nodeId, skuKey, command }: Attempt): string {
  return `${nodeId} ${skuKey} ${JSON.stringify(command)}`;
}
