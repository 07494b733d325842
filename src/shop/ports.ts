// What the use cases need of the outside. Each use case takes the part of it that it uses.

import type { Accounts } from "../core/ports/accounts.ts";
import type { Catalogue } from "../core/ports/catalogue.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Orders } from "../core/ports/orders.ts";
import type { PaymentGateway } from "../core/ports/payments.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import type { Stock } from "../core/ports/stock.ts";
import type { SaleDirectory } from "./directory.ts";

/** argon2id somewhere. Slow on purpose; `PasswordQueue` runs one at a time. */
export type Passwords = {
  hash(password: string): Promise<string>;
  verify(password: string, hash: string): Promise<boolean>;
};

type IssuedToken = { readonly accessToken: string; readonly expiresInS: number };

export type ShopPorts = {
  readonly stock: Stock;
  readonly catalogue: Catalogue;
  readonly orders: Orders;
  readonly accounts: Accounts;
  readonly ledger: Ledger;
  readonly payments: PaymentGateway;
  readonly passwords: Passwords;
  readonly directory: SaleDirectory;
  readonly runtime: Runtime;
  readonly log: Logger;
  /** A UUIDv7: ids of orders and accounts sort by their time. */
  newUuid(): string;
  issueToken(accountId: string): Promise<IssuedToken>;
};
