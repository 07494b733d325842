// `doorbuster migrate` and `doorbuster serve`: the engine itself, through wire.ts.

import type { Command } from "commander";

import type { CliContext } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Session } from "../session.ts";

export function addEngine(program: Command, context: CliContext): void {
  program
    .command("migrate")
    .description("bring the databases to the newest schema; create a new cluster's partitions")
    .action(async (_options: unknown, command: Command) => {
      const session = new Session(context, command);
      const { done } = await context.wire.migrate(context.environment);
      session.answer({ done }, () => (done.length === 0 ? "nothing to do" : done.join("\n")));
    });
  program
    .command("serve")
    .description("run an engine as the environment says (DOORBUSTER_…), until it is stopped")
    .action(async () => {
      const exitCode = await context.wire.serve(context.environment);
      context.setExitCode(exitCode === 0 ? EXIT.ok : exitCode === 2 ? EXIT.usage : EXIT.failed);
    });
}
