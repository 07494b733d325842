// Pause, resume, extend, end, cancel, and a change of one SKU's stock: each a new version of the
// sale, once for each idempotency key.

import { assert, unreachable } from "../core/assert.ts";
import { APPLY_WAIT_MS, STOCK_UNITS_MAX } from "../core/limits.ts";
import type { ApiKeyOwner } from "../core/ports/accounts.ts";
import type { BeginResult } from "../core/ports/catalogue.ts";
import { type SaleHeader, type SaleSku, saleStateOf } from "../core/sale/sale.ts";
import { type ApplyPorts, audit, otherOnItsWay, resultOf } from "./apply-sale.ts";
import { countSkus } from "./count-skus.ts";
import { driveVersion, loadBase } from "./drive-version.ts";
import { fingerprintOf } from "./fingerprint.ts";
import type { SaleBase } from "./sale-diff.ts";
import type { ApplyResult, SaleChange } from "./shop.ts";

type Asked = {
  readonly merchant: ApiKeyOwner;
  readonly saleId: string;
  readonly change: SaleChange;
  readonly idempotencyKey: string;
};

type Decided =
  | { readonly kind: "change"; readonly header: SaleHeader; readonly changes: readonly SaleSku[] }
  | { readonly kind: "unchanged" }
  | { readonly kind: "refused"; readonly result: ApplyResult };

const UNCHANGED: Decided = { kind: "unchanged" };

/** Before a change that met another one begins again. */
const AGAIN_MS = 25;

export async function changeSale(ports: ApplyPorts, asked: Asked): Promise<ApplyResult> {
  const { clock } = ports.runtime;
  const untilMs = clock.monotonicMs() + APPLY_WAIT_MS;
  for (;;) {
    const base = await loadBase(ports, asked.saleId);
    if (base?.sale.merchantId !== asked.merchant.merchantId) return { kind: "not_found" };
    const result = await changeOnce(ports, asked, base, untilMs);
    if (result.kind !== "changed_meanwhile") return result;
    // A change is relative to what is there, so it may follow another one.
    if (clock.monotonicMs() >= untilMs) throw otherOnItsWay(asked.saleId);
    await ports.runtime.pause(AGAIN_MS);
  }
}

async function changeOnce(
  ports: ApplyPorts,
  asked: Asked,
  base: SaleBase,
  untilMs: number,
): Promise<ApplyResult> {
  const { change, saleId, idempotencyKey } = asked;
  const decided = decideChange(base, change, ports.runtime.clock.wallMs());
  const isChange = decided.kind === "change";
  const { version: _, ...published } = base.sale;
  const begun = await ports.catalogue.begin({
    header: isChange ? decided.header : published,
    changes: isChange ? decided.changes : [],
    // What has nothing to change may still be the repeat of what changed it: a version that is
    // already past begins nothing, and answers for the key alone.
    baseVersion: isChange ? base.sale.version : base.sale.version - 1,
    idempotencyKey,
    fingerprint: fingerprintOf({ saleId, change }),
  });
  if (begun.kind === "idempotency_mismatch" || begun.kind === "not_found") return begun;
  if (begun.kind === "replayed") return replay(ports, asked, base, begun, untilMs);
  if (decided.kind === "unchanged") return unchanged(ports, base);
  if (decided.kind === "refused") {
    const isBelow = decided.result.kind === "below_committed";
    return isBelow ? belowCommitted(ports, asked, base) : decided.result;
  }
  if (begun.kind === "changed_meanwhile") return begun;

  await audit(ports, base.sale.merchantId, `sale.${change.kind}`, saleId);
  const { header, changes } = decided;
  const isForChangesOnly = change.kind === "stock";
  const work = { version: begun.version, header, base, changes, isForChangesOnly };
  const waitMs = untilMs - ports.runtime.clock.monotonicMs();
  return resultOf(await driveVersion(ports, work, waitMs), work);
}

/** Pure: what the change makes of the sale, or why it makes nothing. */
function decideChange(base: SaleBase, change: SaleChange, nowMs: number): Decided {
  const { version: _, ...header } = base.sale;
  const state = saleStateOf(base.sale, nowMs);
  const isOver = state === "ended" || state === "cancelled";
  const set = (changed: Partial<SaleHeader>): Decided => ({
    kind: "change",
    header: { ...header, ...changed },
    changes: [],
  });
  switch (change.kind) {
    case "pause":
      if (header.phase === "paused") return UNCHANGED;
      return isOver ? fixed("state") : set({ phase: "paused" });
    case "resume":
      if (header.phase === "live" && !isOver) return UNCHANGED;
      return isOver ? fixed("state") : set({ phase: "live" });
    case "end":
      if (header.phase === "ended") return UNCHANGED;
      return isOver ? fixed("state") : set({ phase: "ended" });
    case "cancel":
      if (header.phase === "cancelled") return UNCHANGED;
      return isOver ? fixed("state") : set({ phase: "cancelled" });
    case "extend":
      if (change.endsAtMs === header.endsAtMs) return UNCHANGED;
      if (isOver || change.endsAtMs < header.endsAtMs) return fixed("endsAt");
      return set({ endsAtMs: change.endsAtMs });
    case "stock":
      return isOver ? fixed(`skus[${change.sku}].stock`) : decideStock(base, header, change);
    default:
      return unreachable(change);
  }
}

function fixed(field: string): Decided {
  return refused({ kind: "not_changeable", fields: [field] });
}

function decideStock(
  base: SaleBase,
  header: SaleHeader,
  { sku: name, delta }: Extract<SaleChange, { kind: "stock" }>,
): Decided {
  const sku = base.skus.find((candidate) => candidate.sku === name);
  if (sku === undefined) return refused({ kind: "not_found" });
  if (delta === 0) return UNCHANGED;
  const stock = sku.stock + delta;
  if (stock > STOCK_UNITS_MAX) {
    const message = `the stock would be ${stock}; at most ${STOCK_UNITS_MAX} are allowed`;
    return refused({ kind: "invalid", errors: [{ field: "delta", message }] });
  }
  // The minimum is for its owner to say.
  if (stock < 0) return refused({ kind: "below_committed", skus: [name], minimum: 0 });
  return { kind: "change", header, changes: [{ ...sku, stock }] };
}

function refused(result: ApplyResult): Decided {
  return { kind: "refused", result };
}

/** Answers a key that was used before as its first use did, or goes on with it. */
async function replay(
  ports: ApplyPorts,
  asked: Asked,
  base: SaleBase,
  begun: Extract<BeginResult, { kind: "replayed" }>,
  untilMs: number,
): Promise<ApplyResult> {
  const { version, state } = begun;
  if (state === "published") return unchanged(ports, base);
  if (state === "abandoned") return belowCommitted(ports, asked, base);
  const pending = await ports.catalogue.pending(Number.MAX_SAFE_INTEGER);
  const mine = pending.find((one) => one.saleId === asked.saleId && one.version === version);
  // It has ended since it was asked for: ask again.
  if (mine === undefined) return { kind: "changed_meanwhile", version };
  const { header, changes } = mine;
  const isForChangesOnly = asked.change.kind === "stock";
  const work = { version, header, base, changes, isForChangesOnly };
  const waitMs = untilMs - ports.runtime.clock.monotonicMs();
  return resultOf(await driveVersion(ports, work, waitMs), work);
}

function unchanged(ports: ApplyPorts, { sale, skus }: SaleBase): ApplyResult {
  return { kind: "unchanged", sale: ports.directory.put(sale, skus) };
}

/** Only a change of stock is ever refused by an owner. */
async function belowCommitted(
  ports: ApplyPorts,
  { change, saleId }: Asked,
  base: SaleBase,
): Promise<ApplyResult> {
  assert(change.kind === "stock", "only stock that is lowered can be refused");
  const skus = base.skus.filter(({ sku }) => sku === change.sku);
  const refs = skus.map((sku) => ports.directory.refOf(saleId, sku));
  const counts = await countSkus(ports.stock, refs);
  const minimum = counts.reduce((sum, { held, sold }) => sum + held + sold, 0);
  return { kind: "below_committed", skus: [change.sku], minimum };
}
