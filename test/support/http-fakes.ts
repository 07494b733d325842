// For the tests of HTTP shape alone: a shop and a stock whose answers are set by hand. What they
// really answer is tested with the real ones.

import type { Clock } from "../../src/core/ports/clock.ts";
import type { Logger } from "../../src/core/ports/logger.ts";
import type { SkuRef, Stock } from "../../src/core/ports/stock.ts";
import type { Sale, SaleSku } from "../../src/core/sale/sale.ts";
import type { Command, HoldRefusal, OutcomeOf } from "../../src/core/stock/command.ts";
import { type AppOptions, createApp, type Ops, type Webhook } from "../../src/http/app.ts";
import { createTokens } from "../../src/http/tokens/tokens.ts";
import { SaleDirectory } from "../../src/shop/directory.ts";
import type { Shop } from "../../src/shop/shop.ts";

export const SECRET = "a secret of at least thirty-two bytes, for tests";
export const MERCHANT_KEY = "merchant-key";
export const OPERATOR_KEY = "operator-key";
export const OTHER_KEY = "other-merchant-key";
export const SHOPPER = "shopper-1";

export const SALE: Sale = {
  saleId: "drop",
  merchantId: "m1",
  title: "The Drop",
  currency: "INR",
  timeZone: "Asia/Kolkata",
  startsAtMs: Date.UTC(2026, 0, 1),
  endsAtMs: Date.UTC(2036, 0, 1),
  holdMs: 300_000,
  payMs: 600_000,
  groups: {},
  phase: "live",
  version: 3,
};
export const SKU: SaleSku = {
  sku: "phone",
  title: "Phone",
  priceMinor: 1_999_900,
  stock: 100,
  limitPerShopper: 2,
  group: null,
};

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

type StockAnswer = (command: Command, ref: SkuRef) => unknown;

/** A call that a test did not set is a failed test, not a silent answer. */
class FakeStock implements Stock {
  answer: StockAnswer = (command) => {
    throw new Error(`no answer was set for ${command.kind}`);
  };
  early: HoldRefusal | null = null;
  asked: Command[] = [];

  // oxlint-disable-next-line require-await -- an answer that throws must reject
  async ask<C extends Command>(ref: SkuRef, command: C): Promise<OutcomeOf<C>> {
    this.asked.push(command);
    return (await this.answer(command, ref)) as OutcomeOf<C>;
  }
  refuseEarly(): HoldRefusal | null {
    return this.early;
  }
  cart(): never {
    throw new Error("HTTP asks the shop for carts");
  }
  counts(): never {
    throw new Error("HTTP asks the shop for counts");
  }
}

type Calls = Omit<Shop, "directory" | "merchantOfKey">;

function unset(name: string): () => never {
  return () => {
    throw new Error(`no answer was set for ${name}`);
  };
}

function fakeShop(directory: SaleDirectory): Shop {
  const calls: Calls = {
    signUp: unset("signUp"),
    signIn: unset("signIn"),
    cart: unset("cart"),
    checkout: unset("checkout"),
    order: unset("order"),
    ordersOf: unset("ordersOf"),
    cancelOrder: unset("cancelOrder"),
    paymentEvent: unset("paymentEvent"),
    levels: unset("levels"),
    applySale: unset("applySale"),
    changeSale: unset("changeSale"),
    salesOf: unset("salesOf"),
    report: unset("report"),
    explain: unset("explain"),
    ordersOfSale: unset("ordersOfSale"),
  };
  return {
    directory,
    ...calls,
    merchantOfKey(key) {
      const owners = {
        [MERCHANT_KEY]: { merchantId: "m1", name: "One", role: "merchant" },
        [OTHER_KEY]: { merchantId: "m2", name: "Two", role: "merchant" },
        [OPERATOR_KEY]: { merchantId: "m1", name: "One", role: "operator" },
      } as const;
      return Promise.resolve(owners[key as keyof typeof owners] ?? null);
    },
  };
}

export class LogLines implements Logger {
  readonly lines: { level: string; fields: Readonly<Record<string, unknown>>; message: string }[] =
    [];
  info(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push({ level: "info", fields, message });
  }
  warn(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push({ level: "warn", fields, message });
  }
  error(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push({ level: "error", fields, message });
  }
}

/** An app over fakes, with one published sale of merchant `m1` that has one SKU. */
export function fakeApp(overrides: Partial<AppOptions> = {}) {
  const directory = new SaleDirectory(8);
  directory.put(SALE, [SKU]);
  const shop = fakeShop(directory);
  const stock = new FakeStock();
  const log = new LogLines();
  const clock = overrides.clock ?? systemClock;
  const tokens = createTokens({ secret: SECRET, clock });
  const ops: Ops = {
    readiness: () => ({ ready: true, reasons: [], warnings: [] }),
    metrics: () => Promise.resolve("# others\n"),
    nodes: () => [{ nodeId: "n1", state: "up", address: null, partitions: 8 }],
    drain: (nodeId) => Promise.resolve(nodeId === "n1" ? "draining" : "not_found"),
  };
  const webhook: Webhook = { verify: () => null };
  const app = createApp({
    shop,
    stock,
    tokens,
    log,
    clock,
    webhook,
    ops,
    version: "0.0.0-test",
    ...overrides,
  });
  return { app, shop, stock, log, tokens, directory, ops, webhook };
}
