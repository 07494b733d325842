// The catalogue in the embedded database: the same rules as on Postgres (C1–C3 there), each change
// one transaction without an await.

import { and, asc, desc, eq, getTableColumns, gt, lt, max, sql } from "drizzle-orm";

import { assert } from "../../core/assert.ts";
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
import type { BeginFacts } from "../sale-rows.ts";
import { readSkus } from "../sku-pages.ts";
import type { SqliteDatabase, SqliteDrizzle } from "./open.ts";
import { sales, saleVersions, skus } from "./schema/control.ts";

const PUT_SKU = `
  insert into skus (sale_id, sku, title, price_minor, stock, limit_per_shopper, sku_group)
  values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
  on conflict (sale_id, sku) do update set title = excluded.title,
    price_minor = excluded.price_minor, stock = excluded.stock,
    limit_per_shopper = excluded.limit_per_shopper, sku_group = excluded.sku_group`;

export class SqliteCatalogue implements Catalogue {
  readonly #database: SqliteDatabase;
  readonly #clock: Clock;

  constructor(options: { readonly database: SqliteDatabase; readonly clock: Clock }) {
    this.#database = options.database;
    this.#clock = options.clock;
  }

  async begin(draft: VersionDraft): Promise<BeginResult> {
    const distinct = new Set(draft.changes.map((change) => change.sku));
    assert(distinct.size === draft.changes.length, "a version changes each SKU once");
    const { header } = draft;
    return this.#database.write("begin a version", (db) => {
      const facts = factsOf(db, draft);
      const obstacle = obstacleOf(facts, draft);
      if (obstacle !== null) return obstacle;
      if (facts.sale === null) {
        db.insert(sales)
          .values({ ...headerColumnsOf(header), version: 0 })
          .run();
      }
      const [highest] = db
        .select({ version: max(saleVersions.version) })
        .from(saleVersions)
        .where(eq(saleVersions.sale_id, header.saleId))
        .all();
      const version = 1 + (highest?.version ?? 0);
      db.insert(saleVersions)
        .values({
          sale_id: header.saleId,
          version,
          state: "pending",
          base_version: draft.baseVersion,
          header: JSON.stringify(header),
          changes: JSON.stringify(draft.changes),
          idempotency_key: draft.idempotencyKey ?? null,
          fingerprint: draft.fingerprint ?? null,
          begun_at_ms: this.#clock.wallMs(),
        })
        .run();
      return { kind: "begun", version };
    });
  }

  async publish(saleId: string, version: number): Promise<boolean> {
    return this.#database.write("publish a sale", (db) => {
      const row = settle(db, { saleId, version, state: "published" });
      if (row === null) return false;
      const columns = headerColumnsOf(headerOf(row.header));
      db.update(sales)
        .set({ ...columns, version })
        .where(eq(sales.sale_id, saleId))
        .run();
      this.#putSkus(saleId, changesOf(row.changes));
      return true;
    });
  }

  /** One prepared statement many times takes 0.6 of one over `json_each` (bench/large-apply.ts). */
  #putSkus(saleId: string, changes: readonly SaleSku[]): void {
    const put = this.#database.client.query(PUT_SKU);
    for (const { sku, title, priceMinor, stock, limitPerShopper, group } of changes) {
      put.run(saleId, sku, title, priceMinor, stock, limitPerShopper, group);
    }
  }

  async abandon(saleId: string, version: number): Promise<boolean> {
    return this.#database.write("abandon a version", (db) => {
      return settle(db, { saleId, version, state: "abandoned" }) !== null;
    });
  }

  async pending(beforeMs: number): Promise<readonly PendingVersion[]> {
    const rows = this.#database.run("list pending versions", (db) => {
      return db
        .select()
        .from(saleVersions)
        .where(and(eq(saleVersions.state, "pending"), lt(saleVersions.begun_at_ms, beforeMs)))
        .orderBy(asc(saleVersions.begun_at_ms), asc(saleVersions.sale_id))
        .all();
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
      conditions.push(sql`(${sales.starts_at_ms}, ${sales.sale_id}) <
        (select starts_at_ms, sale_id from ${sales} where sale_id = ${after})`);
    }
    const rows = this.#database.run("list sales", (db) => {
      return db
        .select()
        .from(sales)
        .where(and(...conditions))
        .orderBy(desc(sales.starts_at_ms), desc(sales.sale_id))
        .limit(limit)
        .all();
    });
    return rows.map(saleOf);
  }

  async versionSum(): Promise<number> {
    const row = this.#database.run("add up versions", (db) => {
      const total = sql<number>`coalesce(sum(${sales.version}), 0)`;
      return db.select({ sum: total }).from(sales).get();
    });
    return row?.sum ?? 0;
  }

  async sale(saleId: string): Promise<Sale | null> {
    const row = this.#database.run("read a sale", (db) => {
      return db.select().from(sales).where(eq(sales.sale_id, saleId)).get();
    });
    return row === undefined ? null : saleOf(row);
  }

  async skus(saleId: string): Promise<readonly SaleSku[]> {
    return await readSkus(saleId, async (after, limit) => {
      // SQLite answers at once: without a pause the pages would be one long turn.
      if (after !== "") await new Promise((resolve) => setImmediate(resolve));
      return this.#database.run("read a sale's SKUs", (db) => {
        const version = sql<
          number | null
        >`(select version from ${sales} where sale_id = ${saleId})`;
        return db
          .select({ ...getTableColumns(skus), version })
          .from(skus)
          .where(and(eq(skus.sale_id, saleId), gt(skus.sku, after)))
          .orderBy(asc(skus.sku))
          .limit(limit)
          .all();
      });
    });
  }
}

function factsOf(db: SqliteDrizzle, draft: VersionDraft): BeginFacts {
  const { saleId } = draft.header;
  const sale = db
    .select({ merchantId: sales.merchant_id, version: sales.version })
    .from(sales)
    .where(eq(sales.sale_id, saleId))
    .get();
  const pending = db
    .select({ version: saleVersions.version })
    .from(saleVersions)
    .where(and(eq(saleVersions.sale_id, saleId), eq(saleVersions.state, "pending")))
    .get();
  const key = draft.idempotencyKey;
  const prior =
    key === undefined
      ? undefined
      : db
          .select({
            version: saleVersions.version,
            state: saleVersions.state,
            fingerprint: saleVersions.fingerprint,
          })
          .from(saleVersions)
          .where(and(eq(saleVersions.sale_id, saleId), eq(saleVersions.idempotency_key, key)))
          .get();
  return {
    sale: sale ?? null,
    hasPending: pending !== undefined,
    prior: prior === undefined ? null : { ...prior, state: prior.state as VersionState },
  };
}

/** Ends a pending version. Returns its row, or null when it was not pending any more. */
function settle(
  db: SqliteDrizzle,
  step: { readonly saleId: string; readonly version: number; readonly state: VersionState },
): { readonly header: string; readonly changes: string } | null {
  const [row] = db
    .update(saleVersions)
    .set({ state: step.state })
    .where(
      and(
        eq(saleVersions.sale_id, step.saleId),
        eq(saleVersions.version, step.version),
        eq(saleVersions.state, "pending"),
      ),
    )
    .returning({ header: saleVersions.header, changes: saleVersions.changes })
    .all();
  return row ?? null;
}
