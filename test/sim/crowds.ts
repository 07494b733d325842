// The worst moments: while something goes wrong everybody wants the same few units, or changes their
// minds, or asks again and again for what they have.

import type { SkuRef } from "../../src/core/ports/stock.ts";
import type { Command, Configure, Outcome } from "../../src/core/stock/command.ts";
import type { Clients } from "./clients.ts";
import type { FaultKind, SimFault } from "./faults.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

const CROWD = 6;
const CROWD_MS = 1_500;
const FIRST_MS = 1_600;
const TRIES_MAX = 40;

/** When edges may be told too late that units came back. */
const DEAF: readonly FaultKind[] = ["loss", "delays", "cut_pair", "cut_nats"];
/** When an owner may not know yet that it is none. */
const STALE: readonly FaultKind[] = ["double_owner", "cut_nats", "pause"];

export type CrowdSku = SkuRef & {
  /** What is configured next; its version was never used. */
  rules: Configure;
  /** One change at a time. */
  isChanging: boolean;
};

export class Crowds {
  readonly #world: World;
  readonly #random: Random;
  readonly #clients: Clients;
  readonly #skus: readonly CrowdSku[];
  readonly #faults: readonly SimFault[];
  readonly #untilMs: number;
  readonly #changePrice: (sku: CrowdSku) => Promise<void>;
  readonly #newOrderId: () => string;

  constructor(options: {
    readonly world: World;
    readonly random: Random;
    readonly clients: Clients;
    readonly skus: readonly CrowdSku[];
    readonly faults: readonly SimFault[];
    readonly untilMs: number;
    /** A new version of the SKU; its current one is in `rules`, minus one. */
    readonly changePrice: (sku: CrowdSku) => Promise<void>;
    readonly newOrderId: () => string;
  }) {
    this.#world = options.world;
    this.#random = options.random;
    this.#clients = options.clients;
    this.#skus = options.skus;
    this.#faults = options.faults;
    this.#untilMs = options.untilMs;
    this.#changePrice = options.changePrice;
    this.#newOrderId = options.newOrderId;
  }

  /** Each with a name, begun. */
  people(): readonly (readonly [string, Promise<void>])[] {
    const last = this.#skus[this.#skus.length - 1]!;
    return [
      ["a flurry", this.#flurry("flurry", this.#momentOf([]))],
      ["a crowd", this.#crowd("crowd", last, this.#momentOf(DEAF))],
      ["a crowd anywhere", this.#crowd("mob", this.#random.pick(this.#skus), this.#momentOf([]))],
      ["the patient", this.#patient(this.#momentOf(STALE))],
    ];
  }

  /** About the time of a fault of these kinds, or of any. */
  #momentOf(kinds: readonly FaultKind[]): number {
    const random = this.#random;
    const fitting = this.#faults.filter(({ kind }) => kinds.includes(kind));
    const choice = fitting.length > 0 ? fitting : this.#faults;
    const atMs = choice.length > 0 ? random.pick(choice).atMs : this.#untilMs / 2;
    return Math.max(FIRST_MS, atMs + random.between(-CROWD_MS / 2, CROWD_MS / 3));
  }

  /** Some SKUs, many changes. */
  async #flurry(name: string, atMs: number): Promise<void> {
    const random = this.#random;
    const sku = random.pick(this.#skus);
    await this.#clients.pause(atMs);
    const untilMs = this.#world.nowMs + CROWD_MS;
    const people = Array.from({ length: CROWD }, (_, index) => {
      const skus = [sku, random.pick(this.#skus)];
      return this.#fidget({ shopper: `${name}-${index}`, skus, untilMs, holds: 0.65 });
    });
    await Promise.all([...people, this.#fuss(sku, untilMs, 0.3)]);
  }

  /** One person or one merchant a SKU: an owner that changes nothing learns nothing either. */
  async #patient(atMs: number): Promise<void> {
    await this.#clients.pause(atMs);
    const untilMs = this.#world.nowMs + CROWD_MS;
    const people = this.#skus.map((sku, index) => {
      if (index % 2 === 0) return this.#fuss(sku, untilMs, 0.15);
      return this.#fidget({ shopper: `patient-${index}`, skus: [sku], untilMs, holds: 0.8 });
    });
    await Promise.all(people);
  }

  async #crowd(name: string, sku: CrowdSku, atMs: number): Promise<void> {
    await this.#clients.pause(atMs);
    const untilMs = this.#world.nowMs + CROWD_MS;
    await Promise.all(
      Array.from({ length: CROWD }, (_, index) => this.#jostle(`${name}-${index}`, sku, untilMs)),
    );
  }

  /** Takes, changes, repeats and gives back, as fast as the answers come. */
  async #fidget(request: {
    readonly shopper: string;
    readonly skus: readonly CrowdSku[];
    readonly untilMs: number;
    /** This part of what it asks for. */
    readonly holds: number;
  }): Promise<void> {
    const { shopper, skus, untilMs, holds } = request;
    const random = this.#random;
    while (this.#world.nowMs < untilMs) {
      const quantity = random.chance(0.8) ? 1 : 2;
      const command: Command = random.chance(holds)
        ? { kind: "hold", shopper, quantity }
        : { kind: "give_back", shopper };
      await this.#clients.ask(random.pick(skus), command, 1);
      await this.#clients.pause(random.between(10, 150));
    }
  }

  /** A merchant who changes the price every moment, and sends earlier changes again. */
  async #fuss(sku: CrowdSku, untilMs: number, changes: number): Promise<void> {
    const random = this.#random;
    while (this.#world.nowMs < untilMs) {
      if (random.chance(changes)) await this.#changePrice(sku);
      else if (sku.rules.version > 1) {
        const version = Math.max(1, sku.rules.version - random.integer(1, 3));
        await this.#clients.ask(sku, { ...sku.rules, version }, 1);
      }
      await this.#clients.pause(random.between(10, 150));
    }
  }

  /** Wants one, buys it, and maybe brings it back. */
  async #jostle(shopper: string, sku: CrowdSku, untilMs: number): Promise<void> {
    const random = this.#random;
    while (this.#world.nowMs < untilMs) {
      const outcome = await this.#clients.ask(sku, { kind: "hold", shopper, quantity: 1 }, 1);
      if (outcome?.kind === "held") {
        const order = { shopper, orderId: this.#newOrderId() };
        const { quantity, priceMinor } = outcome.hold;
        await this.#persist(sku, { kind: "pin", ...order, quantity, priceMinor });
        const confirmed = await this.#persist(sku, { kind: "confirm", ...order, quantity });
        await this.#clients.pause(random.between(0, CROWD_MS));
        if (confirmed?.kind !== "sold" || random.chance(0.3)) return;
        await this.#persist(sku, { kind: "return", ...order, quantity });
        return;
      }
      await this.#clients.pause(random.between(20, 250));
    }
  }

  #persist(sku: SkuRef, command: Command): Promise<Outcome | null> {
    return this.#clients.ask(sku, command, TRIES_MAX);
  }
}
