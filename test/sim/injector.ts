// Makes faults happen, and ends them.

import type { SimFault } from "./faults.ts";
import type { SimNetwork } from "./sim-bus.ts";
import type { SimMemberTable } from "./sim-members.ts";
import type { SimNode } from "./sim-node.ts";
import type { SimStore } from "./sim-store.ts";
import type { World } from "./world.ts";

/** What can be done to the nodes of a cluster. */
export type Victims = {
  readonly ids: readonly string[];
  node(id: string): SimNode | null;
  kill(id: string): void;
  /** Nothing when it runs already. */
  start(id: string): void;
  /** A clean stop: hands everything off. */
  leave(id: string): void;
  /** A node outside of the list that claims what it likes; the returned function ends it. */
  rogue(fault: SimFault): () => void;
};

type Heal = () => void;

export class Injector {
  readonly #world: World;
  readonly #network: SimNetwork;
  readonly #store: SimStore;
  readonly #members: SimMemberTable;
  readonly #victims: Victims;

  constructor(options: {
    readonly world: World;
    readonly network: SimNetwork;
    readonly store: SimStore;
    readonly members: SimMemberTable;
    readonly victims: Victims;
  }) {
    this.#world = options.world;
    this.#network = options.network;
    this.#store = options.store;
    this.#members = options.members;
    this.#victims = options.victims;
  }

  arm(faults: readonly SimFault[]): void {
    for (const fault of faults) {
      this.#world.after(fault.atMs, null, () => {
        this.#world.log(`fault ${fault.kind} ${fault.node} ${fault.other} ${fault.force}`);
        const heal = this.#begin(fault);
        this.#world.after(fault.forMs, null, () => {
          this.#world.log(`healed ${fault.kind} ${fault.node}`);
          heal();
        });
      });
    }
  }

  #begin(fault: SimFault): Heal {
    const id = this.#victims.ids[fault.node]!;
    const other = this.#victims.ids[fault.other]!;
    const node = this.#victims.node(id);
    switch (fault.kind) {
      case "kill":
        this.#victims.kill(id);
        return () => this.#victims.start(id);
      case "leave":
        this.#victims.leave(id);
        return () => this.#victims.start(id);
      case "pause":
        if (node === null || node.process.isPaused) return () => {};
        this.#world.pause(node.process);
        return () => this.#world.resume(node.process, fault.force < 0.5 ? "timer" : "socket");
      case "cut_pair":
        this.#network.cutPair(id, other);
        return () => this.#network.healPair(id, other);
      case "cut_nats":
        this.#network.cutOff(id);
        return () => this.#network.reconnect(id);
      case "cut_store":
        if (node === null) return () => {};
        node.journal.isCut = true;
        return () => {
          node.journal.isCut = false;
        };
      case "clock_step": {
        if (node === null) return () => {};
        const stepMs = (fault.force - 0.5) * (fault.other === 0 ? 7_200_000 : 6_000);
        node.process.wallOffsetMs += stepMs;
        return () => {
          node.process.wallOffsetMs -= stepMs;
        };
      }
      case "double_owner":
        return this.#victims.rogue(fault);
      default:
        return this.#beginEverywhere(fault);
    }
  }

  /** Weather and servers: no node in particular. */
  #beginEverywhere({ kind, force }: SimFault): Heal {
    const network = this.#network;
    const store = this.#store;
    const { weather } = network;
    switch (kind) {
      case "nats_away":
        if (network.isServerUp) network.stopServer();
        return () => network.startServer();
      case "store_restart":
        if (store.isUp) store.stop();
        return () => store.start();
      case "slow_store":
        return raise(store, { slowMs: 20 + force * 700 });
      case "lost_replies":
        return both(
          raise(store, { lostReplies: 0.02 + force * 0.2 }),
          raise(this.#members, { lostReplies: 0.02 + force * 0.3 }),
        );
      case "late_requests":
        return raise(store, { lateRequests: 0.02 + force * 0.15 });
      case "loss":
        return raise(weather, { loss: 0.05 + force * 0.5 });
      case "duplicates":
        return raise(weather, { duplication: 0.1 + force * 0.6 });
      default:
        return raise(weather, { delay: 0.1 + force * 0.4, delayMaxMs: 20 + force ** 3 * 4_000 });
    }
  }
}

/** Faults of a kind add up. */
function raise<K extends string>(thing: Record<NoInfer<K>, number>, by: Record<K, number>): Heal {
  const keys = Object.keys(by) as K[];
  for (const key of keys) thing[key] += by[key];
  return () => {
    for (const key of keys) thing[key] = Math.max(0, thing[key] - by[key]);
  };
}

function both(first: Heal, second: Heal): Heal {
  return () => {
    first();
    second();
  };
}
