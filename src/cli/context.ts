// What a command has of the world: its environment, where data and talk go, and the engine's parts
// that it may open. A test gives its own.

import type { ExitCode } from "./exit-codes.ts";
import type { Environment, Wire } from "./wire.ts";

export type CliContext = {
  readonly environment: Environment;
  /** Data, on standard output. */
  out(text: string): void;
  /** Talk, on standard error. */
  err(text: string): void;
  readonly wire: Wire;
  /** Aborted by Ctrl-C. */
  readonly interrupted: AbortSignal;
  /** A command that ends otherwise than by a throw says how. */
  setExitCode(exitCode: ExitCode): void;
};

/** Options that every command takes. */
export type GlobalOptions = {
  readonly json?: true;
  readonly server?: string;
  readonly apiKey?: string;
};
