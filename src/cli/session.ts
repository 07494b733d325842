// One run of a command: its client, made when it is first needed, and its way to answer.

import type { Command } from "commander";

import { apiKeyOf, serverOf } from "./api-key.ts";
import { AdminClient } from "./client.ts";
import type { CliContext, GlobalOptions } from "./context.ts";

export class Session {
  readonly context: CliContext;
  readonly isJson: boolean;
  readonly #options: GlobalOptions;

  constructor(context: CliContext, command: Command) {
    this.context = context;
    this.#options = command.optsWithGlobals<GlobalOptions>();
    this.isJson = this.#options.json === true;
  }

  async client(): Promise<AdminClient> {
    const { environment, interrupted } = this.context;
    const server = serverOf(this.#options, environment);
    const apiKey = await apiKeyOf(this.#options, environment);
    return new AdminClient({ server, apiKey, interrupted });
  }

  /** The result: one JSON object with `--json`, else `text`. */
  answer(value: Readonly<Record<string, unknown>>, text: () => string): void {
    this.context.out(this.isJson ? JSON.stringify(value) : text());
  }

  /** For people only. */
  say(text: string): void {
    if (!this.isJson) this.context.err(text);
  }
}
