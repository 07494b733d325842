// The selects over one shard's orders; each gives whole orders in one statement.

import { and, desc, eq, getTableColumns, sql } from "drizzle-orm";
import type { SQL } from "drizzle-orm";

import { orderIdPrefixOf } from "../../core/ids.ts";
import { SWEEP_ORDERS_MAX } from "../../core/limits.ts";
import type { Order, OrderStatus } from "../../core/order/order.ts";
import type { Orders } from "../../core/ports/orders.ts";
import { orderOf } from "../order-row.ts";
import type { OrderRow } from "../order-row.ts";
import { textArrayLiteral } from "./array-literal.ts";
import type { Drizzle, Statement } from "./connect.ts";
import { orders, unsettledOrders } from "./schema/shard.ts";

/** A place in the list, newest first: what follows is older. */
export type Position = { readonly createdAtMs: number; readonly orderId: string };

const COLUMNS = {
  ...getTableColumns(orders),
  lines: sql<OrderRow["lines"]>`(
    select json_agg(json_build_array(l.sku, l.quantity, l.unit_price_minor) order by l.line)
    from order_lines l where l.order_id = orders.order_id)`,
};

function select(drizzle: Drizzle, where: SQL | undefined) {
  return drizzle.select(COLUMNS).from(orders).where(where);
}

/** As `COLUMNS`, for the look-ups that every checkout may need: texts that never vary. */
const SELECT_ORDERS = `
  select o.order_id, o.shopper_id, o.merchant_id, o.sale_id, o.idempotency_key, o.fingerprint,
         o.status, o.currency, o.total_minor, o.refunded_minor, o.failure, o.contact, o.delivery,
         o.created_at_ms, o.updated_at_ms, o.pay_until_ms, o.is_settled as settled, o.token,
         (select json_agg(json_build_array(l.sku, l.quantity, l.unit_price_minor) order by l.line)
          from order_lines l where l.order_id = o.order_id) as lines
  from orders o`;

const SELECT_BY_ID = `${SELECT_ORDERS} where o.order_id = any ($1::text[])`;

const SELECT_BY_KEY = `${SELECT_ORDERS}
  where (o.shopper_id, o.idempotency_key) in (select * from unnest($1::text[], $2::text[]))`;

export function ordersById(ids: readonly string[]): Statement {
  return { text: SELECT_BY_ID, values: [textArrayLiteral(ids)] };
}

export function ordersByKey(
  keys: readonly { readonly shopperId: string; readonly idempotencyKey: string }[],
): Statement {
  const shoppers = textArrayLiteral(keys.map((key) => key.shopperId));
  const idempotencyKeys = textArrayLiteral(keys.map((key) => key.idempotencyKey));
  return { text: SELECT_BY_KEY, values: [shoppers, idempotencyKeys] };
}

export async function positionOf(drizzle: Drizzle, orderId: string): Promise<Position | null> {
  const [row] = await drizzle
    .select({ createdAtMs: orders.created_at_ms, orderId: orders.order_id })
    .from(orders)
    .where(eq(orders.order_id, orderId));
  return row ?? null;
}

type PageRequest = {
  readonly shopperId?: string;
  readonly saleId?: string;
  readonly status?: OrderStatus | undefined;
  readonly after: Position | null;
  readonly limit: number;
};

export async function ordersWhere(drizzle: Drizzle, request: PageRequest): Promise<Order[]> {
  return (await selectPage(drizzle, request)).map(orderOf);
}

/** Newest first, below `after`. */
export function selectPage(drizzle: Drizzle, request: PageRequest) {
  const { shopperId, saleId, status, after, limit } = request;
  const where = and(
    shopperId === undefined ? undefined : eq(orders.shopper_id, shopperId),
    saleId === undefined ? undefined : eq(orders.sale_id, saleId),
    status === undefined ? undefined : eq(orders.status, status),
    after === null
      ? undefined
      : sql`(${orders.created_at_ms}, ${orders.order_id}) < (${after.createdAtMs}, ${after.orderId})`,
  );
  return select(drizzle, where)
    .orderBy(desc(orders.created_at_ms), desc(orders.order_id))
    .limit(limit);
}

type UnsettledRequest = Parameters<Orders["unsettled"]>[0];

export async function ordersUnsettled(
  drizzle: Drizzle,
  request: UnsettledRequest,
): Promise<Order[]> {
  return (await selectUnsettled(drizzle, request)).map(orderOf);
}

/** Names that one sweep looks up: more than it can take on, however many there are. */
const NAMES_MAX = 2 * SWEEP_ORDERS_MAX;

/** Reads the names first, then those orders: a join's plan might begin at the wrong end. */
export function selectUnsettled(drizzle: Drizzle, request: UnsettledRequest) {
  const prefixes = textArrayLiteral(request.buckets.map(orderIdPrefixOf));
  // An id goes on with a UUIDv7, so the names are cut by age. `in` is a look-up in a hash here.
  const names = sql`select ${unsettledOrders.order_id} from ${unsettledOrders}
    where (left(${unsettledOrders.order_id}, 6) in (select unnest(${prefixes}::text[]))) is true
    order by substr(${unsettledOrders.order_id}, 7) limit ${NAMES_MAX}`;
  const where = sql`${orders.order_id} = any (array(${names}))
    and not ${orders.settled} and ${orders.updated_at_ms} < ${request.beforeMs}`;
  return select(drizzle, where).orderBy(orders.updated_at_ms, orders.order_id).limit(request.limit);
}

export async function statusCounts(
  drizzle: Drizzle,
  saleId: string,
): Promise<{ status: string; count: number }[]> {
  return await drizzle
    .select({ status: orders.status, count: sql<number>`count(*)::integer` })
    .from(orders)
    .where(eq(orders.sale_id, saleId))
    .groupBy(orders.status);
}
