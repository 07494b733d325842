// Questions to single nodes: are you there?

import type { Bus } from "../core/ports/bus.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import { type ControlMessage, encodeControl } from "./control-message.ts";
import type { Peer } from "./failure-detector.ts";

/** A living node answers a ping in a few milliseconds, one under load in some hundred. */
const ALIVE_WAIT_MS = 600;
const ALIVE_STEP_MS = 100;

export class Peers {
  readonly #id: string;
  readonly #bus: Bus;
  readonly #runtime: Runtime;
  readonly #incarnation: () => string;
  #number = 0;
  /** Who has answered a ping lately: incarnations. Small: cleared before each question. */
  readonly #alive = new Set<string>();

  constructor(options: {
    readonly id: string;
    readonly bus: Bus;
    readonly runtime: Runtime;
    readonly incarnation: () => string;
  }) {
    this.#id = options.id;
    this.#bus = options.bus;
    this.#runtime = options.runtime;
    this.#incarnation = options.incarnation;
  }

  ping(peerId: string, onNoResponder?: () => void): void {
    const number = ++this.#number;
    const incarnation = this.#incarnation();
    const message = { kind: "ping", from: this.#id, incarnation, number } as const;
    this.#bus.send(peerId, encodeControl(message), onNoResponder);
  }

  /**
   * Is that incarnation of the id alive? The id may be our own: then our own pings come back too, and
   * are told apart by their incarnation.
   */
  async isAlive(id: string, incarnation: string): Promise<boolean> {
    this.#alive.clear();
    const answer = { isGone: false };
    for (let waitedMs = 0; waitedMs < ALIVE_WAIT_MS; waitedMs += ALIVE_STEP_MS) {
      this.ping(id, () => {
        answer.isGone = true;
      });
      await this.#runtime.pause(ALIVE_STEP_MS);
      if (this.#alive.has(incarnation)) return true;
      if (answer.isGone) return false;
    }
    return false;
  }

  /** Answers pings; notes who answers ours. Returns who was heard by it. */
  onMessage(message: ControlMessage): Peer | null {
    const { from, incarnation } = message;
    const own = this.#incarnation();
    if (message.kind === "ping" && incarnation !== own) {
      const { number } = message;
      const pong = {
        kind: "pong",
        from: this.#id,
        incarnation: own,
        to: incarnation,
        number,
      } as const;
      this.#bus.send(from, encodeControl(pong));
      return null;
    }
    if (message.kind !== "pong" || message.to !== own) return null;
    if (this.#alive.size < 16) this.#alive.add(incarnation);
    return { id: from, incarnation };
  }
}
