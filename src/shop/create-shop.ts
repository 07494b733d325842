// Wires the use cases to the ports they use.

import { BUCKETS } from "../core/limits.ts";
import { applySale } from "./apply-sale.ts";
import { cancelOrder } from "./cancel-order.ts";
import { changeSale } from "./change-sale.ts";
import { CheckoutLimiter } from "./checkout-limiter.ts";
import { checkout } from "./checkout.ts";
import { explain } from "./explain.ts";
import { Levels } from "./levels.ts";
import { loadDirectory } from "./load-directory.ts";
import { MerchantKeys } from "./merchant-keys.ts";
import { OrderRuns } from "./order-runs.ts";
import { orderOf, ordersOf, ordersOfSale } from "./orders.ts";
import { PasswordQueue } from "./password-queue.ts";
import { paymentEvent } from "./payment-event.ts";
import type { ShopPorts } from "./ports.ts";
import { SaleRepairs } from "./repair-sales.ts";
import { report, salesOf } from "./report.ts";
import type { Shop } from "./shop.ts";
import { SignIn } from "./sign-in.ts";
import { signUp } from "./sign-up.ts";
import { sweepLoop } from "./sweep-loop.ts";
import { OrderSweeper } from "./sweep-orders.ts";
import { sweepSales } from "./sweep-sales.ts";

const SWEEP_EVERY_MS = 1_000;
const ALL_BUCKETS: readonly number[] = Array.from({ length: BUCKETS }, (_, bucket) => bucket);

function allBuckets(): readonly number[] {
  return ALL_BUCKETS;
}

/** What the engine runs, and tests run by hand. */
export type ShopChores = {
  /** Reads the published sales; before the first request. */
  load(): Promise<void>;
  /** Begins the sweeps; `bucketsOf` says which shoppers' orders are this node's, all by default. */
  start(bucketsOf?: () => readonly number[]): void;
  /** Ends the sweeps, and settles when nothing of the shop is under way any more. */
  stop(): Promise<void>;
  sweepOrders(buckets: readonly number[], nowMs: number): Promise<number>;
  sweepSales(nowMs: number): Promise<number>;
  repairSales(): Promise<void>;
};

export function createShop(ports: ShopPorts): Shop & ShopChores {
  const runs = new OrderRuns(ports);
  const limiter = new CheckoutLimiter(ports.runtime.clock);
  const levels = new Levels(ports);
  const keys = new MerchantKeys(ports);
  const passwords = new PasswordQueue(ports.passwords, ports.runtime.clock);
  const signIns = new SignIn(ports, passwords);
  return {
    directory: ports.directory,
    signUp: (request) => signUp(ports, passwords, request),
    signIn: (request) => signIns.signIn(request),
    merchantOfKey: (apiKey) => keys.ownerOf(apiKey),
    cart: (shopper) => ports.stock.cart(shopper),
    checkout: (request) => checkout(ports, runs, limiter, request),
    order: (shopper, orderId) => orderOf(ports, shopper, orderId),
    ordersOf: (shopper, page) => ordersOf(ports, shopper, page),
    cancelOrder: (shopper, orderId) => cancelOrder(ports, runs, { shopper, orderId }),
    paymentEvent: (event) => paymentEvent(ports, runs, event),
    levels: (sale, page) => levels.page(sale, page),
    applySale: (request) => applySale(ports, request),
    changeSale: (request) => changeSale(ports, request),
    salesOf: (merchant, page) => salesOf(ports, merchant, page),
    report: (merchant, saleId) => report(ports, merchant, saleId),
    explain: (merchant, request) => explain(ports, merchant, request),
    ordersOfSale: (merchant, request) => ordersOfSale(ports, merchant, request),
    ...choresOf(ports, runs),
  };
}

function choresOf(ports: ShopPorts, runs: OrderRuns): ShopChores {
  const { runtime, log } = ports;
  const sweeper = new OrderSweeper(ports, runs);
  const repairs = new SaleRepairs(ports);
  let bucketsOf = allBuckets;
  const orders = sweepLoop({
    runtime,
    log,
    name: "orders",
    everyMs: SWEEP_EVERY_MS,
    sweep: () => sweeper.sweep(bucketsOf(), runtime.clock.wallMs()),
  });
  const sales = sweepLoop({
    runtime,
    log,
    name: "sales",
    everyMs: SWEEP_EVERY_MS,
    sweep: async () => {
      await sweepSales(ports, runtime.clock.wallMs());
      await loadDirectory(ports);
      await repairs.run();
    },
  });
  return {
    async load() {
      await loadDirectory(ports);
    },
    start(chosen) {
      if (chosen !== undefined) bucketsOf = chosen;
      orders.start();
      sales.start();
    },
    async stop() {
      await Promise.all([orders.stop(), sales.stop()]);
      await runs.idle();
    },
    sweepOrders: (buckets, nowMs) => sweeper.sweep(buckets, nowMs),
    sweepSales: (nowMs) => sweepSales(ports, nowMs),
    repairSales: () => repairs.run(),
  };
}
