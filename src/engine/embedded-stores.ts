// Embedded: one process, SQLite files in the data folder, the payment simulator inside. No servers.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import type { EmbeddedConfig } from "../config.ts";
import { PARTITIONS_EMBEDDED } from "../core/limits.ts";
import type { Accounts } from "../core/ports/accounts.ts";
import { HttpPaymentGateway } from "../payments/http-gateway.ts";
import { type Simulator, startSimulator } from "../payments/simulator/simulator.ts";
import { generateWebhookSecret } from "../payments/webhook.ts";
import { createMerchant } from "../shop/create-merchant.ts";
import { SqliteAccounts } from "../store/sqlite/accounts.ts";
import { SqliteArchive } from "../store/sqlite/archive.ts";
import { SqliteCatalogue } from "../store/sqlite/catalogue.ts";
import { SqliteClusterRecords } from "../store/sqlite/cluster-records.ts";
import { SqliteLedger } from "../store/sqlite/ledger.ts";
import { migrateSqlite } from "../store/sqlite/migrate.ts";
import { SqliteDatabase } from "../store/sqlite/open.ts";
import { SqliteOrders } from "../store/sqlite/orders.ts";
import { SqliteJournal } from "../store/sqlite/sqlite-journal.ts";
import { createPartitions, runnableRecord } from "./create-cluster.ts";
import { steadyClock } from "./runtime.ts";
import { keptSecret, makeDataDir, newJwtSecret, writeSecret } from "./secrets.ts";
import type { Stores } from "./stores.ts";

const DEMO_MERCHANT = "demo";
const MERCHANT_KEY_FILE = "merchant.key";

/** Throws  Fault("second_engine") when another process has the data folder. */
export async function openEmbeddedStores(config: EmbeddedConfig): Promise<Stores> {
  const { dataDir } = config;
  await makeDataDir(dataDir);
  const clock = steadyClock(Date.now());
  // The journal first: its lock is what says that no other engine runs on this folder.
  const journal = new SqliteJournal({ path: join(dataDir, "journal.sqlite"), clock });
  const database = openShopDatabase(dataDir);
  const records = new SqliteClusterRecords({ database });
  const created = await records.create({
    clusterId: crypto.randomUUID(),
    partitions: config.partitions ?? PARTITIONS_EMBEDDED,
    generation: crypto.randomUUID(),
    state: "creating",
  });
  await createPartitions(created, records, journal);
  const record = runnableRecord(await records.read(), config.partitions);

  const accounts = new SqliteAccounts({ database });
  await keepDemoMerchant(dataDir, accounts);
  const jwtSecret = config.jwtSecret ?? (await keptSecret(dataDir, "jwt.secret", newJwtSecret));
  const webhookSecret =
    config.paymentWebhookSecret ??
    (await keptSecret(dataDir, "webhook.secret", generateWebhookSecret));
  const simulator = config.paymentUrl === null ? await startInside(dataDir, webhookSecret) : null;
  return {
    clock,
    record,
    journal,
    accounts,
    catalogue: new SqliteCatalogue({ database, clock }),
    orders: new SqliteOrders({ database }),
    ledger: new SqliteLedger({ database }),
    archive: new SqliteArchive({ database }),
    payments: new HttpPaymentGateway({ url: config.paymentUrl ?? simulator!.url }),
    jwtSecret,
    webhookSecret,
    warnings: () => [],
    onListening: (baseUrl) => simulator?.deliverTo(`${baseUrl}/v1/payments/events`),
    close: async () => {
      await simulator?.stop();
      await journal.close();
      database.close();
    },
  };
}

/** For `merchant create`, while the engine may run or not. */
export async function openEmbeddedAccounts(config: EmbeddedConfig): Promise<{
  accounts: Accounts;
  close(): Promise<void>;
}> {
  await makeDataDir(config.dataDir);
  const database = openShopDatabase(config.dataDir);
  const accounts = new SqliteAccounts({ database });
  return { accounts, close: () => Promise.resolve(database.close()) };
}

/** The control database and the only shard, in one file, at the newest schema. */
export function openShopDatabase(dataDir: string): SqliteDatabase {
  const database = new SqliteDatabase({ path: join(dataDir, "shop.sqlite") });
  migrateSqlite(database);
  return database;
}

async function startInside(dataDir: string, webhookSecret: string): Promise<Simulator> {
  const bookDir = join(dataDir, "payments");
  await mkdir(bookDir, { recursive: true, mode: 0o700 });
  return startSimulator({ dataDir: bookDir, webhookSecret });
}

/** Made at the first start; a key that was lost is replaced by a new one of a new merchant. */
async function keepDemoMerchant(dataDir: string, accounts: Accounts): Promise<void> {
  const path = join(dataDir, MERCHANT_KEY_FILE);
  if ((await Bun.file(path).exists()) && (await Bun.file(path).text()).trim() !== "") return;
  const { apiKey } = await createMerchant(
    {
      accounts,
      newUuid: () => Bun.randomUUIDv7(),
      nowMs: Date.now(),
      randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
    },
    { name: DEMO_MERCHANT, role: "operator" },
  );
  await writeSecret(path, apiKey);
}
