// Where the commands meet the engine: the one file here that knows how its parts are opened.

import { readConfig } from "../config.ts";
import type { Accounts } from "../core/ports/accounts.ts";
import { openEmbeddedAccounts } from "../engine/embedded-stores.ts";
import { runMigrations } from "../engine/migrate.ts";
import { runUntilStopped } from "../engine/run.ts";
import { openServerAccounts } from "../engine/server-stores.ts";
import type { Environment } from "./context.ts";

/** Errors of each: Fault; "config_invalid" ends with exit code 2. */
export type Wire = {
  /** The accounts in the control database that the environment names. */
  openAccounts(environment: Environment): Promise<{
    readonly accounts: Accounts;
    readonly close: () => Promise<void>;
  }>;
  /** Brings every database to the newest schema and creates a new cluster's partitions. */
  migrate(environment: Environment): Promise<{ readonly done: readonly string[] }>;
  /** Runs an engine until SIGTERM or SIGINT. Returns its exit code. */
  serve(environment: Environment): Promise<number>;
};

export const wire: Wire = {
  openAccounts(environment) {
    const config = readConfig(environment);
    return config.mode === "embedded" ? openEmbeddedAccounts(config) : openServerAccounts(config);
  },
  migrate: async (environment) => ({ done: await runMigrations(readConfig(environment)) }),
  serve: (environment) => runUntilStopped(environment),
};
