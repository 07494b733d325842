// One shard's orders: writes and look-ups that meet share a statement.
//
//   O1  every business effect is one statement; a batch is written whole or not at all
//   O2  a statement of unknown outcome is sent once more where that is safe: a key, an event id and
//       a compare-and-set have their effect once. What it then answers is definite, or the caller
//       hears `unknown`
//   O3  look-ups share statements too, and lists leave connections free for writes

import { assert } from "../../core/assert.ts";
import { Fault } from "../../core/errors.ts";
import {
  STATEMENT_GATHER_MS,
  STATEMENT_ROWS_MAX,
  STATEMENT_WAIT_MS_MAX,
  STATEMENT_WAITING_MAX,
} from "../../core/limits.ts";
import type { Order, OrderStatus } from "../../core/order/order.ts";
import { ORDER_STEPS } from "../../core/order/order.ts";
import type { CreateResult, Transition } from "../../core/ports/orders.ts";
import { Coalescer } from "../coalescer.ts";
import type { CoalescerOptions } from "../coalescer.ts";
import { orderOf } from "../order-row.ts";
import type { OrderRow } from "../order-row.ts";
import { verdictOf } from "../statement-verdict.ts";
import type { Drizzle, PostgresDatabase, Statement } from "./connect.ts";
import { ordersById, ordersByKey } from "./orders-read.ts";
import { insertOrders, insertPaymentEvents, moveOrders } from "./orders-write.ts";
import type { PaymentEvent } from "./orders-write.ts";
import { WaitingLine } from "./waiting-line.ts";

/** `in_doubt`: it or someone else did it, and nothing tells who. */
type Outcome = "done" | "not_done" | "in_doubt";

/** A statement that failed later than this is not sent again: the caller's time is up (I9). */
const RESEND_WITHIN_MS = 500;

/** Lists that run at once on a shard, and that wait: fewer than its connections. */
const LISTS_AT_ONCE = 3;
const LISTS_WAITING_MAX = 256;
const LIST_WAIT_MS = 1_000;

export class OrdersShard {
  readonly #database: PostgresDatabase;
  readonly #lists = new WaitingLine({ slots: LISTS_AT_ONCE, waitingMax: LISTS_WAITING_MAX });
  readonly #creates: Coalescer<Order, Outcome>;
  readonly #steps: Coalescer<Transition, Outcome>;
  readonly #events: Coalescer<PaymentEvent, Outcome>;
  readonly #byId: Coalescer<string, Order | null>;
  readonly #byKey: Coalescer<Order, Order | null>;

  constructor(database: PostgresDatabase) {
    this.#database = database;
    this.#creates = coalescer<Order, Outcome>("orders.create", {
      keyOf: keyOfOrder,
      keysMayRepeat: true,
      run: (batch) => this.#create(batch),
    });
    this.#steps = coalescer("orders.transition", {
      keyOf: (step) => step.orderId,
      keysMayRepeat: false,
      run: (batch) => this.#move(batch),
    });
    this.#events = coalescer("orders.payment_event", {
      keyOf: (event) => event.eventId,
      keysMayRepeat: false,
      run: (batch) => this.#record(batch),
    });
    this.#byId = coalescer("orders.find", {
      keyOf: (orderId) => orderId,
      keysMayRepeat: true,
      run: async (ids) => {
        const found = await this.#find("orders.find", ordersById(ids));
        const byId = new Map(found.map((order) => [order.orderId, order]));
        return ids.map((orderId) => byId.get(orderId) ?? null);
      },
    });
    this.#byKey = coalescer<Order, Order | null>("orders.find_by_key", {
      keyOf: keyOfOrder,
      keysMayRepeat: true,
      run: async (asked) => {
        const what = "orders.find_by_key";
        const found = await this.#find(what, ordersByKey(asked));
        const byKey = new Map(found.map((order) => [keyOfOrder(order), order]));
        return asked.map((order) => byKey.get(keyOfOrder(order)) ?? null);
      },
    });
  }

  async create(order: Order): Promise<CreateResult> {
    const outcome = await this.#creates.do(order);
    if (outcome === "done") return { kind: "created" };
    const stored = await this.#byKey.do(order).catch((error: unknown) => {
      throw outcome === "in_doubt" ? inDoubt("orders.create", order.orderId, error) : error;
    });
    // Its key was taken, and orders are never deleted.
    assert(stored !== null, "a key that was used has its order");
    const isOurs = outcome === "in_doubt" && stored.orderId === order.orderId;
    return isOurs ? { kind: "created" } : { kind: "exists", order: stored };
  }

  async transition(step: Transition): Promise<boolean> {
    const outcome = await this.#steps.do(step);
    if (outcome !== "in_doubt") return outcome === "done";
    throw inDoubt(`orders.transition to ${step.to}`, step.orderId);
  }

  async recordPaymentEvent(event: PaymentEvent): Promise<boolean> {
    const outcome = await this.#events.do(event);
    if (outcome !== "in_doubt") return outcome === "done";
    throw inDoubt("orders.payment_event", event.orderId);
  }

  find(orderId: string): Promise<Order | null> {
    return this.#byId.do(orderId);
  }

  /** A list or a count: few at a time. */
  async list<T>(what: string, work: (drizzle: Drizzle) => PromiseLike<T>): Promise<T> {
    await this.#lists.enter(what, LIST_WAIT_MS);
    try {
      return await this.#database.run(what, work);
    } finally {
      this.#lists.leave();
    }
  }

  async #find(what: string, statement: Statement): Promise<Order[]> {
    return (await this.#database.execute<OrderRow>(what, statement)).map(orderOf);
  }

  async #create(batch: readonly Order[]): Promise<Outcome[]> {
    const { ids, isResent } = await this.#write("orders.create", "order_id", insertOrders(batch));
    return batch.map((order) => outcomeOf(ids.has(order.orderId), isResent));
  }

  async #record(batch: readonly PaymentEvent[]): Promise<Outcome[]> {
    const { ids, isResent } = await this.#write(
      "orders.payment_event",
      "event_id",
      insertPaymentEvents(batch),
    );
    return batch.map((event) => outcomeOf(ids.has(event.eventId), isResent));
  }

  async #move(batch: readonly Transition[]): Promise<Outcome[]> {
    const { ids, isResent } = await this.#write("orders.transition", "order_id", moveOrders(batch));
    if (!isResent) return batch.map((step) => outcomeOf(ids.has(step.orderId), false));
    const lost = batch.filter((step) => !ids.has(step.orderId)).map((step) => step.orderId);
    const found = await this.#find("orders.transition", ordersById(lost));
    const statuses = new Map(found.map((order) => [order.orderId, order.status]));
    return batch.map((step) => {
      if (ids.has(step.orderId)) return "done";
      const status = statuses.get(step.orderId);
      // Somewhere our step does not lead to: the first statement did not do it either.
      return status === undefined || !leadsTo(step.to, status) ? "not_done" : "in_doubt";
    });
  }

  /** O2. Returns the ids that the statement (or its second run) changed. */
  async #write(
    what: string,
    column: "order_id" | "event_id",
    statement: Statement,
  ): Promise<{ readonly ids: ReadonlySet<unknown>; readonly isResent: boolean }> {
    const startMs = performance.now();
    const idsOf = (rows: readonly Record<string, unknown>[]) =>
      new Set(rows.map((row) => row[column]));
    try {
      return { ids: idsOf(await this.#database.execute(what, statement)), isResent: false };
    } catch (error) {
      const isUnknown = error instanceof Fault && error.code === "unknown";
      if (!isUnknown || performance.now() - startMs > RESEND_WITHIN_MS) throw error;
      const rows = await this.#database.execute(what, statement).catch(() => {
        // Whatever ails the second run, the first is still unknown.
        throw error;
      });
      return { ids: idsOf(rows), isResent: true };
    }
  }
}

function coalescer<Item, Result>(
  name: string,
  options: Pick<CoalescerOptions<Item, Result>, "keyOf" | "keysMayRepeat" | "run">,
): Coalescer<Item, Result> {
  return new Coalescer({
    name,
    batchMax: STATEMENT_ROWS_MAX,
    waitingMax: STATEMENT_WAITING_MAX,
    waitMsMax: STATEMENT_WAIT_MS_MAX,
    gatherMs: STATEMENT_GATHER_MS,
    verdictOf,
    ...options,
  });
}

function keyOfOrder(order: Pick<Order, "shopperId" | "idempotencyKey">): string {
  return `${order.shopperId} ${order.idempotencyKey}`;
}

function outcomeOf(isChanged: boolean, isResent: boolean): Outcome {
  if (isChanged) return "done";
  return isResent ? "in_doubt" : "not_done";
}

/** Can an order that took the step to `from` be at `status` now? */
function leadsTo(from: OrderStatus, status: OrderStatus): boolean {
  return from === status || ORDER_STEPS[from].some((next) => leadsTo(next, status));
}

function inDoubt(what: string, orderId: string, cause?: unknown): Fault {
  return new Fault("unknown", `${what}: ${orderId}: the connection was cut`, { cause });
}
