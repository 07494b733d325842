// `doorbuster merchant create`: a merchant and its API key, straight in the control database. It is
// how the first key comes to be, so it needs no engine and no key.

import type { Command } from "commander";

import { createMerchant } from "../../shop/create-merchant.ts";
import type { CliContext } from "../context.ts";
import { CommandFailure, EXIT } from "../exit-codes.ts";
import { Session } from "../session.ts";

const NAME = /^(?=.*\S)[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,200}$/u;

export function addMerchant(program: Command, context: CliContext): void {
  const merchant = program.command("merchant").description("who sells");
  merchant
    .command("create <name>")
    .description("create a merchant and print its API key, once")
    .option("--operator", "the key may see and drain nodes as well")
    .action(async (name: string, options: { operator?: true }, command: Command) => {
      await create(new Session(context, command), name, options.operator === true);
    });
}

async function create(session: Session, name: string, isOperator: boolean): Promise<void> {
  if (!NAME.test(name)) {
    throw new CommandFailure({
      exitCode: EXIT.usage,
      code: "usage",
      message: "<name> must be 1 to 200 characters on one line, without control characters",
    });
  }
  const { environment, wire } = session.context;
  const { accounts, close } = await wire.openAccounts(environment);
  try {
    const role = isOperator ? "operator" : "merchant";
    const sources = { accounts, newUuid: () => Bun.randomUUIDv7(), nowMs: Date.now(), randomBytes };
    const { merchantId, apiKey } = await createMerchant(sources, { name, role });
    session.answer({ merchantId, name, role, apiKey }, () => apiKey);
    session.say(`${merchantId} ${name} (${role}): this is its API key; it is not shown again`);
  } finally {
    await close();
  }
}

function randomBytes(count: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(count));
}
