// A crowd at a cluster under faults: shoppers who retry at other nodes, some of whom give up and do
// something else, and small groups on SKUs of their own whose every request can be searched exactly.

import { opsOf, type SkuOp } from "./checker-ops.ts";
import { WINDOW_OPS_MAX } from "./checker-window.ts";
import { type Call, History, type HistoryLine, isDefinite } from "./history.ts";
import type { Doors } from "./roaming-client.ts";
import { checkoutCall, giveBackCall, holdCall, Shopper } from "./shoppers.ts";

export const RUSH = "rush";
/** Of holds that lapse after seconds. */
export const BRIEF = "brief";
const PLAIN = Array.from({ length: 6 }, (_, index) => `plain-${index}`);
const WINDOW_SHOPPERS = 5;
const WINDOW_SHOP = { stock: 4, limit: 3 };
/** Above it a window's shoppers go on to the next SKU. */
const WINDOW_OPS = 150;
/** No fault lasts as long: who still knows nothing then leaves it at that. */
const ATTEMPTS_MAX = 60;

export type CrowdOptions = {
  readonly shoppers: number;
  readonly windows: number;
  readonly random: () => number;
  readonly doors: Doors;
  readonly token: (shopper: string) => Promise<string>;
};

export class Crowd {
  readonly history = new History();
  readonly windowShop = WINDOW_SHOP;
  readonly #options: CrowdOptions;
  readonly #windowOps = new Map<string, number>();
  #isOver = false;
  #acting: Promise<unknown> = Promise.resolve();

  constructor(options: CrowdOptions) {
    this.#options = options;
  }

  get sales() {
    const windows = Array.from({ length: this.#options.windows }, (_, index) => windowSku(index));
    const plain = PLAIN.map((sku) => ({ sku, stock: 60, limit: 2 }));
    const searched = windows.map((sku) => ({ sku, ...WINDOW_SHOP }));
    const hot = { sku: "hot", stock: 15, limit: 2 };
    return [
      { sale: RUSH, skus: [hot, ...plain, ...searched], holdFor: "60m", payWithin: "60m" },
      { sale: BRIEF, skus: [{ sku: "hat", stock: 8, limit: 2 }], holdFor: "5s", payWithin: "1m" },
    ];
  }

  async start(): Promise<void> {
    const { shoppers } = this.#options;
    const names = Array.from({ length: shoppers }, (_, index) => `shopper-${index}`);
    const some = await Promise.all(names.map((name) => this.#shopper(name)));
    const few = await Promise.all(
      Array.from({ length: WINDOW_SHOPPERS }, (_, index) => this.#shopper(`watched-${index}`)),
    );
    const windows = few.map((shopper) => this.#throughWindows(shopper));
    this.#acting = Promise.all([...some.map((shopper) => this.#shop(shopper)), ...windows]);
    // Looked at by `stop`; until then nobody waits.
    this.#acting.catch(() => {});
  }

  /** Resolves when every shopper has stopped. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#acting;
  }

  /** The operations on each SKU that is searched. */
  windowsIn(history: readonly HistoryLine[]): ReadonlyMap<string, readonly SkuOp[]> {
    const { skus } = opsOf(history, []);
    const watched = skus.filter(({ skuKey }) => skuKey.startsWith(`${RUSH}/window-`));
    return Map.groupBy(watched, ({ skuKey }) => skuKey);
  }

  async #shopper(id: string): Promise<Shopper> {
    const { doors, random, token } = this.#options;
    const client = doors.roam(random);
    return new Shopper({ id, token: await token(id), client, history: this.history });
  }

  async #shop(shopper: Shopper): Promise<void> {
    const { random } = this.#options;
    for (let turn = 0; !this.#isOver; turn += 1) {
      const dice = random();
      const sku = random() < 0.5 ? "hot" : PLAIN[Math.floor(random() * PLAIN.length)]!;
      const quantity = 1 + Math.floor(random() * 3);
      if (dice < 0.45) await this.#settle(shopper, holdCall(RUSH, sku, quantity));
      else if (dice < 0.75) await this.#settle(shopper, giveBackCall(RUSH, sku));
      else if (dice < 0.85) await this.#settle(shopper, { method: "GET", path: "/v1/cart" });
      else if (dice < 0.98) await this.#settle(shopper, holdCall(BRIEF, "hat", quantity));
      else await this.#buy(shopper, PLAIN[turn % PLAIN.length]!, `${shopper.id}-${turn}`);
      await Bun.sleep(10 + random() * 40);
    }
  }

  async #buy(shopper: Shopper, sku: string, key: string): Promise<void> {
    const { random } = this.#options;
    if (!(await this.#settle(shopper, holdCall(RUSH, sku, 1)))) return;
    const card = random() < 0.2 ? "tok_declined" : "tok_ok";
    const lines = [{ sku, quantity: 1 }];
    await this.#settle(shopper, checkoutCall({ sale: RUSH, lines, card, key }));
  }

  /** Repeats until it is definite; now and then somebody gives up after the first try. */
  async #settle(shopper: Shopper, call: Call): Promise<boolean> {
    const attempts = this.#options.random() < 0.2 ? 1 : ATTEMPTS_MAX;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const answer = await shopper.send(call);
      if (answer !== null && isDefinite(answer) && answer.status !== 202) return true;
      await Bun.sleep(50 + this.#options.random() * 100);
    }
    return false;
  }

  async #throughWindows(shopper: Shopper): Promise<void> {
    const { random, windows } = this.#options;
    for (let index = 0; index < windows && !this.#isOver;) {
      const sku = windowSku(index);
      if ((this.#windowOps.get(sku) ?? 0) >= WINDOW_OPS) {
        index += 1;
        continue;
      }
      const quantity = 1 + Math.floor(random() * 4);
      const call = random() < 0.6 ? holdCall(RUSH, sku, quantity) : giveBackCall(RUSH, sku);
      await this.#settleInWindow(shopper, sku, call);
      await Bun.sleep(random() * 60);
    }
  }

  async #settleInWindow(shopper: Shopper, sku: string, call: Call): Promise<void> {
    for (;;) {
      const count = this.#windowOps.get(sku) ?? 0;
      if (count >= WINDOW_OPS_MAX) return;
      this.#windowOps.set(sku, count + 1);
      const answer = await shopper.send(call);
      if (answer !== null && isDefinite(answer)) return;
      // Slowly: what has no answer makes the search long.
      await Bun.sleep(1_000);
    }
  }
}

function windowSku(index: number): string {
  return `window-${index}`;
}
