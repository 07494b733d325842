import { eq, sql } from "drizzle-orm";

import { assert } from "../../core/assert.ts";
import type {
  Account,
  Accounts,
  ApiKeyOwner,
  KeyRole,
  Merchant,
} from "../../core/ports/accounts.ts";
import type { PostgresDatabase } from "./connect.ts";
import { accounts, apiKeys, audit, merchants } from "./schema/control.ts";

/** Shoppers, merchants and keys on the control database. Every call may be repeated. */
export class PostgresAccounts implements Accounts {
  readonly #database: PostgresDatabase;

  constructor(options: { readonly database: PostgresDatabase }) {
    this.#database = options.database;
  }

  async createAccount(account: Account): Promise<boolean> {
    assert(account.email === account.email.toLowerCase(), "an e-mail is kept in lower case");
    const rows = await this.#database.run("create an account", (db) => {
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
        .returning({ accountId: accounts.account_id });
    });
    return rows.length === 1;
  }

  async accountByEmail(email: string): Promise<Account | null> {
    const [row] = await this.#database.run("find an account", (db) => {
      return db.select().from(accounts).where(eq(accounts.email, email));
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
    const rows = await this.#database.run("create a merchant", (db) => {
      return db.execute(sql`
        with owner as (
          insert into ${merchants} (merchant_id, name) values (${merchant.merchantId}, ${merchant.name})
          on conflict (merchant_id) do nothing
        )
        insert into ${apiKeys} as stored (key_sha256, merchant_id, role)
        values (${keySha256}, ${merchant.merchantId}, ${role})
        on conflict (key_sha256) do update set role = excluded.role
        where stored.merchant_id = excluded.merchant_id
        returning key_sha256`);
    });
    assert(rows.length === 1, "no two merchants have one key");
  }

  async merchantByKey(keySha256: string): Promise<ApiKeyOwner | null> {
    const [row] = await this.#database.run("find a key", (db) => {
      return db
        .select({ merchantId: merchants.merchant_id, name: merchants.name, role: apiKeys.role })
        .from(apiKeys)
        .innerJoin(merchants, eq(merchants.merchant_id, apiKeys.merchant_id))
        .where(eq(apiKeys.key_sha256, keySha256));
    });
    return row === undefined ? null : { ...row, role: row.role as KeyRole };
  }

  async audit(entry: {
    readonly merchantId: string;
    readonly action: string;
    readonly subject: string;
    readonly atMs: number;
  }): Promise<void> {
    await this.#database.run("append to the audit trail", (db) => {
      return db.insert(audit).values({
        merchant_id: entry.merchantId,
        action: entry.action,
        subject: entry.subject,
        at_ms: entry.atMs,
      });
    });
  }
}
