// What the admin calls answer, read leniently: fields that a command does not show may come and go.

import { z } from "zod";

import { CommandFailure, EXIT } from "./exit-codes.ts";

const instant = z.iso.datetime({ offset: true });
const money = z.object({ amountMinor: z.number(), currency: z.string() });

export const saleAnswer = z.object({
  sale: z.string(),
  title: z.string(),
  state: z.string(),
  startsAt: instant,
  endsAt: instant,
  timeZone: z.string().optional(),
  version: z.number().optional(),
});
export type SaleAnswer = z.infer<typeof saleAnswer>;

/** 202: not every SKU has it yet. */
export const applyingAnswer = z.object({ applied: z.number(), total: z.number() });

export const planAnswer = z.object({
  isNew: z.boolean(),
  baseVersion: z.number(),
  fields: z.array(z.object({ field: z.string(), from: z.string().nullable(), to: z.string() })),
  skus: z.object({
    added: z.array(z.string()),
    removed: z.array(z.string()),
    changed: z.array(
      z.object({ sku: z.string(), field: z.string(), from: z.string(), to: z.string() }),
    ),
    total: z.number(),
  }),
  units: z.number(),
});
export type PlanAnswer = z.infer<typeof planAnswer>;

export const skuAnswer = z.object({
  sku: z.string(),
  title: z.string(),
  group: z.string().nullish(),
  unitPrice: money,
  limitPerShopper: z.number(),
  level: z.string(),
});
export type SkuAnswer = z.infer<typeof skuAnswer>;

const countsAnswer = z.object({
  released: z.number(),
  available: z.number(),
  held: z.number(),
  paying: z.number(),
  sold: z.number(),
});

export const reportAnswer = z.object({
  sale: z.string(),
  asOf: instant,
  skus: z.array(countsAnswer.extend({ sku: z.string() })),
  orders: z.record(z.string(), z.number()),
});
export type ReportAnswer = z.infer<typeof reportAnswer>;

const explainedEvent = z.looseObject({
  partition: z.number(),
  seq: z.number(),
  claim: z.number(),
  at: instant,
  event: z.looseObject({ kind: z.string() }),
});
export type ExplainedAnswer = z.infer<typeof explainedEvent>;

export const explainAnswer = z.object({
  counts: countsAnswer.nullish(),
  events: z.array(explainedEvent),
  next: z.union([z.string(), z.number()]).nullable(),
});

const nodeAnswer = z.object({
  nodeId: z.string(),
  state: z.string(),
  partitions: z.number(),
  address: z.string().nullable(),
});
export type NodeAnswer = z.infer<typeof nodeAnswer>;
export const nodesAnswer = z.object({ items: z.array(nodeAnswer) });

export function pageAnswer<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next: z.union([z.string(), z.number()]).nullable() });
}

/** Throws CommandFailure when the engine speaks another version of this language. */
export function readAnswer<T extends z.ZodType>(schema: T, body: unknown): z.infer<T> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const first = parsed.error.issues[0];
  throw new CommandFailure({
    exitCode: EXIT.failed,
    code: "unexpected_answer",
    message: "the engine's answer is not what this command reads",
    lines: [`${first?.path.join(".") ?? ""}: ${first?.message ?? ""}`],
    cause: parsed.error,
  });
}
