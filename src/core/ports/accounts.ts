export type Account = {
  readonly accountId: string;
  /** Lower case. */
  readonly email: string;
  readonly passwordHash: string;
};

export type Merchant = { readonly merchantId: string; readonly name: string };

/** `operator` keys may see and drain nodes; `merchant` keys own sales. */
export type KeyRole = "merchant" | "operator";
export type ApiKeyOwner = Merchant & { readonly role: KeyRole };

/** Shoppers, merchants and API keys in the control database. Faults: store_unavailable, unknown. */
export interface Accounts {
  /** False when the e-mail is taken. */
  createAccount(account: Account): Promise<boolean>;
  accountByEmail(email: string): Promise<Account | null>;
  /** Keeps the SHA-256 of the key only (lower-case hex). */
  createMerchant(request: {
    readonly merchant: Merchant;
    readonly role: KeyRole;
    readonly keySha256: string;
  }): Promise<void>;
  merchantByKey(keySha256: string): Promise<ApiKeyOwner | null>;
  /** Appends to the audit trail: who did what to which thing. */
  audit(entry: {
    readonly merchantId: string;
    readonly action: string;
    readonly subject: string;
    readonly atMs: number;
  }): Promise<void>;
}
