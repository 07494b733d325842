// The simulated NATS: one server, one connection for each process, messages that are lost, late,
// doubled and out of order. It knows what a real server knows: who is subscribed at this moment.

import type { BroadcastTopic, Bus } from "../../src/core/ports/bus.ts";
import type { Runtime } from "../../src/core/ports/runtime.ts";
import type { Random } from "./random.ts";
import type { Process, World } from "./world.ts";

const LATENCY_MS = { min: 0.1, max: 0.6 };
/** Pings every 2 s, two may be missed: that is when a silent connection is given up. */
const NOTICE_MS = { min: 2_000, max: 4_500 };
const RECONNECT_MS = { min: 50, max: 1_500 };

/** What faults do to messages: all zero in good times. */
export type Weather = {
  loss: number;
  duplication: number;
  /** This part of the messages is late … */
  delay: number;
  /** … by up to this. */
  delayMaxMs: number;
};

export class SimNetwork {
  readonly weather: Weather = { loss: 0, duplication: 0, delay: 0, delayMaxMs: 0 };
  readonly #world: World;
  readonly #random: Random;
  readonly #buses = new Map<string, SimBus>();
  readonly #cuts = new Set<string>();
  isServerUp = true;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  connect(nodeId: string, process: Process, runtime: Runtime): SimBus {
    const bus = new SimBus({ network: this, nodeId, process, runtime });
    this.#buses.set(nodeId, bus);
    return bus;
  }

  get buses(): readonly SimBus[] {
    return [...this.#buses.values()];
  }

  /** The program is gone: the server sees its socket close. */
  forget(bus: SimBus): void {
    if (this.#buses.get(bus.nodeId) === bus) this.#buses.delete(bus.nodeId);
  }

  cutPair(left: string, right: string): void {
    this.#cuts.add(pairOf(left, right));
  }

  healPair(left: string, right: string): void {
    this.#cuts.delete(pairOf(left, right));
  }

  /** The node's link to the server goes silent; both sides notice after a while. */
  cutOff(nodeId: string): void {
    const bus = this.#buses.get(nodeId);
    if (bus === undefined || bus.link !== "up") return;
    bus.link = "silent";
    const { process } = bus;
    this.#world.after(this.#random.between(NOTICE_MS.min, NOTICE_MS.max), null, () => {
      if (bus.link === "silent" && this.#buses.get(nodeId) === bus) this.#drop(bus, process);
    });
  }

  reconnect(nodeId: string): void {
    const bus = this.#buses.get(nodeId);
    if (bus === undefined) return;
    if (bus.link === "silent") bus.link = "up";
    else if (bus.link === "down") this.#reconnectLater(bus);
  }

  stopServer(): void {
    this.isServerUp = false;
    for (const bus of this.#buses.values()) if (bus.link !== "down") this.#drop(bus, bus.process);
  }

  startServer(): void {
    this.isServerUp = true;
    for (const bus of this.#buses.values()) this.#reconnectLater(bus);
  }

  /** True while the process could reach the server now. */
  reaches(nodeId: string): boolean {
    return this.isServerUp && this.#buses.get(nodeId)?.link === "up";
  }

  send(request: {
    readonly from: SimBus;
    readonly to: string;
    readonly payload: string;
    readonly onNoResponder: (() => void) | null;
  }): void {
    const { from, to, payload, onNoResponder } = request;
    const arrival = this.#flightMs(from);
    if (arrival === null) return;
    this.#world.after(arrival, null, () => {
      if (!this.isServerUp) return;
      const target = this.#buses.get(to);
      if (target === undefined || target.link === "down" || !target.isListening) {
        if (onNoResponder !== null) this.#world.after(this.#hopMs(), from.process, onNoResponder);
        return;
      }
      // A router measures ages from the fastest request of a peer: the first one must not be late.
      const isFirst = payload.startsWith("q\t") && !target.met.has(from);
      if (isFirst) target.met.add(from);
      this.#deliver(from, target, () => target.receive(payload), isFirst);
    });
  }

  publish(from: SimBus, topic: BroadcastTopic, payload: string): void {
    const arrival = this.#flightMs(from);
    if (arrival === null) return;
    this.#world.after(arrival, null, () => {
      if (!this.isServerUp) return;
      for (const target of this.#buses.values()) {
        this.#deliver(from, target, () => target.receiveBroadcast(topic, payload));
      }
    });
  }

  #deliver(from: SimBus, target: SimBus, receive: () => void, isPrompt = false): void {
    if (target.link !== "up" || this.#cuts.has(pairOf(from.nodeId, target.nodeId))) return;
    const { loss, duplication } = this.weather;
    if (!isPrompt && loss > 0 && this.#random.chance(loss)) return;
    this.#world.after(isPrompt ? this.#hopMs() : this.#lateMs(), target.process, receive);
    if (duplication > 0 && this.#random.chance(duplication)) {
      this.#world.after(this.#lateMs() + this.#random.between(0, 50), target.process, receive);
    }
  }

  /** To the server; null when it never gets there. */
  #flightMs(from: SimBus): number | null {
    if (from.link !== "up" || !this.isServerUp) return null;
    return this.#hopMs();
  }

  #lateMs(): number {
    const { delay, delayMaxMs } = this.weather;
    if (delay > 0 && this.#random.chance(delay)) return this.#random.between(1, delayMaxMs);
    return this.#hopMs();
  }

  #hopMs(): number {
    return this.#random.between(LATENCY_MS.min, LATENCY_MS.max);
  }

  #drop(bus: SimBus, process: Process): void {
    bus.link = "down";
    this.#world.after(0, process, () => bus.changed(bus.link === "up"));
  }

  #reconnectLater(bus: SimBus): void {
    this.#world.after(this.#random.between(RECONNECT_MS.min, RECONNECT_MS.max), bus.process, () => {
      if (bus.link !== "down" || !this.isServerUp) return;
      bus.link = "up";
      bus.changed(true);
    });
  }
}

/** One program's connection. */
export class SimBus implements Bus {
  readonly nodeId: string;
  readonly process: Process;
  /** As it is, which the program learns later. */
  link: "up" | "silent" | "down" = "up";
  isConnected = true;
  connectedAtMs: number;
  /** Whose router it has heard. */
  readonly met = new WeakSet<SimBus>();
  readonly #network: SimNetwork;
  readonly #runtime: Runtime;
  #isDraining = false;
  #onMessage: ((payload: string) => void) | null = null;
  readonly #onBroadcast: { topic: BroadcastTopic; handler: (payload: string) => void }[] = [];
  readonly #onConnection: ((isConnected: boolean) => void)[] = [];

  constructor(options: {
    readonly network: SimNetwork;
    readonly nodeId: string;
    readonly process: Process;
    readonly runtime: Runtime;
  }) {
    this.#network = options.network;
    this.nodeId = options.nodeId;
    this.process = options.process;
    this.#runtime = options.runtime;
    this.connectedAtMs = options.runtime.clock.monotonicMs();
    if (!options.network.isServerUp) {
      this.link = "down";
      this.isConnected = false;
      this.connectedAtMs = Number.POSITIVE_INFINITY;
    }
  }

  get isListening(): boolean {
    return this.#onMessage !== null && !this.#isDraining;
  }

  /** What the server sends from now on finds nobody; what is on its way still arrives. */
  drain(): void {
    this.#isDraining = true;
  }

  send(nodeId: string, payload: string, onNoResponder?: () => void): void {
    if (!this.isConnected) return;
    this.#network.send({ from: this, to: nodeId, payload, onNoResponder: onNoResponder ?? null });
  }

  broadcast(topic: BroadcastTopic, payload: string): void {
    if (this.isConnected) this.#network.publish(this, topic, payload);
  }

  onMessage(handler: (payload: string) => void): void {
    const before = this.#onMessage;
    this.#onMessage =
      before === null
        ? handler
        : (payload) => {
            before(payload);
            handler(payload);
          };
  }

  onBroadcast(topic: BroadcastTopic, handler: (payload: string) => void): void {
    this.#onBroadcast.push({ topic, handler });
  }

  onConnection(handler: (isConnected: boolean) => void): void {
    this.#onConnection.push(handler);
  }

  async close(): Promise<void> {
    this.#network.forget(this);
    this.link = "down";
    this.isConnected = false;
  }

  receive(payload: string): void {
    this.#onMessage?.(payload);
  }

  receiveBroadcast(topic: BroadcastTopic, payload: string): void {
    for (const entry of this.#onBroadcast) if (entry.topic === topic) entry.handler(payload);
  }

  changed(isConnected: boolean): void {
    if (this.isConnected === isConnected) return;
    this.isConnected = isConnected;
    this.connectedAtMs = isConnected ? this.#runtime.clock.monotonicMs() : Number.POSITIVE_INFINITY;
    for (const handler of this.#onConnection) handler(isConnected);
  }
}

function pairOf(left: string, right: string): string {
  return left < right ? `${left} ${right}` : `${right} ${left}`;
}
