import { eq, sql } from "drizzle-orm";

import { assert } from "../../core/assert.ts";
import type {
  Account,
  Accounts,
  ApiKeyOwner,
  KeyRole,
  Merchant,
} from "../../core/ports/accounts.ts";
import type { SqliteDatabase } from "./open.ts";
import { accounts, apiKeys, audit, merchants } from "./schema/control.ts";

/** Shoppers, merchants and keys in the embedded database. Every call may be repeated. */
export class SqliteAccounts implements Accounts {
  readonly #database: SqliteDatabase;

  constructor(options: { readonly database: SqliteDatabase }) {
    this.#database = options.database;
  }

  async createAccount(account: Account): Promise<boolean> {
    assert(account.email === account.email.toLowerCase(), "an e-mail is kept in lower case");
    const rows = this.#database.run("create an account", (db) => {
      return db
        .insert(accounts)
        .values({
          account_id: account.accountId,
          email: account.email,
          password_hash: account.passwordHash,
        })
        .onConflictDoUpdate({
          target: accounts.email,
          // A repeat of the same call hears what the first heard.
          set: { email: sql`excluded.email` },
          setWhere: eq(accounts.account_id, account.accountId),
        })
        .returning({ accountId: accounts.account_id })
        .all();
    });
    return rows.length === 1;
  }

  async accountByEmail(email: string): Promise<Account | null> {
    const row = this.#database.run("find an account", (db) => {
      return db.select().from(accounts).where(eq(accounts.email, email)).get();
    });
    if (row === undefined) return null;
    return { accountId: row.account_id, email: row.email, passwordHash: row.password_hash };
  }

  async createMerchant(request: {
    readonly merchant: Merchant;
    readonly role: KeyRole;
    readonly keySha256: string;
  }): Promise<void> {
    const { merchant, role, keySha256 } = request;
    assert(/^[0-9a-f]{64}$/.test(keySha256), "a key is kept as its SHA-256 in lower-case hex");
    const rows = this.#database.write("create a merchant", (db) => {
      db.insert(merchants)
        .values({ merchant_id: merchant.merchantId, name: merchant.name })
        .onConflictDoNothing()
        .run();
      return db
        .insert(apiKeys)
        .values({ key_sha256: keySha256, merchant_id: merchant.merchantId, role })
        .onConflictDoUpdate({
          target: apiKeys.key_sha256,
          set: { role },
          setWhere: eq(apiKeys.merchant_id, merchant.merchantId),
        })
        .returning({ key: apiKeys.key_sha256 })
        .all();
    });
    assert(rows.length === 1, "no two merchants have one key");
  }

  async merchantByKey(keySha256: string): Promise<ApiKeyOwner | null> {
    const row = this.#database.run("find a key", (db) => {
      return db
        .select({ merchantId: merchants.merchant_id, name: merchants.name, role: apiKeys.role })
        .from(apiKeys)
        .innerJoin(merchants, eq(merchants.merchant_id, apiKeys.merchant_id))
        .where(eq(apiKeys.key_sha256, keySha256))
        .get();
    });
    return row === undefined ? null : { ...row, role: row.role as KeyRole };
  }

  async audit(entry: {
    readonly merchantId: string;
    readonly action: string;
    readonly subject: string;
    readonly atMs: number;
  }): Promise<void> {
    this.#database.run("append to the audit trail", (db) => {
      return db
        .insert(audit)
        .values({
          merchant_id: entry.merchantId,
          action: entry.action,
          subject: entry.subject,
          at_ms: entry.atMs,
        })
        .run();
    });
  }
}
