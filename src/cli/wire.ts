// Where the commands meet the engine: the one file here that knows how its parts are opened.

import { Fault } from "../core/errors.ts";
import type { Accounts } from "../core/ports/accounts.ts";
import type { Environment } from "./context.ts";

/** Errors of each: Fault; "config_invalid" ends with exit code 2. */
export type Wire = {
  /** The accounts in the control database that the environment names. */
  openAccounts(environment: Environment): Promise<{
    readonly accounts: Accounts;
    close(): Promise<void>;
  }>;
  /** Brings every database to the newest schema and creates a new cluster's partitions. */
  migrate(environment: Environment): Promise<{ readonly done: readonly string[] }>;
  /** Runs an engine until SIGTERM or SIGINT. Returns its exit code. */
  serve(environment: Environment): Promise<number>;
};

export const wire: Wire = {
  openAccounts: async () => notBuilt(),
  migrate: async () => notBuilt(),
  serve: async () => notBuilt(),
};

function notBuilt(): never {
  throw new Fault("config_invalid", "this build of the command has no engine in it");
}
