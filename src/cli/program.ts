// The `doorbuster` command: its tree of commands, and how any run of it ends.

import { Command, CommanderError } from "commander";

import { Fault } from "../core/errors.ts";
import { addEngine } from "./commands/engine.ts";
import { addMerchant } from "./commands/merchant.ts";
import { addNode } from "./commands/node.ts";
import { addSaleApply } from "./commands/sale-apply.ts";
import { addSaleChange } from "./commands/sale-change.ts";
import { addSaleLook } from "./commands/sale-look.ts";
import { addSku } from "./commands/sku.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, EXIT, type ExitCode, exitCodeOfFault } from "./exit-codes.ts";

const EXIT_CODE_HELP = `
Exit codes: 0 ok, 1 failed, 2 wrong usage or configuration, 3 threshold missed, 4 not found,
5 conflict, 69 server unavailable, 130 interrupted`;

/** Runs one command line (without the program's own name). Returns its exit code; never throws. */
export async function run(
  args: readonly string[],
  context: Omit<CliContext, "setExitCode">,
): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const setExitCode = (code: ExitCode): void => {
    exitCode = code;
  };
  try {
    await programOf({ ...context, setExitCode }).parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (cause) {
    return reportOf(cause, context, args.includes("--json"));
  }
}

function programOf(context: CliContext): Command {
  const program = new Command("doorbuster")
    .description("Sells exactly N units to a stampede: the merchant's and operator's command.")
    .option("--json", "one JSON object on standard output, errors as JSON on standard error")
    .option("--server <url>", "the engine (DOORBUSTER_SERVER, else http://127.0.0.1:3000)")
    .option(
      "--api-key <key>",
      "the key (DOORBUSTER_API_KEY, else DOORBUSTER_DATA_DIR/merchant.key)",
    )
    .addHelpText("after", EXIT_CODE_HELP)
    // They are read after a command as well: `doorbuster sale list --json`.
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.out(text.trimEnd()),
      writeErr: (text) => context.err(text.trimEnd()),
    });
  const sale = program.command("sale").description("timed events and their SKUs");
  addSaleApply(sale, context);
  addSaleLook(sale, context);
  addSaleChange(sale, context);
  addSku(program, context);
  addMerchant(program, context);
  addNode(program, context);
  addEngine(program, context);
  return program;
}

function reportOf(
  cause: unknown,
  context: Omit<CliContext, "setExitCode">,
  isJson: boolean,
): ExitCode {
  if (cause instanceof CommanderError) {
    // Commander has said it already. Asked-for help ends with 0.
    return cause.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  const failure = failureOf(cause);
  const { exitCode, code, message, lines, details } = failure;
  if (isJson) {
    context.err(JSON.stringify({ error: { ...details, code, message, exitCode, hints: lines } }));
    return exitCode;
  }
  context.err([`doorbuster: ${message} (${code})`, ...lines.map((line) => `  ${line}`)].join("\n"));
  return exitCode;
}

function failureOf(cause: unknown): CommandFailure {
  if (cause instanceof CommandFailure) return cause;
  if (cause instanceof Fault) {
    const { code, message } = cause;
    return new CommandFailure({ exitCode: exitCodeOfFault(code), code, message, cause });
  }
  const message = cause instanceof Error ? cause.message : "something that is no Error was thrown";
  return new CommandFailure({ exitCode: EXIT.failed, code: "bug", message, cause });
}
