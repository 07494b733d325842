// What shoppers did and heard, as the checker reads it from a history.

import { skuTagOf } from "../../src/core/ids.ts";
import type { HistoryLine } from "./history.ts";

export type Held = { readonly number: number; readonly quantity: number };

export type Said =
  /** No answer, or 5xx: it was done, will be done later, or never. */
  | { readonly kind: "unknown" }
  | { readonly kind: "held"; readonly hold: Held; readonly isNew: boolean }
  | { readonly kind: "given_back" }
  | { readonly kind: "seen"; readonly hold: Held | null }
  | { readonly kind: "refused"; readonly code: string; readonly numbers: Refusal };

/** Numbers that a refusal names. */
export type Refusal = {
  readonly available?: number;
  readonly limit?: number;
  readonly held?: number;
  readonly bought?: number;
};

/** One thing that one shopper asked about one SKU. */
export type SkuOp = {
  readonly shopper: string;
  readonly skuKey: string;
  /** `look`: a complete cart. */
  readonly kind: "hold" | "give_back" | "look";
  /** Of a hold; else 0. */
  readonly quantity: number;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly said: Said;
};

export type CheckoutOp = {
  readonly shopper: string;
  readonly key: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly status: number | null;
  readonly orderId: string | null;
};

export type Ops = { readonly skus: readonly SkuOp[]; readonly checkouts: readonly CheckoutOp[] };

/** In the order in which they were sent. `skuKeys`: those that a cart without them says nothing of. */
export function opsOf(history: readonly HistoryLine[], skuKeys: readonly string[]): Ops {
  const skus: SkuOp[] = [];
  const checkouts: CheckoutOp[] = [];
  const sent = [...history].sort((left, right) => left.startedMs - right.startedMs);
  for (const line of sent) {
    const { shopper, startedMs, endedMs } = line;
    const path = /^\/v1\/sales\/([^/]+)\/skus\/([^/]+)\/hold$/.exec(line.path);
    if (line.path === "/v1/checkout") {
      const orderId = /"orderId":"(ord_[0-9a-f]+)"/.exec(line.answer)?.[1] ?? null;
      const { key = "", status } = line;
      checkouts.push({ shopper, key, startedMs, endedMs, status, orderId });
    } else if (line.path === "/v1/cart") {
      skus.push(...looksOf(line, skuKeys));
    } else if (path !== null) {
      const skuKey = `${path[1]}/${path[2]}`;
      const isHold = line.method === "PUT";
      const quantity = isHold ? Number(JSON.parse(line.body ?? "").quantity) : 0;
      const kind = isHold ? "hold" : "give_back";
      skus.push({ shopper, skuKey, kind, quantity, startedMs, endedMs, said: saidOf(line) });
    }
  }
  return { skus, checkouts };
}

function saidOf({ status, answer }: HistoryLine): Said {
  if (status === null || status >= 500) return { kind: "unknown" };
  if (status === 204) return { kind: "given_back" };
  const body = JSON.parse(answer) as Record<string, unknown>;
  if (status >= 400) return { kind: "refused", code: String(body["code"]), numbers: body };
  return { kind: "held", hold: heldIn(body), isNew: status === 201 };
}

/** A cart says something of every SKU, also by silence. */
function looksOf(line: HistoryLine, skuKeys: readonly string[]): readonly SkuOp[] {
  if (line.status !== 200) return [];
  const { shopper, startedMs, endedMs } = line;
  const cart = JSON.parse(line.answer) as { holds: Record<string, unknown>[]; complete: boolean };
  if (!cart.complete) return [];
  const held = new Map(
    cart.holds.map((one) => [`${String(one["sale"])}/${String(one["sku"])}`, heldIn(one)]),
  );
  return skuKeys.map((skuKey) => {
    const said: Said = { kind: "seen", hold: held.get(skuKey) ?? null };
    return { shopper, skuKey, kind: "look", quantity: 0, startedMs, endedMs, said };
  });
}

function heldIn(body: Record<string, unknown>): Held {
  const number = Number.parseInt(String(body["holdId"]).split("_").at(-1) ?? "", 36);
  return { number, quantity: Number(body["quantity"]) };
}

/** For histories written by hand. */
export function holdIdFor(skuKey: string, number: number): string {
  return `hold_${skuTagOf(skuKey)}_${number.toString(36)}`;
}
