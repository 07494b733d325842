// A sale and its people: twenty shoppers who hold, change their minds, check out, pay late or never,
// click twice and repeat what was not answered; a merchant who changes stock, limits and phase.

import { partitionOf } from "../../src/core/ids.ts";
import type { Command, Configure, HoldView, Outcome } from "../../src/core/stock/command.ts";
import type { Clients } from "./clients.ts";
import { Crowds, type CrowdSku } from "./crowds.ts";
import type { SimFault } from "./faults.ts";
import type { Random } from "./random.ts";
import { EPOCH_MS, type World } from "./world.ts";

const SALE = "drop";
const SHOPPERS = 20;
const VISITS = 9;
/** Patience: with half a second between, longer than any fault. */
const TRIES_MAX = 40;
/** By then the nodes have found each other. */
const OPENS_MS = 800;
/** Money that comes after the pay window. */
const LATE_MS_MAX = 10_000;

export type SimSku = CrowdSku;

export function skusOf(random: Random, partitions: number, count: number): readonly SimSku[] {
  return Array.from({ length: count }, (_, index) => {
    const sku = `sku-${index}`;
    const group = index % 5 < 3 ? null : `group-${index % 2}`;
    const rules: Configure = {
      kind: "configure",
      version: 1,
      phase: "live",
      startsAtMs: EPOCH_MS + (random.chance(0.3) ? random.integer(2_000, 6_000) : 0),
      endsAtMs: EPOCH_MS + (random.chance(0.1) ? random.integer(20_000, 40_000) : 3_600_000),
      holdMs: random.integer(1_500, 8_000),
      payMs: random.integer(2_000, 8_000),
      limit: random.integer(1, 3),
      priceMinor: random.integer(1, 100),
      // The last one is what the crowds want.
      released: index === count - 1 ? random.integer(1, 2) : random.integer(2, 10),
      group,
      groupLimit: group === null ? 0 : 3,
    };
    return {
      key: `${SALE}/${sku}`,
      partition: partitionOf(SALE, sku, group, partitions),
      rules,
      isChanging: false,
    };
  });
}

export class Load {
  readonly #world: World;
  readonly #random: Random;
  readonly #clients: Clients;
  readonly #skus: readonly SimSku[];
  readonly #untilMs: number;
  readonly #crowds: Crowds;
  #orderCount = 0;
  /** Who is not home yet. */
  readonly people = new Set<string>();

  constructor(options: {
    readonly world: World;
    readonly random: Random;
    readonly clients: Clients;
    readonly skus: readonly SimSku[];
    readonly untilMs: number;
    /** When something goes wrong there is a crowd. */
    readonly faults: readonly SimFault[];
  }) {
    this.#world = options.world;
    this.#random = options.random;
    this.#clients = options.clients;
    this.#skus = options.skus;
    this.#untilMs = options.untilMs;
    this.#crowds = new Crowds({
      ...options,
      changePrice: (sku) => this.#configure(sku, { priceMinor: options.random.integer(1, 100) }),
      newOrderId: () => this.#newOrderId(),
    });
  }

  get skus(): readonly SimSku[] {
    return this.#skus;
  }

  start(): void {
    for (const sku of this.#skus) this.#run(`the merchant of ${sku.key}`, this.#sell(sku));
    for (const [name, person] of this.#crowds.people()) this.#run(name, person);
    for (let index = 0; index < SHOPPERS; index++)
      this.#run(`shopper-${index}`, this.#shop(`shopper-${index}`));
  }

  #run(name: string, person: Promise<void>): void {
    this.people.add(name);
    person.then(
      () => this.people.delete(name),
      (cause: unknown) => this.#world.fail(cause),
    );
  }

  async #sell(sku: SimSku): Promise<void> {
    const random = this.#random;
    await this.#clients.pause(OPENS_MS);
    await this.#configure(sku, {});
    const changes = random.integer(1, 4);
    for (let change = 0; change < changes; change++) {
      const pauseMs = random.between(2_000, this.#untilMs / changes);
      if (this.#world.nowMs + pauseMs > this.#untilMs) return;
      await this.#clients.pause(pauseMs);
      const kind = random.integer(0, 3);
      if (kind === 0) {
        await this.#configure(sku, { phase: "paused" });
        await this.#clients.pause(random.between(500, 4_000));
        await this.#configure(sku, { phase: "live" });
      } else if (kind === 1) {
        await this.#configure(sku, { released: sku.rules.released + random.integer(1, 4) });
      } else if (kind === 2) {
        const released = Math.max(0, sku.rules.released - random.integer(1, 4));
        await this.#configure(sku, { released });
      } else {
        const limit = random.integer(1, 4);
        await this.#configure(sku, { limit, groupLimit: limit + 1, priceMinor: limit });
      }
    }
  }

  async #configure(sku: SimSku, change: Partial<Configure>): Promise<void> {
    if (sku.isChanging) return;
    sku.isChanging = true;
    const rules = { ...sku.rules, ...change };
    const outcome = await this.#clients.ask(sku, rules, TRIES_MAX);
    // Versions are used once, whatever came of them.
    const version = rules.version + 1;
    const isIn = outcome?.kind === "configured" || outcome?.kind === "unchanged";
    sku.rules = isIn ? { ...rules, version } : { ...sku.rules, version };
    sku.isChanging = false;
  }

  async #shop(shopper: string): Promise<void> {
    const random = this.#random;
    await this.#clients.pause(OPENS_MS + random.between(0, 3_000));
    for (let visit = 0; visit < VISITS && this.#world.nowMs < this.#untilMs; visit++) {
      // Everybody wants the first few.
      const sku = this.#skus[Math.floor(random.unit() ** 2 * this.#skus.length)]!;
      await this.#visit(shopper, sku);
      if (this.#world.nowMs >= this.#untilMs) return;
      await this.#clients.pause(random.between(0, (1.4 * this.#untilMs) / VISITS));
    }
  }

  async #visit(shopper: string, sku: SimSku): Promise<void> {
    const random = this.#random;
    const quantity = random.chance(0.7) ? 1 : random.integer(1, 3);
    const outcome = await this.#ask(sku, { kind: "hold", shopper, quantity });
    if (outcome?.kind !== "held") return;
    await this.#clients.pause(random.between(0, 1_500));
    const next = random.unit();
    if (next < 0.5) await this.#checkOut(shopper, sku, outcome.hold);
    else if (next < 0.7) await this.#ask(sku, { kind: "give_back", shopper });
    else if (next < 0.85) {
      await this.#ask(sku, { kind: "hold", shopper, quantity: random.integer(1, 3) });
    }
  }

  async #checkOut(shopper: string, sku: SimSku, hold: HoldView): Promise<void> {
    const random = this.#random;
    const order = { shopper, orderId: this.#newOrderId() };
    const { quantity, priceMinor } = hold;
    const pinned = await this.#ask(sku, { kind: "pin", ...order, quantity, priceMinor });
    if (pinned?.kind !== "pinned") {
      await this.#ask(sku, { kind: "unpin", ...order });
      return;
    }
    const isLate = random.chance(0.15) && this.#world.nowMs < this.#untilMs - LATE_MS_MAX;
    await this.#clients.pause(random.between(0, isLate ? LATE_MS_MAX : 1_500));
    const next = random.unit();
    if (next < 0.25) {
      await this.#ask(sku, { kind: "unpin", ...order });
      return;
    }
    const confirmed = this.#ask(sku, { kind: "confirm", ...order, quantity });
    if (next < 0.3) await this.#ask(sku, { kind: "unpin", ...order });
    const outcome = await confirmed;
    if (outcome?.kind !== "sold" || random.chance(0.7)) return;
    await this.#clients.pause(random.between(0, 3_000));
    await this.#ask(sku, { kind: "return", ...order, quantity });
    // A gateway's event comes a second time.
    if (random.chance(0.5)) await this.#ask(sku, { kind: "confirm", ...order, quantity });
  }

  #newOrderId(): string {
    return `order-${++this.#orderCount}`;
  }

  /** Some click twice. */
  async #ask(sku: SimSku, command: Command): Promise<Outcome | null> {
    const asked = this.#clients.ask(sku, command, TRIES_MAX);
    if (this.#random.chance(0.12)) await this.#clients.ask(sku, command, 2);
    return asked;
  }
}
