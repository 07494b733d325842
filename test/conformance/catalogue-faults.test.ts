// The control database killed under the catalogue's and the accounts' hands.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { Fault } from "../../src/core/errors.ts";
import { PostgresAccounts } from "../../src/store/postgres/accounts.ts";
import { applyMigrations } from "../../src/store/postgres/apply-migrations.ts";
import { PostgresCatalogue } from "../../src/store/postgres/catalogue.ts";
import { PostgresDatabase } from "../../src/store/postgres/connect.ts";
import { startPostgres } from "../support/servers.ts";
import type { TestPostgres } from "../support/servers.ts";

let server: TestPostgres;
let database: PostgresDatabase;
let catalogue: PostgresCatalogue;
let accounts: PostgresAccounts;

beforeAll(async () => {
  server = await startPostgres();
  database = new PostgresDatabase({ url: await server.createDatabase("control") });
  await applyMigrations(database);
  const clock = { wallMs: () => 1_000, monotonicMs: () => 1_000 };
  catalogue = new PostgresCatalogue({ database, clock });
  accounts = new PostgresAccounts({ database });
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

/** The call's answer, or the code of the fault it ended with; a bug goes on as it is. */
async function settled<T>(call: Promise<T>): Promise<{ answer: T } | { fault: string }> {
  try {
    return { answer: await call };
  } catch (error) {
    if (error instanceof Fault) return { fault: error.code };
    throw error;
  }
}

/** Repeats the same request until its answer is definite, as a client would. */
async function definite<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    const result = await settled(call());
    if ("answer" in result) return result.answer;
    expect(["unknown", "store_unavailable"]).toContain(result.fault);
  }
}

function draftOf(saleId: string, baseVersion: number) {
  return {
    header: {
      saleId,
      merchantId: "mer_1",
      title: "Sale",
      currency: "INR",
      timeZone: "Asia/Kolkata",
      startsAtMs: 1,
      endsAtMs: 2,
      holdMs: 3,
      payMs: 4,
      groups: {},
      phase: "live" as const,
    },
    baseVersion,
    changes: [
      { sku: "a", title: "A", priceMinor: 1, stock: baseVersion, limitPerShopper: 1, group: null },
    ],
    idempotencyKey: `change ${baseVersion}`,
    fingerprint: "f",
  };
}

describe("the control database killed and restarted under load, three times", () => {
  test("each change of a sale has its effect once, and later calls work", async () => {
    const run = { isOver: false, changes: 0 };
    const merchant = async (saleId: string): Promise<void> => {
      for (let base = 0; !run.isOver; base += 1) {
        const draft = draftOf(saleId, base);
        const result = await definite(() => catalogue.begin(draft));
        // Its number is the next one, also when the first answer was lost.
        expect(result).toMatchObject({ version: base + 1 });
        expect(["begun", "replayed"]).toContain(result.kind);
        await definite(() => catalogue.publish(saleId, base + 1));
        const sale = await definite(() => catalogue.sale(saleId));
        expect(sale?.version).toBe(base + 1);
        run.changes += 1;
      }
    };
    const shopper = async (name: string): Promise<void> => {
      for (let turn = 0; !run.isOver; turn += 1) {
        const accountId = `${name}-${turn}`;
        const account = { accountId, email: `${accountId}@example.com`, passwordHash: "h" };
        expect(await definite(() => accounts.createAccount(account))).toBe(true);
        expect(await definite(() => accounts.accountByEmail(account.email))).toEqual(account);
      }
    };
    const workers = [
      ...["sale-a", "sale-b", "sale-c", "sale-d"].map(merchant),
      ...["shopper-a", "shopper-b", "shopper-c"].map(shopper),
    ];
    for (let round = 0; round < 3; round += 1) {
      const before = run.changes;
      while (run.changes < before + 40) await settled(catalogue.pending(0));
      await server.kill();
      await server.restart();
    }
    run.isOver = true;
    await Promise.all(workers);
    expect(await catalogue.pending(2_000)).toEqual([]);
    for (const sale of await catalogue.sales({ limit: 10 })) {
      const [sku] = await catalogue.skus(sale.saleId);
      expect(sku?.stock).toBe(sale.version - 1);
    }
  }, 60_000);

  test("while it is away each call ends in time; the first after its return works", async () => {
    await server.kill();
    const startMs = performance.now();
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, index) => settled(catalogue.sale(`sale-${index}`))),
    );
    expect(performance.now() - startMs).toBeLessThan(3_000);
    for (const result of results) expect(result).toHaveProperty("fault");
    await server.restart();
    expect(await catalogue.sale("sale-a")).not.toBeNull();
  });

  test("text that the database cannot hold is refused, and nothing of it is stored", async () => {
    const draft = draftOf("sale-nul", 0);
    const withNul = { ...draft, header: { ...draft.header, title: "a\0b" } };
    expect(await settled(catalogue.begin(withNul))).toEqual({ fault: "statement_refused" });
    expect(await catalogue.sale("sale-nul")).toBeNull();
    const account = { accountId: "acc_nul", email: "a\0b@example.com", passwordHash: "h" };
    expect(await settled(accounts.createAccount(account))).toEqual({ fault: "statement_refused" });
  });
});
