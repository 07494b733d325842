// The in-process twin of the bus: several nodes of one process on one LocalNetwork, for tests and
// for an engine that wants the cluster's code without servers.
//
// Messages arrive in a later turn, as from a socket. A node that is cut off loses what it sends and
// what is sent to it, and nobody is told, as behind a dead switch.

import { assert } from "../core/assert.ts";
import type { BroadcastTopic, Bus } from "../core/ports/bus.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import { BusHandlers } from "./bus-handlers.ts";
import { Envelope } from "./envelope.ts";
import { IgnoredMessages } from "./ignored-messages.ts";
import { NODE_ID } from "./subjects.ts";

export type LocalBusOptions = {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly writes?: () => number;
};

export class LocalNetwork {
  readonly #buses = new Set<LocalBus>();

  /** The bus of a node. Several may have the same id, as two servers' clients may. */
  connect(options: LocalBusOptions): LocalBus {
    assert(NODE_ID.test(options.nodeId), "a node id is 1 to 32 of a-z, 0-9 and -");
    const bus = new LocalBus(this, options);
    this.#buses.add(bus);
    return bus;
  }

  /** Buses that listen for the node, reachable or not. */
  listeners(nodeId: string): readonly LocalBus[] {
    return [...this.#buses].filter((bus) => bus.nodeId === nodeId);
  }

  all(): readonly LocalBus[] {
    return [...this.#buses];
  }

  remove(bus: LocalBus): void {
    this.#buses.delete(bus);
  }
}

export class LocalBus implements Bus {
  readonly nodeId: string;
  readonly #network: LocalNetwork;
  readonly #runtime: Runtime;
  readonly #envelope: Envelope;
  readonly #ignored: IgnoredMessages;
  readonly #handlers: BusHandlers;
  #isConnected = true;
  #connectedAtMs: number;

  constructor(network: LocalNetwork, options: LocalBusOptions) {
    const { nodeId, clusterId, runtime, log, writes } = options;
    this.nodeId = nodeId;
    this.#network = network;
    this.#runtime = runtime;
    this.#envelope = new Envelope(clusterId, writes);
    this.#ignored = new IgnoredMessages(runtime.clock, log);
    this.#handlers = new BusHandlers(log);
    this.#connectedAtMs = runtime.clock.monotonicMs();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get connectedAtMs(): number {
    return this.#connectedAtMs;
  }

  send(nodeId: string, payload: string, onNoResponder?: () => void): void {
    if (!this.#isConnected) return;
    const text = this.#envelope.seal(payload);
    const listeners = this.#network.listeners(nodeId).filter((bus) => bus.isConnected);
    for (const bus of listeners) bus.deliver(text);
    if (listeners.length > 0 || onNoResponder === undefined) return;
    this.#runtime.soon(() => this.#handlers.run(onNoResponder));
  }

  broadcast(topic: BroadcastTopic, payload: string): void {
    if (!this.#isConnected) return;
    const text = this.#envelope.seal(payload);
    for (const bus of this.#network.all()) bus.deliver(text, topic);
  }

  /** Text as it came from anywhere: also garbage. */
  deliver(text: string, topic: BroadcastTopic | null = null): void {
    if (!this.#isConnected) return;
    this.#runtime.soon(() => {
      if (!this.#isConnected) return;
      const unsealed = this.#envelope.unseal(text);
      if (unsealed.kind === "ignored") this.#ignored.ignored(unsealed.reason);
      else if (topic === null) this.#handlers.message(unsealed.payload);
      else this.#handlers.broadcast(topic, unsealed.payload);
    });
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

  /** Cuts the node off, or plugs it in again. */
  setConnected(isConnected: boolean): void {
    if (isConnected === this.#isConnected) return;
    this.#isConnected = isConnected;
    const { clock } = this.#runtime;
    this.#connectedAtMs = isConnected ? clock.monotonicMs() : Number.POSITIVE_INFINITY;
    this.#handlers.connection(isConnected);
  }

  close(): Promise<void> {
    this.#isConnected = false;
    this.#connectedAtMs = Number.POSITIVE_INFINITY;
    this.#network.remove(this);
    return Promise.resolve();
  }
}
