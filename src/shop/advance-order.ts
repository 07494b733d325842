// Takes an order as far as it can go now. Route, repeat, payment event and sweeper all run this one
// function, also at once: each step is a compare-and-set on the order's status, and each effect on
// stock or money is remembered by order id where it happens (I4).
//
//   A1  only the winner of created → awaiting_payment charges without asking first
//   A2  awaiting_payment ends on a definite answer of the gateway only; to give up, void first
//   A3  paid once every line is sold; one refused line refunds the whole payment
//   A4  a failed or cancelled order is settled once its pins are known to be gone
//   A5  a line that may still be sold is never returned: every confirm is definite before refunding

import { assert, unreachable } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
import { GIVE_UP_AFTER_PAY_WINDOW_MS } from "../core/limits.ts";
import {
  mayStep,
  type Order,
  type OrderFailure,
  type OrderFailureCode,
  type OrderLine,
} from "../core/order/order.ts";
import type { Transition } from "../core/ports/orders.ts";
import type { ChargeState } from "../core/ports/payments.ts";
import type { SkuRef } from "../core/ports/stock.ts";
import type { PinOutcome } from "../core/stock/command.ts";
import type { ShopPorts } from "./ports.ts";

export type AdvancePorts = Pick<
  ShopPorts,
  "stock" | "orders" | "payments" | "directory" | "runtime" | "log"
>;

/** One run over an order. */
export type OrderRun = {
  /** As last known to be stored; replaced at each step. */
  order: Order;
  /** True from winning created → awaiting_payment until the charge was sent (A1). */
  mustCharge: boolean;
};

/** More than the longest way through the states, with a lost race at each. */
const STEPS_MAX = 16;

/**
 * Changes  `run.order`, at each step that was made or seen.
 * Throws   the Fault that stopped it: the order stays as it is, the next run goes on.
 */
export async function advanceOrder(ports: AdvancePorts, run: OrderRun): Promise<void> {
  for (let step = 0; step < STEPS_MAX; step++) {
    if (run.order.settled) return;
    if (!(await nextStep(ports, run))) return;
  }
}

/** False when there is nothing to do but wait. */
function nextStep(ports: AdvancePorts, run: OrderRun): Promise<boolean> {
  switch (run.order.status) {
    case "created":
      return pinLines(ports, run);
    case "awaiting_payment":
      return settlePayment(ports, run);
    case "refunding":
      return refund(ports, run);
    case "failed":
    case "cancelled":
      return unpinLines(ports, run);
    case "paid":
    case "refunded":
    case "fulfilled":
      return Promise.resolve(false);
    default:
      return unreachable(run.order.status);
  }
}

/**
 * Makes a step, or sees who made one. A step to the same status settles it.
 *
 * Changes  `run.order`.
 * Returns  whether it was ours.
 */
export async function takeStep(
  ports: Pick<AdvancePorts, "orders">,
  run: OrderRun,
  step: Omit<Transition, "orderId" | "from">,
): Promise<boolean> {
  const { order } = run;
  const { to, atMs, settled, payUntilMs, refundedMinor, failure } = step;
  assert(mayStep(order.status, to) || (to === order.status && settled), "not a step of an order");
  const from = [order.status];
  const won = await ports.orders.transition({ ...step, orderId: order.orderId, from });
  if (won) {
    run.order = {
      ...order,
      status: to,
      updatedAtMs: atMs,
      settled,
      payUntilMs: payUntilMs ?? order.payUntilMs,
      refundedMinor: refundedMinor ?? order.refundedMinor,
      failure: failure ?? order.failure,
    };
    return true;
  }
  const stored = await ports.orders.find(order.orderId);
  assert(stored !== null, "an order is never deleted");
  run.order = stored;
  return false;
}

async function pinLines(ports: AdvancePorts, run: OrderRun): Promise<boolean> {
  const { orderId, shopperId, lines } = run.order;
  const pins = await askAll(lines, (line) =>
    ports.stock.ask(refOf(ports, run.order, line), {
      kind: "pin",
      shopper: shopperId,
      orderId,
      quantity: line.quantity,
      priceMinor: line.unitPriceMinor,
    }),
  );
  const atMs = ports.runtime.clock.wallMs();
  const failure = pinFailureOf(lines, pins.answers);
  if (failure !== null) {
    await takeStep(ports, run, { to: "failed", atMs, settled: false, failure });
    return true;
  }
  if (pins.fault !== null) throw pins.fault;
  let payUntilMs = Number.POSITIVE_INFINITY;
  for (const pin of pins.answers) {
    assert(pin?.kind === "pinned", "every line is pinned here");
    payUntilMs = Math.min(payUntilMs, pin.deadlineMs);
  }
  assert(Number.isSafeInteger(payUntilMs), "an order has lines, and pins have deadlines");
  const step = { to: "awaiting_payment", atMs, settled: false, payUntilMs } as const;
  run.mustCharge = await takeStep(ports, run, step);
  return true;
}

/** Listed in order of precedence. */
const PIN_FAILURES = ["hold_lapsed", "hold_changed", "in_checkout"] as const;

/** One definite refusal fails the order, whatever the other lines come to. */
function pinFailureOf(
  lines: readonly OrderLine[],
  pins: readonly (PinOutcome | null)[],
): OrderFailure | null {
  const skusOf = (code: OrderFailureCode): string[] =>
    lines.filter((_, index) => failureCodeOf(pins[index] ?? null) === code).map(({ sku }) => sku);
  for (const code of PIN_FAILURES) {
    const skus = skusOf(code);
    if (skus.length > 0) return { code, skus };
  }
  return null;
}

function failureCodeOf(pin: PinOutcome | null): OrderFailureCode | null {
  if (pin === null || pin.kind === "pinned") return null;
  // A SKU without state holds nothing for anybody.
  return pin.kind === "unknown_sku" ? "hold_lapsed" : pin.kind;
}

async function settlePayment(ports: AdvancePorts, run: OrderRun): Promise<boolean> {
  const state = await chargeStateOf(ports, run);
  switch (state.kind) {
    case "pending":
    case "not_found":
      return false;
    case "declined":
    case "voided": {
      const atMs = ports.runtime.clock.wallMs();
      const failure: OrderFailure = { code: "payment_declined", skus: [] };
      await takeStep(ports, run, { to: "failed", atMs, settled: false, failure });
      return true;
    }
    case "paid":
      return sellLines(ports, run, state);
    default:
      return unreachable(state);
  }
}

async function chargeStateOf(ports: AdvancePorts, run: OrderRun): Promise<ChargeState> {
  const { order } = run;
  const { payments, runtime } = ports;
  if (run.mustCharge) {
    run.mustCharge = false;
    return charge(ports, order);
  }
  if (runtime.clock.wallMs() >= order.payUntilMs + GIVE_UP_AFTER_PAY_WINDOW_MS) {
    return payments.void(order.orderId);
  }
  const state = await payments.inquire(order.orderId);
  if (state.kind !== "not_found") return state;
  // The winner died before its charge arrived. In the pay window we charge in its place: the
  // gateway knows one charge an order. After it nobody shall: the void refuses a late one.
  const isInWindow = runtime.clock.wallMs() < order.payUntilMs;
  return isInWindow ? charge(ports, order) : payments.void(order.orderId);
}

function charge(ports: AdvancePorts, order: Order): Promise<ChargeState> {
  return ports.payments.charge({
    orderId: order.orderId,
    amountMinor: order.totalMinor,
    currency: order.currency,
    token: order.paymentToken,
    payUntilMs: order.payUntilMs,
  });
}

async function sellLines(
  ports: AdvancePorts,
  run: OrderRun,
  state: Extract<ChargeState, { kind: "paid" }>,
): Promise<boolean> {
  const { orderId, shopperId, lines, totalMinor } = run.order;
  if (state.amountMinor !== totalMinor) {
    const detail = `order ${orderId}: the gateway took ${state.amountMinor}, not ${totalMinor}`;
    throw new Fault("payment_wrong", detail);
  }
  let isSold = state.refundedMinor === 0;
  if (isSold) {
    const confirms = await askAll(lines, (line) =>
      ports.stock.ask(refOf(ports, run.order, line), {
        kind: "confirm",
        shopper: shopperId,
        orderId,
        quantity: line.quantity,
      }),
    );
    // A5: also when another line was refused for sure.
    if (confirms.fault !== null) throw confirms.fault;
    isSold = confirms.answers.every((confirm) => confirm?.kind === "sold");
  }
  const atMs = ports.runtime.clock.wallMs();
  await takeStep(ports, run, { to: isSold ? "paid" : "refunding", atMs, settled: isSold });
  return true;
}

async function refund(ports: AdvancePorts, run: OrderRun): Promise<boolean> {
  const { orderId, shopperId, lines, totalMinor } = run.order;
  const returns = await askAll(lines, (line) =>
    ports.stock.ask(refOf(ports, run.order, line), {
      kind: "return",
      shopper: shopperId,
      orderId,
      quantity: line.quantity,
    }),
  );
  if (returns.fault !== null) throw returns.fault;
  const state = await ports.payments.refund(orderId);
  if (state.kind !== "paid" || state.refundedMinor !== totalMinor) {
    ports.log.error({ orderId, state: state.kind }, "a refund has not taken effect; tried again");
    return false;
  }
  const atMs = ports.runtime.clock.wallMs();
  const step = { to: "refunded", atMs, settled: true, refundedMinor: totalMinor } as const;
  await takeStep(ports, run, step);
  return true;
}

async function unpinLines(ports: AdvancePorts, run: OrderRun): Promise<boolean> {
  const { orderId, shopperId, lines, status } = run.order;
  const unpins = await askAll(lines, (line) =>
    ports.stock.ask(refOf(ports, run.order, line), { kind: "unpin", shopper: shopperId, orderId }),
  );
  if (unpins.fault !== null) throw unpins.fault;
  for (const unpin of unpins.answers) {
    assert(unpin?.kind !== "sold", "units are sold to paid orders only");
  }
  const atMs = ports.runtime.clock.wallMs();
  await takeStep(ports, run, { to: status, atMs, settled: true });
  return true;
}

function refOf(ports: AdvancePorts, order: Order, { sku }: OrderLine): SkuRef {
  const ref = ports.directory.sku(order.saleId, sku);
  if (ref !== null) return ref;
  throw new Fault("store_unavailable", `sale ${order.saleId} is not loaded here yet`);
}

/** Asks for every line at once and waits for all: `answers` in their order, null where it failed. */
async function askAll<O>(
  lines: readonly OrderLine[],
  ask: (line: OrderLine) => Promise<O>,
): Promise<{ answers: readonly (O | null)[]; fault: unknown }> {
  const [only, second] = lines;
  // Most orders have one line.
  if (only !== undefined && second === undefined) {
    try {
      return { answers: [await ask(only)], fault: null };
    } catch (fault) {
      return { answers: [null], fault };
    }
  }
  const settled = await Promise.allSettled(lines.map(async (line) => ask(line)));
  let fault: unknown = null;
  const answers = settled.map((result) => {
    if (result.status === "fulfilled") return result.value;
    fault ??= result.reason;
    return null;
  });
  return { answers, fault };
}
