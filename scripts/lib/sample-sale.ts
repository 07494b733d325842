// The sample sale of scripts/up.sh: `bun scripts/lib/sample-sale.ts DATA_DIR` writes its file, or
// keeps the one that is there while its sale is still open, and prints the sale's id.
//
// A sale cannot be opened twice, so that each new window is a sale with an id of its own.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";

const WINDOW_MS = 2 * 60 * 60 * 1000;
/** A sale that ends sooner than this is no use for a walk. */
const LEFT_MS_MIN = 15 * 60 * 1000;

export type SampleSale = { readonly sale: string; readonly text: string };

/** Fills in the template for a window that opens at `nowMs`. */
export function sampleSale(template: string, nowMs: number): SampleSale {
  const startsAt = secondsOf(nowMs);
  const sale = `flash-sale-${startsAt.replace(/\D/g, "")}`;
  const values: Record<string, string> = { sale, startsAt, endsAt: secondsOf(nowMs + WINDOW_MS) };
  const text = template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`examples/flash-sale.yaml: unknown {{${name}}}`);
    return value;
  });
  return { sale, text: text.replace(/^(#.*\n)+/, "") };
}

/** The id of a sale file whose window is open long enough, or null. */
export function openSaleOf(text: string, nowMs: number): string | null {
  const { sale, startsAt, endsAt } = parse(text) as Record<string, string>;
  const isOpen =
    Date.parse(`${startsAt}Z`) <= nowMs && Date.parse(`${endsAt}Z`) >= nowMs + LEFT_MS_MIN;
  return isOpen && sale !== undefined ? sale : null;
}

function secondsOf(instantMs: number): string {
  return new Date(instantMs).toISOString().slice(0, 19);
}

if (import.meta.main) {
  const dataDir = Bun.argv[2];
  if (dataDir === undefined) throw new Error("usage: bun scripts/lib/sample-sale.ts DATA_DIR");
  const path = join(dataDir, "flash-sale.yaml");
  const nowMs = Date.now();
  const kept = existsSync(path) ? openSaleOf(readFileSync(path, "utf8"), nowMs) : null;
  if (kept === null) {
    const template = readFileSync(join(import.meta.dir, "../../examples/flash-sale.yaml"), "utf8");
    const { sale, text } = sampleSale(template, nowMs);
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(path, text);
    console.log(sale);
  } else {
    console.log(kept);
  }
}
