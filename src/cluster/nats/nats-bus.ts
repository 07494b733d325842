// The bus over core NATS: at most once, nothing kept, nothing proven.
//
//   N1  nothing is given to the client while it is cut off: it would keep it, and drop it at the
//       next dial without a word (c-17)
//   N2  a publish to a node carries a reply subject of one shared inbox, so that the server says at
//       once when nobody listens there
//   N3  what is received is handed on in the callback: no iterator gathers it without bound (c-22)

import { createInbox, Events, type Msg, type NatsConnection } from "nats";

import { assert } from "../../core/assert.ts";
import { BUS_MESSAGE_BYTES_MAX } from "../../core/limits.ts";
import type { BroadcastTopic, Bus } from "../../core/ports/bus.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { Logger } from "../../core/ports/logger.ts";
import { BusHandlers } from "../bus-handlers.ts";
import { Envelope } from "../envelope.ts";
import { IgnoredMessages } from "../ignored-messages.ts";
import { BROADCAST_TOPICS, broadcastSubject, nodeSubject } from "../subjects.ts";

const NO_RESPONDERS = 503;

/** Sends whose "nobody listens" may still come; the answer takes a round trip. */
const AWAITED_MAX = 4_096;

export type NatsBusOptions = {
  /** The bus takes it over and closes it. */
  readonly connection: NatsConnection;
  readonly nodeId: string;
  readonly clusterId: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The format to write: the newest that all members read. */
  readonly writes?: () => number;
};

export class NatsBus implements Bus {
  readonly #connection: NatsConnection;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #envelope: Envelope;
  readonly #ignored: IgnoredMessages;
  readonly #handlers: BusHandlers;
  readonly #inbox: string;
  /** Two generations by the number of the send: the older goes when the newer is full. */
  #awaited = new Map<number, () => void>();
  #awaitedBefore = new Map<number, () => void>();
  #sendCount = 0;
  #isConnected = true;
  #isClosed = false;
  #connectedAtMs: number;

  constructor(options: NatsBusOptions) {
    const { connection, nodeId, clusterId, clock, log, writes } = options;
    this.#connection = connection;
    this.#clock = clock;
    this.#log = log;
    this.#envelope = new Envelope(clusterId, writes);
    this.#ignored = new IgnoredMessages(clock, log);
    this.#handlers = new BusHandlers(log);
    this.#connectedAtMs = clock.monotonicMs();
    this.#inbox = createInbox();
    this.#listen(nodeSubject(nodeId), (payload) => this.#handlers.message(payload));
    for (const topic of BROADCAST_TOPICS) {
      this.#listen(broadcastSubject(topic), (payload) => this.#handlers.broadcast(topic, payload));
    }
    connection.subscribe(`${this.#inbox}.*`, { callback: (_, message) => this.#onReply(message) });
    void this.#watch();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get connectedAtMs(): number {
    return this.#connectedAtMs;
  }

  send(nodeId: string, payload: string, onNoResponder?: () => void): void {
    assert(payload.length <= BUS_MESSAGE_BYTES_MAX, "whoever sends keeps to the bus' bound");
    if (!this.#isConnected) return;
    const text = this.#envelope.seal(payload);
    if (onNoResponder === undefined) {
      this.#publish(nodeSubject(nodeId), text);
      return;
    }
    const number = ++this.#sendCount;
    if (this.#awaited.size >= AWAITED_MAX) {
      this.#awaitedBefore = this.#awaited;
      this.#awaited = new Map();
    }
    this.#awaited.set(number, onNoResponder);
    this.#publish(nodeSubject(nodeId), text, `${this.#inbox}.${number}`);
  }

  broadcast(topic: BroadcastTopic, payload: string): void {
    assert(payload.length <= BUS_MESSAGE_BYTES_MAX, "whoever sends keeps to the bus' bound");
    if (this.#isConnected) this.#publish(broadcastSubject(topic), this.#envelope.seal(payload));
  }

  onMessage(handler: (payload: string) => void): void {
    this.#handlers.onMessage(handler);
  }

  onBroadcast(topic: BroadcastTopic, handler: (payload: string) => void): void {
    this.#handlers.onBroadcast(topic, handler);
  }

  onConnection(handler: (isConnected: boolean) => void): void {
    this.#handlers.onConnection(handler);
  }

  /** What was sent before leaves first, when there is a server to take it. */
  async close(): Promise<void> {
    const wasConnected = this.#isConnected;
    this.#isConnected = false;
    this.#isClosed = true;
    this.#connectedAtMs = Number.POSITIVE_INFINITY;
    if (this.#connection.isClosed()) return;
    if (wasConnected) await this.#flushed();
    await this.#connection.close();
  }

  /** A server that hangs is not waited for longer than its ping. */
  async #flushed(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, 1_000);
    await Promise.race([this.#connection.flush().catch(() => undefined), late]);
    clearTimeout(timer);
  }

  #publish(subject: string, text: string, reply?: string): void {
    if (this.#connection.isClosed()) return;
    this.#connection.publish(subject, text, reply === undefined ? {} : { reply });
  }

  #listen(subject: string, handler: (payload: string) => void): void {
    this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) {
          this.#log.error({ subject, err: error.message }, "NATS refuses a subscription");
          return;
        }
        if (this.#isClosed) return;
        const unsealed = this.#envelope.unseal(message.string());
        if (unsealed.kind === "ours") handler(unsealed.payload);
        else this.#ignored.ignored(unsealed.reason);
      },
    });
  }

  #onReply(message: Msg): void {
    if (message.headers?.code !== NO_RESPONDERS) return;
    const number = Number(message.subject.slice(this.#inbox.length + 1));
    const onNoResponder = this.#awaited.get(number) ?? this.#awaitedBefore.get(number);
    if (onNoResponder === undefined) return;
    this.#awaited.delete(number);
    this.#awaitedBefore.delete(number);
    this.#handlers.run(onNoResponder);
  }

  /** Ends with the connection. */
  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === Events.Disconnect) this.#setConnected(false);
      else if (status.type === Events.Reconnect) this.#setConnected(true);
      else if (status.type === Events.Error) {
        this.#log.warn({ err: JSON.stringify(status.data) }, "NATS says");
      }
    }
    this.#setConnected(false);
  }

  #setConnected(isConnected: boolean): void {
    if (isConnected === this.#isConnected) return;
    this.#isConnected = isConnected;
    this.#connectedAtMs = isConnected ? this.#clock.monotonicMs() : Number.POSITIVE_INFINITY;
    this.#log.warn({ isConnected }, isConnected ? "NATS is back" : "cut off from NATS");
    this.#handlers.connection(isConnected);
  }
}
