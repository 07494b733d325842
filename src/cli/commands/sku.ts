// `doorbuster sku explain`: what happened to one SKU, from the ledger.

import type { Command } from "commander";

import { explainAnswer, type ExplainedAnswer, readAnswer } from "../answers.ts";
import { path } from "../client.ts";
import type { CliContext } from "../context.ts";
import { CommandFailure, EXIT } from "../exit-codes.ts";
import { table } from "../output.ts";
import { Session } from "../session.ts";

const PAGE = 100;
const EVENTS_SHOWN = 100;

export function addSku(program: Command, context: CliContext): void {
  const sku = program.command("sku").description("one item of a sale");
  sku
    .command("explain <sale/sku>")
    .description("what happened to a SKU: every hold, lapse, sale and change, in order")
    .option("--limit <events>", `how many events (default ${EVENTS_SHOWN})`, String(EVENTS_SHOWN))
    .action(async (key: string, options: { limit: string }, command: Command) => {
      await explain(new Session(context, command), key, limitOf(options.limit));
    });
}

async function explain(session: Session, key: string, limit: number): Promise<void> {
  const [saleId, sku, ...rest] = key.split("/");
  if (saleId === undefined || sku === undefined || rest.length > 0) {
    throw usage("<sale/sku> must be a sale and one of its SKUs, such as diwali-drop/phone-x-128");
  }
  const client = await session.client();
  const target = path`/v1/admin/sales/${saleId}/skus/${sku}/explain`;
  const events: ExplainedAnswer[] = [];
  let after = "";
  let counts: unknown = null;
  let hasMore = true;
  while (hasMore && events.length < limit) {
    const query = `?limit=${Math.min(PAGE, limit - events.length)}${after}`;
    const { body } = await client.call({ method: "GET", path: `${target}${query}` });
    const page = readAnswer(explainAnswer, body);
    events.push(...page.events);
    counts ??= page.counts ?? null;
    hasMore = page.next !== null;
    after = `&after=${encodeURIComponent(page.next ?? "")}`;
  }
  session.answer({ sale: saleId, sku, counts, events }, () => textOf(key, counts, events));
  if (hasMore) session.say("there are more events: see --limit");
}

function textOf(key: string, counts: unknown, events: readonly ExplainedAnswer[]): string {
  const rows = events.map(({ seq, claim, partition, at, event }) => {
    const { kind, ...rest } = event;
    const place = `${partition}/${seq}`;
    return [place, String(claim), at, kind, pairsOf(rest)];
  });
  const now = counts === null ? "counts are not known now" : pairsOf(Object(counts));
  return `${key}: ${now}\n\n${table(["BATCH", "CLAIM", "TIME", "EVENT", "DETAILS"], rows)}`;
}

function pairsOf(fields: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return pairs.join(" ");
}

function limitOf(text: string): number {
  const limit = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (limit > 0) return limit;
  throw usage("--limit must be a whole number from 1");
}

function usage(message: string): CommandFailure {
  return new CommandFailure({ exitCode: EXIT.usage, code: "usage", message });
}
