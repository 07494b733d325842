// The Orders port on SQLite: the embedded twin. Writes of one tick share one transaction, and so one
// fsync; there is no await inside it. Reads are answered at once.

import { and, asc, desc, eq, getTableColumns, inArray, lt, sql } from "drizzle-orm";
import type { SQL } from "drizzle-orm";

import { bucketOfOrder, orderIdPrefixOf } from "../../core/ids.ts";
import {
  STATEMENT_ROWS_MAX,
  STATEMENT_WAIT_MS_MAX,
  STATEMENT_WAITING_MAX,
} from "../../core/limits.ts";
import type { Order, OrderStatus } from "../../core/order/order.ts";
import type { CreateResult, Orders, Page, Transition } from "../../core/ports/orders.ts";
import { Coalescer } from "../coalescer.ts";
import { assertNewOrder, assertStep, orderOf } from "../order-row.ts";
import { verdictOf } from "../statement-verdict.ts";
import type { SqliteDatabase, SqliteDrizzle } from "./open.ts";
import { prepareOrderStatements } from "./orders-statements.ts";
import type { OrderStatements, PaymentEvent } from "./orders-statements.ts";
import { orders, unsettledOrders } from "./schema/shard.ts";

/** One line for all writes, so that those of a tick share a transaction in order of arrival. */
type Write =
  | { readonly kind: "create"; readonly order: Order }
  | { readonly kind: "move"; readonly step: Transition }
  | { readonly kind: "record"; readonly event: PaymentEvent };

const COLUMNS = {
  ...getTableColumns(orders),
  lines: sql<string>`(
    select json_group_array(json(l.line)) from (
      select json_array(sku, quantity, unit_price_minor) as line from order_lines
      where order_lines.order_id = orders.order_id order by order_lines.line
    ) l)`,
};

export class SqliteOrders implements Orders {
  readonly #database: SqliteDatabase;
  readonly #statements: OrderStatements;
  readonly #writes: Coalescer<Write, boolean>;

  /** The tables are there already. */
  constructor(options: { readonly database: SqliteDatabase }) {
    this.#database = options.database;
    this.#statements = prepareOrderStatements(options.database.client);
    this.#writes = new Coalescer<Write, boolean>({
      name: "orders.write",
      keyOf: () => "",
      keysMayRepeat: true,
      batchMax: STATEMENT_ROWS_MAX,
      waitingMax: STATEMENT_WAITING_MAX,
      waitMsMax: STATEMENT_WAIT_MS_MAX,
      verdictOf,
      run: (batch) => this.#write(batch),
    });
  }

  async create(order: Order): Promise<CreateResult> {
    assertNewOrder(order);
    if (await this.#writes.do({ kind: "create", order })) return { kind: "created" };
    const key = and(
      eq(orders.shopper_id, order.shopperId),
      eq(orders.idempotency_key, order.idempotencyKey),
    );
    const [stored] = this.#select("orders.find_by_key", (db) => select(db, key).all());
    return { kind: "exists", order: stored as Order };
  }

  async transition(step: Transition): Promise<boolean> {
    assertStep(step);
    return await this.#writes.do({ kind: "move", step });
  }

  async find(orderId: string): Promise<Order | null> {
    const where = eq(orders.order_id, orderId);
    return this.#select("orders.find", (db) => select(db, where).all())[0] ?? null;
  }

  async listOfShopper(shopperId: string, page: Page): Promise<readonly Order[]> {
    return this.#list(eq(orders.shopper_id, shopperId), page);
  }

  async listOfSale(
    request: Page & { readonly saleId: string; readonly status?: OrderStatus },
  ): Promise<readonly Order[]> {
    const { saleId, status } = request;
    const ofStatus = status === undefined ? undefined : eq(orders.status, status);
    return this.#list(and(eq(orders.sale_id, saleId), ofStatus), request);
  }

  async countsOfSale(saleId: string): Promise<Readonly<Partial<Record<OrderStatus, number>>>> {
    const rows = this.#database.run("orders.counts_of_sale", (db) =>
      db
        .select({ status: orders.status, count: sql<number>`count(*)` })
        .from(orders)
        .where(eq(orders.sale_id, saleId))
        .groupBy(orders.status)
        .all(),
    );
    return Object.fromEntries(rows.map((row) => [row.status, row.count]));
  }

  async unsettled(request: {
    readonly buckets: readonly number[];
    readonly beforeMs: number;
    readonly limit: number;
  }): Promise<readonly Order[]> {
    const names = sql`select ${unsettledOrders.order_id} from ${unsettledOrders}`;
    const where = and(
      sql`${orders.order_id} in (${names})`,
      inArray(sql`substr(${orders.order_id}, 1, 6)`, request.buckets.map(orderIdPrefixOf)),
      sql`not ${orders.settled}`,
      lt(orders.updated_at_ms, request.beforeMs),
    );
    return this.#select("orders.unsettled", (db) =>
      select(db, where)
        .orderBy(asc(orders.updated_at_ms), asc(orders.order_id))
        .limit(request.limit)
        .all(),
    );
  }

  async recordPaymentEvent(event: PaymentEvent): Promise<boolean> {
    if (bucketOfOrder(event.orderId) === null) return false;
    return await this.#writes.do({ kind: "record", event });
  }

  /** Newest first, below `after`; an `after` that names no order has nothing below it. */
  #list(where: SQL | undefined, { after, limit }: Page): Order[] {
    const below =
      after === undefined
        ? undefined
        : sql`(${orders.created_at_ms}, ${orders.order_id}) <
            (select a.created_at_ms, a.order_id from orders a where a.order_id = ${after})`;
    return this.#select("orders.list", (db) =>
      select(db, and(where, below))
        .orderBy(desc(orders.created_at_ms), desc(orders.order_id))
        .limit(limit)
        .all(),
    );
  }

  #select(what: string, work: (db: SqliteDrizzle) => SelectedRow[]): Order[] {
    return this.#database.run(what, work).map((row) =>
      orderOf({
        ...row,
        failure: parsed(row.failure),
        contact: parsed(row.contact),
        delivery: parsed(row.delivery),
        lines: JSON.parse(row.lines) as [string, number, number][],
      }),
    );
  }

  async #write(batch: readonly Write[]): Promise<boolean[]> {
    const { insert, move, record } = this.#statements;
    return this.#database.write("orders.write", () =>
      batch.map((write) => {
        if (write.kind === "create") return insert(write.order);
        return write.kind === "move" ? move(write.step) : record(write.event);
      }),
    );
  }
}

type SelectedRow = ReturnType<ReturnType<typeof select>["all"]>[number];

function select(db: SqliteDrizzle, where: SQL | undefined) {
  return db.select(COLUMNS).from(orders).where(where);
}

function parsed(json: string | null): unknown {
  return json === null ? null : JSON.parse(json);
}
