// Who listens on a bus: what both implementations of the port share.

import type { BroadcastTopic } from "../core/ports/bus.ts";
import type { Logger } from "../core/ports/logger.ts";

type OnText = (payload: string) => void;

/** Handlers are added and called in order; one that throws is a bug of ours and stops no other. */
export class BusHandlers {
  readonly #log: Logger;
  readonly #message: OnText[] = [];
  readonly #broadcast: Record<BroadcastTopic, OnText[]> = { heartbeat: [], levels: [] };
  readonly #connection: ((isConnected: boolean) => void)[] = [];

  constructor(log: Logger) {
    this.#log = log;
  }

  onMessage(handler: OnText): void {
    this.#message.push(handler);
  }

  onBroadcast(topic: BroadcastTopic, handler: OnText): void {
    this.#broadcast[topic].push(handler);
  }

  onConnection(handler: (isConnected: boolean) => void): void {
    this.#connection.push(handler);
  }

  message(payload: string): void {
    for (const handler of this.#message) this.run(() => handler(payload));
  }

  broadcast(topic: BroadcastTopic, payload: string): void {
    for (const handler of this.#broadcast[topic]) this.run(() => handler(payload));
  }

  connection(isConnected: boolean): void {
    for (const handler of this.#connection) this.run(() => handler(isConnected));
  }

  /** The top of every call that comes from a bus: nothing above it would survive a throw. */
  run(call: () => void): void {
    try {
      call();
    } catch (cause) {
      const err = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      this.#log.error({ err }, "a message could not be handled");
    }
  }
}
