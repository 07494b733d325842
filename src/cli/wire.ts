// Where the commands meet the engine: the one file here that knows how its parts are opened.

import { readConfig } from "../config.ts";
import type { Accounts } from "../core/ports/accounts.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

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

/** Loaded when asked for: commands that only speak HTTP start without an engine (50 ms, not 200). */
export const wire: Wire = {
  async openAccounts(environment) {
    const config = readConfig(environment);
    if (config.mode === "embedded") {
      const { openEmbeddedAccounts } = await import("../engine/embedded-stores.ts");
      return openEmbeddedAccounts(config);
    }
    const { openServerAccounts } = await import("../engine/server-stores.ts");
    return openServerAccounts(config);
  },
  async migrate(environment) {
    const { runMigrations } = await import("../engine/migrate.ts");
    return { done: await runMigrations(readConfig(environment)) };
  },
  async serve(environment) {
    const { runUntilStopped } = await import("../engine/run.ts");
    return runUntilStopped(environment);
  },
};
