// `doorbuster sale apply`: a sale file becomes a sale, or a change of one.
//
// The engine is asked for its plan first. What is sent then carries the version that the plan was
// made from, so a change by somebody else in between is a conflict and nothing is overwritten.

import type { Command } from "commander";

import { formatDuration } from "../../core/sale/time.ts";
import type { SaleFile } from "../../shop/sale-file.ts";
import { applyingAnswer, type PlanAnswer, planAnswer, readAnswer, saleAnswer } from "../answers.ts";
import { type AdminClient, type Answer, path } from "../client.ts";
import type { CliContext } from "../context.ts";
import { CommandFailure, EXIT } from "../exit-codes.ts";
import { counted, formatTime, printable } from "../output.ts";
import { formatFileError, readSaleFile, type SaleFileRead } from "../read-sale-file.ts";
import { Session } from "../session.ts";

/** 100,000 SKUs are a body of up to 16 MiB and as many messages to their owners. */
const APPLY_TIMEOUT_MS = 60_000;

/** Changes of SKUs that a plan lists one by one. */
const CHANGES_SHOWN = 20;

export function addSaleApply(sale: Command, context: CliContext): void {
  sale
    .command("apply")
    .description("create a sale from a file, or change it to what the file says")
    .requiredOption("-f, --file <path>", 'the sale file, YAML or JSON; "-" is standard input')
    .option("--dry-run", "show what would happen and change nothing")
    .action(async (options: { file: string; dryRun?: true }, command: Command) => {
      const session = new Session(context, command);
      await apply(session, options);
    });
}

async function apply(session: Session, options: { file: string; dryRun?: true }): Promise<void> {
  const read = readOrFail(await readSaleFile(options.file));
  const client = await session.client();
  const target = path`/v1/admin/sales/${read.file.header.saleId}`;
  const dry = await put(client, { target: `${target}?dryRun=true`, body: read.body });
  const plan = readAnswer(planAnswer, dry.body["plan"] ?? dry.body);
  if (options.dryRun === true) {
    session.answer({ dryRun: true, plan }, () => planText(read.file, plan));
    return;
  }
  session.say(planText(read.file, plan));
  if (isEmpty(plan)) {
    const { saleId } = read.file.header;
    const result = { sale: saleId, result: "unchanged", version: plan.baseVersion };
    session.answer(result, () => `${saleId} is as the file says: nothing to change`);
    return;
  }
  const headers = { "if-match": `"${plan.baseVersion}"` };
  const done = await put(client, { target, body: read.body, headers });
  report(session, read.file, plan, done);
}

async function put(
  client: AdminClient,
  request: { target: string; body: unknown; headers?: Readonly<Record<string, string>> },
): Promise<Answer> {
  const { target, body, headers } = request;
  const call = { method: "PUT", path: target, body, timeoutMs: APPLY_TIMEOUT_MS } as const;
  return client.call(headers === undefined ? call : { ...call, headers });
}

function report(session: Session, file: SaleFile, plan: PlanAnswer, { status, body }: Answer) {
  const { saleId } = file.header;
  if (status === 202) {
    const { applied, total } = readAnswer(applyingAnswer, body);
    const result = { sale: saleId, result: "applying", applied, total };
    session.answer(
      result,
      () => `${saleId}: ${applied} of ${total} SKUs have it, the rest follows`,
    );
    return;
  }
  const { state, version } = readAnswer(saleAnswer, body);
  const result = plan.isNew ? "created" : "changed";
  const size = `${counted(file.skus.length, "SKU")}, ${counted(unitsOf(file), "unit")}`;
  const suffix = version === undefined ? "" : `, version ${version}`;
  session.answer({ ...body, result }, () => `${saleId} ${result}: ${state}, ${size}${suffix}`);
}

/** Throws CommandFailure with one line for each error. */
function readOrFail(read: SaleFileRead): Extract<SaleFileRead, { ok: true }> {
  if (read.ok) return read;
  throw new CommandFailure({
    exitCode: EXIT.usage,
    code: "invalid_sale_file",
    message: `the sale file has ${counted(read.errors.length, "error")}; nothing was sent`,
    lines: read.errors.map((error) => printable(formatFileError(error))),
    details: { errors: read.errors },
  });
}

function isEmpty({ isNew, fields, skus }: PlanAnswer): boolean {
  const changeCount = skus.added.length + skus.removed.length + skus.changed.length;
  return !isNew && fields.length === 0 && changeCount === 0;
}

function unitsOf({ skus }: SaleFile): number {
  return skus.reduce((sum, { stock }) => sum + stock, 0);
}

/** What will happen, in the sale's zone and in UTC; a summary, however many SKUs there are. */
function planText(file: SaleFile, plan: PlanAnswer): string {
  const { saleId, title, timeZone, startsAtMs, endsAtMs, holdMs, payMs } = file.header;
  const from = plan.isNew ? "new sale" : `change of version ${plan.baseVersion}`;
  const { added, removed, changed, total } = plan.skus;
  const changedSkus = new Set(changed.map(({ sku }) => sku)).size;
  const lines = [
    `${saleId}: ${title} (${from})`,
    `  opens   ${formatTime(startsAtMs, timeZone)}`,
    `  closes  ${formatTime(endsAtMs, timeZone)}`,
    `  a hold lasts ${formatDuration(holdMs)}, payment ${formatDuration(payMs)}`,
    `  ${counted(total, "SKU")}, ${counted(plan.units, "unit")}: ` +
      `${added.length} new, ${changedSkus} changed, ${removed.length} removed`,
  ];
  const changes = [
    ...(plan.isNew ? [] : plan.fields.map(changeText)),
    ...changed.map((change) => changeText({ ...change, field: `${change.sku} ${change.field}` })),
    ...removed.map((sku) => `${sku} removed`),
  ];
  lines.push(...changes.slice(0, CHANGES_SHOWN).map((change) => `  ${change}`));
  if (changes.length > CHANGES_SHOWN) {
    lines.push(`  and ${counted(changes.length - CHANGES_SHOWN, "more change")}`);
  }
  return lines.map(printable).join("\n");
}

function changeText(change: { field: string; from: string | null; to: string }): string {
  return `${change.field}: ${change.from ?? "(none)"} → ${change.to}`;
}
