// `doorbuster sale pause|resume|end|extend|add-stock`: changes that have an effect once.
//
// The client makes the Idempotency-Key. When the outcome is not known, the command prints the key:
// the same command with --idempotency-key has no second effect.

import { type Command, InvalidArgumentError } from "commander";

import { STOCK_UNITS_MAX } from "../../core/limits.ts";
import { formatInstant, parseInstant, timeZoneOf } from "../../core/sale/time.ts";
import { applyingAnswer, readAnswer, saleAnswer } from "../answers.ts";
import { type AdminClient, path } from "../client.ts";
import type { CliContext } from "../context.ts";
import { CommandFailure, EXIT } from "../exit-codes.ts";
import { findSale } from "../lists.ts";
import { Session } from "../session.ts";

const TIMEOUT_MS = 30_000;

type KeyOption = { readonly idempotencyKey?: string };

type Change = {
  readonly saleId: string;
  readonly target: string;
  readonly body: Readonly<Record<string, unknown>> | null;
  /** "paused" */
  readonly done: string;
};

const PHASES = [
  ["pause", "paused", "refuse new and larger holds until it is resumed"],
  ["resume", "resumed", "let a paused sale go on"],
  ["end", "ended", "end a sale for good; holds and payments on their way are honoured"],
] as const;

export function addSaleChange(sale: Command, context: CliContext): void {
  for (const [name, done, description] of PHASES) {
    withKey(sale.command(`${name} <sale>`).description(description)).action(
      async (saleId: string, options: KeyOption, command: Command) => {
        const session = new Session(context, command);
        const target = `${path`/v1/admin/sales/${saleId}`}/${name}`;
        await change(session, await session.client(), options, {
          saleId,
          target,
          body: null,
          done,
        });
      },
    );
  }
  withKey(sale.command("extend <sale>").description("move the end of a sale to a later time"))
    .requiredOption("--ends-at <time>", "2026-11-30T21:00:00, in the sale's zone or with an offset")
    .action(async (saleId: string, options: KeyOption & { endsAt: string }, command: Command) => {
      await extend(new Session(context, command), saleId, options);
    });
  withKey(
    sale
      .command("add-stock <sale> <sku> <units>")
      .description("release more units of a SKU (take back with: -- SALE SKU -5)"),
  ).action(
    async (saleId: string, sku: string, units: string, options: KeyOption, command: Command) => {
      const session = new Session(context, command);
      const delta = unitsOf(units);
      const target = path`/v1/admin/sales/${saleId}/skus/${sku}/stock`;
      const done = `${sku} ${delta > 0 ? "+" : ""}${delta}`;
      const client = await session.client();
      await change(session, client, options, { saleId, target, body: { delta }, done });
    },
  );
}

function withKey(command: Command): Command {
  const description = "repeat a change whose outcome is not known, without a second effect";
  return command.option("--idempotency-key <key>", description, keyOf);
}

async function extend(session: Session, saleId: string, options: KeyOption & { endsAt: string }) {
  const client = await session.client();
  const sale = readAnswer(saleAnswer, await findSale(client, saleId));
  const timeZone = timeZoneOf(sale.timeZone ?? "");
  const endsAtMs =
    timeZone === null ? offsetTimeOf(options.endsAt) : localTimeOf(options.endsAt, timeZone);
  const zone = timeZone ?? "UTC";
  session.say(
    `${saleId} ends at ${formatInstant(endsAtMs, zone)} = ${new Date(endsAtMs).toISOString()}`,
  );
  const target = path`/v1/admin/sales/${saleId}/extend`;
  const body = { endsAt: new Date(endsAtMs).toISOString() };
  await change(session, client, options, { saleId, target, body, done: "extended" });
}

function localTimeOf(text: string, timeZone: string): number {
  // An instant in UTC is always clear, whatever the zone.
  const parsed = parseInstant(text, text.endsWith("Z") ? "UTC" : timeZone);
  if (parsed.ok) return parsed.atMs;
  throw usage(`--ends-at ${parsed.reason}`);
}

function offsetTimeOf(text: string): number {
  const hasOffset = /^2\d{3}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;
  const atMs = hasOffset.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(atMs)) return atMs;
  throw usage("--ends-at must be a time with its offset, such as 2026-11-30T21:00:00+05:30");
}

async function change(
  session: Session,
  client: AdminClient,
  options: KeyOption,
  { saleId, target, body, done }: Change,
): Promise<void> {
  const idempotencyKey = options.idempotencyKey ?? crypto.randomUUID();
  const headers = { "idempotency-key": idempotencyKey };
  const call = { method: "POST", path: target, headers, timeoutMs: TIMEOUT_MS } as const;
  const sent = client.call(body === null ? call : { ...call, body });
  const answer = await sent.catch((cause: unknown) => {
    throw cause instanceof CommandFailure ? withKeyLine(cause, idempotencyKey) : cause;
  });
  if (answer.status === 202) {
    const { applied, total } = readAnswer(applyingAnswer, answer.body);
    const result = { sale: saleId, result: "applying", applied, total, idempotencyKey };
    session.answer(
      result,
      () => `${saleId}: ${applied} of ${total} SKUs have it, the rest follows`,
    );
    return;
  }
  const { state } = readAnswer(saleAnswer, answer.body);
  session.answer(answer.body, () => `${saleId}: ${done}; the sale is ${state}`);
}

function withKeyLine(failure: CommandFailure, idempotencyKey: string): CommandFailure {
  const { exitCode, code, message, lines, details } = failure;
  return new CommandFailure({
    exitCode,
    code,
    message,
    lines: [...lines, `To repeat this very change: --idempotency-key ${idempotencyKey}`],
    details: { ...details, idempotencyKey },
    cause: failure,
  });
}

function keyOf(text: string): string {
  if (/^[\x21-\x7e]{1,255}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be 1 to 255 visible ASCII characters.");
}

function unitsOf(text: string): number {
  const units = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (units !== 0 && Math.abs(units) <= STOCK_UNITS_MAX) return units;
  throw usage(`<units> must be a whole number up to ${STOCK_UNITS_MAX}, and not 0`);
}

function usage(message: string): CommandFailure {
  return new CommandFailure({ exitCode: EXIT.usage, code: "usage", message });
}
