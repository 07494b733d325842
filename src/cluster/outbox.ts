// What this tick has for each peer, sent as one message, or a few when it is much. Load makes
// messages bigger, not more: nothing waits for a timer.

import { PEER_MESSAGE_BYTES_MAX } from "../core/limits.ts";
import type { Bus } from "../core/ports/bus.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import { encodeMessage, type MessageKind } from "./wire-message.ts";

/** Lines of one message as they gather. */
export interface Lines {
  readonly byteCount: number;
  readonly keys: string;
  readonly lines: string;
}

/** Numbers and stamps the messages of one incarnation of a node. */
export class Sender {
  readonly #bus: Bus;
  readonly #runtime: Runtime;
  readonly #nodeId: string;
  readonly #incarnation: string;
  #count = 0;

  constructor(options: {
    readonly bus: Bus;
    readonly runtime: Runtime;
    readonly nodeId: string;
    readonly incarnation: string;
  }) {
    this.#bus = options.bus;
    this.#runtime = options.runtime;
    this.#nodeId = options.nodeId;
    this.#incarnation = options.incarnation;
  }

  send(
    peer: { readonly nodeId: string; readonly incarnation: string },
    kind: MessageKind,
    lines: Lines,
    onNoResponder?: () => void,
  ): void {
    const header = {
      kind,
      from: this.#nodeId,
      incarnation: this.#incarnation,
      number: ++this.#count,
      sentAtMs: this.#runtime.clock.monotonicMs(),
      to: peer.incarnation,
    };
    this.#bus.send(peer.nodeId, encodeMessage(header, lines.keys, lines.lines), onNoResponder);
  }
}

/** Gathers items by peer and hands each peer's on once a tick, cut to size. */
export class Outbox<T> {
  readonly #runtime: Runtime;
  readonly #flush: (peer: string, items: readonly T[]) => void;
  #waiting = new Map<string, T[]>();
  #isAsked = false;

  constructor(runtime: Runtime, flush: (peer: string, items: readonly T[]) => void) {
    this.#runtime = runtime;
    this.#flush = flush;
  }

  /** Hot path. */
  add(peer: string, item: T): void {
    const items = this.#waiting.get(peer);
    if (items === undefined) this.#waiting.set(peer, [item]);
    else items.push(item);
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#runtime.soon(this.#run);
  }

  readonly #run = (): void => {
    this.#isAsked = false;
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const [peer, items] of waiting) this.#flush(peer, items);
  };
}

export function isFull(lines: Lines): boolean {
  return lines.byteCount >= PEER_MESSAGE_BYTES_MAX;
}
