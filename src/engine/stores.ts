import type { Accounts } from "../core/ports/accounts.ts";
import type { Archive } from "../core/ports/archive.ts";
import type { Catalogue } from "../core/ports/catalogue.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { ClusterRecord } from "../core/ports/cluster-record.ts";
import type { Journal } from "../core/ports/journal.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import type { Orders } from "../core/ports/orders.ts";
import type { PaymentGateway } from "../core/ports/payments.ts";

/** Everything an engine runs on, opened and checked. */
export type Stores = {
  readonly clock: Clock;
  readonly record: ClusterRecord;
  readonly journal: Journal;
  readonly catalogue: Catalogue;
  readonly accounts: Accounts;
  readonly orders: Orders;
  readonly ledger: Ledger;
  readonly archive: Archive;
  readonly payments: PaymentGateway;
  readonly jwtSecret: string;
  readonly webhookSecret: string;
  /** What operators must hear though the engine runs, such as relaxed durability. */
  warnings(): readonly string[];
  /** Told once the engine listens: an embedded gateway sends its events there. */
  onListening(baseUrl: string): void;
  close(): Promise<void>;
};
