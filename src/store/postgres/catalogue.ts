// The catalogue on the control database.
//
//   C1  at most one version of a sale is pending: a partial unique index, whatever runs at once
//   C2  a version's number is used once, also when it was abandoned: numbers come from
//       sale_versions, whose rows stay
//   C3  a version becomes visible whole, by one statement

import { and, asc, desc, eq, getTableColumns, gt, lt, sql } from "drizzle-orm";
import type { SQL } from "drizzle-orm";

import { assert } from "../../core/assert.ts";
import { Fault } from "../../core/errors.ts";
import type {
  BeginResult,
  Catalogue,
  PendingVersion,
  VersionDraft,
  VersionState,
} from "../../core/ports/catalogue.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { Sale, SaleSku } from "../../core/sale/sale.ts";
import { changesOf, headerColumnsOf, headerOf, obstacleOf, saleOf } from "../sale-rows.ts";
import { readSkus } from "../sku-pages.ts";
import type { PostgresDatabase } from "./connect.ts";
import { sales, saleVersions, skus } from "./schema/control.ts";

/** Each round that decides nothing met a change made meanwhile; the next sees it. */
const BEGIN_ROUNDS_MAX = 8;

export class PostgresCatalogue implements Catalogue {
  readonly #database: PostgresDatabase;
  readonly #clock: Clock;

  constructor(options: { readonly database: PostgresDatabase; readonly clock: Clock }) {
    this.#database = options.database;
    this.#clock = options.clock;
  }

  async begin(draft: VersionDraft): Promise<BeginResult> {
    const distinct = new Set(draft.changes.map((change) => change.sku));
    assert(distinct.size === draft.changes.length, "a version changes each SKU once");
    for (let round = 0; round < BEGIN_ROUNDS_MAX; round += 1) {
      const result = await this.#tryBegin(draft);
      if (result !== null) return result;
    }
    throw new Fault("busy", `begin a version of sale ${draft.header.saleId}: changed at each try`);
  }

  async publish(saleId: string, version: number): Promise<boolean> {
    const rows = await this.#database.run("publish a sale", (db) => {
      return db.execute<{ published: number }>(publishStatement(saleId, version));
    });
    return rows[0]?.published === 1;
  }

  async abandon(saleId: string, version: number): Promise<boolean> {
    const rows = await this.#database.run("abandon a version", (db) => {
      return db
        .update(saleVersions)
        .set({ state: "abandoned" })
        .where(
          and(
            eq(saleVersions.sale_id, saleId),
            eq(saleVersions.version, version),
            eq(saleVersions.state, "pending"),
          ),
        )
        .returning({ version: saleVersions.version });
    });
    return rows.length === 1;
  }

  async pending(beforeMs: number): Promise<readonly PendingVersion[]> {
    const rows = await this.#database.run("list pending versions", (db) => {
      return db
        .select()
        .from(saleVersions)
        .where(and(eq(saleVersions.state, "pending"), lt(saleVersions.begun_at_ms, beforeMs)))
        .orderBy(asc(saleVersions.begun_at_ms), asc(saleVersions.sale_id));
    });
    return rows.map((row) => ({
      saleId: row.sale_id,
      version: row.version,
      header: headerOf(row.header),
      changes: changesOf(row.changes),
    }));
  }

  async sales(request: {
    readonly merchantId?: string;
    readonly after?: string;
    readonly limit: number;
  }): Promise<readonly Sale[]> {
    const { merchantId, after, limit } = request;
    const conditions = [gt(sales.version, 0)];
    if (merchantId !== undefined) conditions.push(eq(sales.merchant_id, merchantId));
    if (after !== undefined) {
      conditions.push(sql`(${sales.starts_at_ms}, ${byBytes(sales.sale_id)}) <
        (select starts_at_ms, sale_id from ${sales} where sale_id = ${after})`);
    }
    const rows = await this.#database.run("list sales", (db) => {
      return db
        .select()
        .from(sales)
        .where(and(...conditions))
        .orderBy(desc(sales.starts_at_ms), desc(byBytes(sales.sale_id)))
        .limit(limit);
    });
    return rows.map(saleOf);
  }

  async versionSum(): Promise<number> {
    const [row] = await this.#database.run("add up versions", (db) => {
      // A double is exact far beyond what there will ever be.
      const sum = sql<number>`coalesce(sum(${sales.version}), 0)::double precision`;
      return db.select({ sum }).from(sales);
    });
    return row?.sum ?? 0;
  }

  async sale(saleId: string): Promise<Sale | null> {
    const [row] = await this.#database.run("read a sale", (db) => {
      return db.select().from(sales).where(eq(sales.sale_id, saleId));
    });
    return row === undefined ? null : saleOf(row);
  }

  async skus(saleId: string): Promise<readonly SaleSku[]> {
    return await readSkus(saleId, (after, limit) =>
      this.#database.run("read a sale's SKUs", (db) => {
        return db
          .select({ ...getTableColumns(skus), version: versionOf(saleId) })
          .from(skus)
          .where(and(eq(skus.sale_id, saleId), sql`${byBytes(skus.sku)} > ${after}`))
          .orderBy(asc(byBytes(skus.sku)))
          .limit(limit);
      }),
    );
  }

  /** Null: what the statement saw and what it met differ; look again. */
  async #tryBegin(draft: VersionDraft): Promise<BeginResult | null> {
    const statement = beginStatement(draft, this.#clock.wallMs());
    const rows = await this.#database.run("begin a version", (db) => {
      return db.execute<BeginRow>(statement);
    });
    const [row] = rows;
    assert(row !== undefined, "a select of scalars has one row");
    if (row.begun !== null) return { kind: "begun", version: row.begun };
    const { merchant_id: merchantId, version, prior_version: prior } = row;
    return obstacleOf(
      {
        sale: merchantId === null || version === null ? null : { merchantId, version },
        hasPending: row.has_pending,
        prior:
          prior === null
            ? null
            : { version: prior, state: row.prior_state, fingerprint: row.prior_fingerprint },
      },
      draft,
    );
  }
}

type BeginRow = {
  readonly begun: number | null;
  readonly merchant_id: string | null;
  readonly version: number | null;
  readonly has_pending: boolean;
  readonly prior_version: number | null;
  readonly prior_state: VersionState;
  readonly prior_fingerprint: string | null;
};

function versionOf(saleId: string): SQL<number | null> {
  return sql`(select version from ${sales} where sale_id = ${saleId})`;
}

/** Bytes, as SQLite orders text; the database's own collation may differ. */
function byBytes(column: typeof sales.sale_id | typeof skus.sku): SQL {
  return sql`${column} collate "C"`;
}

/**
 * The compare-and-set: `claimed` locks the sale's row and sees its newest version; the unique
 * indexes of sale_versions refuse what the statement's snapshot could not see (C1, C2).
 */
function beginStatement(draft: VersionDraft, nowMs: number): SQL {
  const { header, baseVersion, changes } = draft;
  const key = draft.idempotencyKey ?? null;
  const columns = headerColumnsOf(header);
  return sql`
    with prior as (
      select version, state, fingerprint from ${saleVersions}
      where sale_id = ${header.saleId} and idempotency_key = ${key}
    ), known as (
      select merchant_id, version from ${sales} where sale_id = ${header.saleId}
    ), waiting as (
      select version from ${saleVersions}
      where sale_id = ${header.saleId} and state = 'pending'
    ), claimed as (
      insert into ${sales} as stored (sale_id, merchant_id, version, title, currency, time_zone,
        starts_at_ms, ends_at_ms, hold_ms, pay_ms, groups, phase)
      select ${columns.sale_id}, ${columns.merchant_id}, 0, ${columns.title}, ${columns.currency},
        ${columns.time_zone}, ${columns.starts_at_ms}::bigint, ${columns.ends_at_ms}::bigint,
        ${columns.hold_ms}::bigint, ${columns.pay_ms}::bigint, ${columns.groups}::jsonb,
        ${columns.phase}
      where (${baseVersion}::integer = 0 or exists (select from known))
        and not exists (select from prior) and not exists (select from waiting)
      on conflict (sale_id) do update set sale_id = excluded.sale_id
      where stored.merchant_id = excluded.merchant_id
      returning version
    ), begun as (
      insert into ${saleVersions} (sale_id, version, state, base_version, header, changes,
        idempotency_key, fingerprint, begun_at_ms)
      select ${header.saleId},
        1 + coalesce((select max(version) from ${saleVersions} where sale_id = ${header.saleId}), 0),
        'pending', ${baseVersion}::integer, ${JSON.stringify(header)}::jsonb,
        ${JSON.stringify(changes)}::jsonb, ${key}, ${draft.fingerprint ?? null}, ${nowMs}::bigint
      from claimed where claimed.version = ${baseVersion}::integer
      on conflict do nothing
      returning version
    )
    select (select version from begun) as begun, known.merchant_id, known.version,
      exists (select from waiting) as has_pending, prior.version as prior_version,
      prior.state as prior_state, prior.fingerprint as prior_fingerprint
    from (select) as one left join known on true left join prior on true`;
}

/**
 * C3: the version, the sale and its SKUs by one statement. The sale's row is locked first, as in
 * `beginStatement`: two orders of locking would be a deadlock.
 */
function publishStatement(saleId: string, version: number): SQL {
  return sql`
    with locked as (
      select sale_id from ${sales} where sale_id = ${saleId} for update
    ), published as (
      update ${saleVersions} as ended set state = 'published' from locked
      where ended.sale_id = locked.sale_id and version = ${version}::integer
        and state = 'pending'
      returning ended.sale_id, version, header, changes
    ), shown as (
      update ${sales} as stored set version = published.version, title = header ->> 'title',
        currency = header ->> 'currency', time_zone = header ->> 'timeZone',
        starts_at_ms = (header ->> 'startsAtMs')::bigint,
        ends_at_ms = (header ->> 'endsAtMs')::bigint, hold_ms = (header ->> 'holdMs')::bigint,
        pay_ms = (header ->> 'payMs')::bigint, groups = header -> 'groups',
        phase = header ->> 'phase'
      from published where stored.sale_id = published.sale_id
    ), stocked as (
      insert into ${skus} (sale_id, sku, title, price_minor, stock, limit_per_shopper, sku_group)
      select published.sale_id, change.sku, change.title, change."priceMinor", change.stock,
        change."limitPerShopper", change."group"
      from published, jsonb_to_recordset(published.changes) as change(sku text, title text,
        "priceMinor" bigint, stock bigint, "limitPerShopper" integer, "group" text)
      on conflict (sale_id, sku) do update set title = excluded.title,
        price_minor = excluded.price_minor, stock = excluded.stock,
        limit_per_shopper = excluded.limit_per_shopper, sku_group = excluded.sku_group
    )
    select count(*)::integer as published from published`;
}
