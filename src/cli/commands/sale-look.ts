// `doorbuster sale list|show|report`: what there is and how it goes. Changes nothing.

import type { Command } from "commander";

import { formatAmount } from "../../core/money.ts";
import {
  readAnswer,
  type ReportAnswer,
  reportAnswer,
  type SaleAnswer,
  saleAnswer,
  type SkuAnswer,
  skuAnswer,
} from "../answers.ts";
import { path } from "../client.ts";
import type { CliContext } from "../context.ts";
import { findSale, PAGE, pages } from "../lists.ts";
import { counted, formatTime, table } from "../output.ts";
import { Session } from "../session.ts";

/** Rows of a table for people; `--all` and `--json` show the rest. */
const ROWS_SHOWN = 100;

type AllOption = { readonly all?: true };

export function addSaleLook(sale: Command, context: CliContext): void {
  sale
    .command("list")
    .description("your sales, newest first")
    .action(async (_options: unknown, command: Command) => {
      await list(new Session(context, command));
    });
  sale
    .command("show <sale>")
    .description("one sale with its first 100 SKUs")
    .option("--all", "all SKUs")
    .action(async (saleId: string, options: AllOption, command: Command) => {
      await show(new Session(context, command), saleId, options.all === true);
    });
  sale
    .command("report <sale>")
    .description("units released, available, held and sold, and orders by status")
    .option("--all", "all SKUs, not the first 100")
    .action(async (saleId: string, options: AllOption, command: Command) => {
      await report(new Session(context, command), saleId, options.all === true);
    });
}

async function list(session: Session): Promise<void> {
  const client = await session.client();
  const items = await pages(client, "/v1/admin/sales", Number.POSITIVE_INFINITY);
  const sales = items.map((item) => readAnswer(saleAnswer, item));
  session.answer({ items }, () => {
    if (sales.length === 0) return "no sales yet: doorbuster sale apply -f FILE";
    const rows = sales.map(({ sale, title, state, startsAt, endsAt }) => {
      return [sale, state, startsAt, endsAt, title];
    });
    return table(["SALE", "STATE", "STARTS", "ENDS", "TITLE"], rows);
  });
}

async function show(session: Session, saleId: string, isAll: boolean): Promise<void> {
  const client = await session.client();
  const body = await findSale(client, saleId);
  const max = isAll ? Number.POSITIVE_INFINITY : PAGE;
  const items = await pages(client, path`/v1/sales/${saleId}/skus`, max);
  const sale = readAnswer(saleAnswer, body);
  const skus = items.map((item) => readAnswer(skuAnswer, item));
  session.answer({ ...body, skus: items }, () => `${saleText(sale)}\n\n${skuTable(skus)}`);
  if (!isAll && skus.length === PAGE) session.say(`the first ${PAGE} SKUs; --all shows every one`);
}

async function report(session: Session, saleId: string, isAll: boolean): Promise<void> {
  const client = await session.client();
  const target = path`/v1/admin/sales/${saleId}/report`;
  const { body } = await client.call({ method: "GET", path: target });
  const counts = readAnswer(reportAnswer, body);
  session.answer(body, () => reportText(counts, isAll));
}

function saleText({ sale, title, state, startsAt, endsAt, timeZone, version }: SaleAnswer): string {
  const zone = timeZone ?? "UTC";
  const lines = [
    `${sale}: ${title}`,
    `  state    ${state}${version === undefined ? "" : `, version ${version}`}`,
    `  opens    ${formatTime(Date.parse(startsAt), zone)}`,
    `  closes   ${formatTime(Date.parse(endsAt), zone)}`,
  ];
  return lines.join("\n");
}

function skuTable(skus: readonly SkuAnswer[]): string {
  const rows = skus.map(({ sku, level, unitPrice, limitPerShopper, group, title }) => {
    const price = `${formatAmount(unitPrice)} ${unitPrice.currency}`;
    return [sku, level, price, String(limitPerShopper), group ?? "", title];
  });
  return table(["SKU", "LEVEL", "PRICE", "LIMIT", "GROUP", "TITLE"], rows);
}

function reportText({ sale, asOf, skus, orders }: ReportAnswer, isAll: boolean): string {
  const names = ["released", "available", "held", "paying", "sold"] as const;
  const shown = isAll ? skus : skus.slice(0, ROWS_SHOWN);
  const rows = shown.map((sku) => [sku.sku, ...names.map((name) => String(sku[name]))]);
  const sums = names.map((name) => String(skus.reduce((sum, sku) => sum + sku[name], 0)));
  const head = ["SKU", ...names.map((name) => name.toUpperCase())];
  const hidden = skus.length - shown.length;
  const orderText = Object.entries(orders).map(([status, count]) => `${status} ${count}`);
  return [
    `${sale} at ${asOf}; held includes paying`,
    table(head, [...rows, ["(all)", ...sums]]),
    ...(hidden > 0 ? [`${counted(hidden, "more SKU")}; --all shows every one`] : []),
    `orders: ${orderText.length === 0 ? "none" : orderText.join(", ")}`,
  ].join("\n");
}
