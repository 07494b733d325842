// Applies a sale file: compares it with the published sale, refuses what may not change, and drives
// a new version to its end.

import { unreachable } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
import { APPLY_WAIT_MS } from "../core/limits.ts";
import type { ApiKeyOwner } from "../core/ports/accounts.ts";
import type { SkuRef } from "../core/ports/stock.ts";
import { countSkus } from "./count-skus.ts";
import {
  baseOf,
  driveVersion,
  type VersionEnd,
  type VersionPorts,
  type VersionWork,
} from "./drive-version.ts";
import { fingerprintOf } from "./fingerprint.ts";
import type { ShopPorts } from "./ports.ts";
import {
  areSameSkus,
  diffSale,
  fixedFieldsOf,
  isEmpty,
  planOf,
  type SaleBase,
  type SaleDiff,
} from "./sale-diff.ts";
import type { SaleFile } from "./sale-file.ts";
import type { ApplyResult } from "./shop.ts";
import { runInTurns, turnOf } from "./turns.ts";

export type ApplyPorts = VersionPorts & Pick<ShopPorts, "accounts">;

type Asked = {
  readonly merchant: ApiKeyOwner;
  readonly file: SaleFile;
  readonly dryRun: boolean;
  readonly expectedVersion?: number;
};

/** A repeat of what is still on its way joins it; a repeat of what is done is `unchanged`. */
export async function applySale(ports: ApplyPorts, asked: Asked): Promise<ApplyResult> {
  const result = await applyOnce(ports, asked);
  if (result.kind !== "changed_meanwhile") return result;
  // What was in its way may have been its own first sending, published a moment ago: look again.
  const again = await applyOnce(ports, asked);
  if (again.kind !== "changed_meanwhile") return again;
  // No precondition failed: it is not the version that is wrong but the moment.
  const { expectedVersion = again.version, file } = asked;
  if (expectedVersion === again.version) throw otherOnItsWay(file.header.saleId);
  return again;
}

/** Nothing was changed; the same may be asked for again when the other version has ended. */
export function otherOnItsWay(saleId: string): Fault {
  return new Fault("busy", `another version of sale ${saleId} is on its way`);
}

async function applyOnce(ports: ApplyPorts, asked: Asked): Promise<ApplyResult> {
  const { merchant, file, dryRun, expectedVersion } = asked;
  const { saleId } = file.header;
  const { merchantId } = merchant;
  const stored = await ports.catalogue.sale(saleId);
  if (stored !== null && stored.merchantId !== merchantId) return { kind: "not_found" };
  const base = stored === null ? null : await baseOf(ports, stored);
  const version = base?.sale.version ?? 0;
  const diff = await runInTurns(diffSale(base, file, merchantId), turnOf(ports.runtime));
  if (expectedVersion !== undefined && expectedVersion !== version) {
    // Its own repeat: the first one made exactly this version.
    const isRepeat = expectedVersion === version - 1 && isEmpty(diff);
    if (!isRepeat) return { kind: "changed_meanwhile", version };
  }
  const refusal = await refusalOf(ports, base, diff);
  if (refusal !== null) return refusal;
  if (dryRun) return { kind: "planned", plan: planOf(base, diff) };
  if (base !== null && isEmpty(diff)) {
    return { kind: "unchanged", sale: ports.directory.put(base.sale, base.skus) };
  }
  const { header, changes } = diff;
  const begun = await ports.catalogue.begin({ header, baseVersion: version, changes });
  switch (begun.kind) {
    case "begun": {
      await audit(ports, merchantId, "sale.apply", saleId);
      const work = { version: begun.version, header, base, changes, isForChangesOnly: false };
      return resultOf(await driveVersion(ports, work, APPLY_WAIT_MS), work);
    }
    case "changed_meanwhile": {
      const work = await sameOnItsWay(ports, base, diff);
      if (work === null) return begun;
      return resultOf(await driveVersion(ports, work, APPLY_WAIT_MS), work);
    }
    case "not_found":
      return begun;
    case "idempotency_mismatch":
    case "replayed":
      // Only a draft with a key is ever answered so.
      return { kind: "changed_meanwhile", version };
    default:
      return unreachable(begun);
  }
}

/** How a version ended as the answer to whoever asked for it. */
export function resultOf(end: VersionEnd, work: VersionWork): ApplyResult {
  switch (end.kind) {
    case "published":
      return { kind: "applied", isNew: work.base === null, sale: end.sale };
    case "refused":
      return { kind: "below_committed", skus: end.skus, minimum: end.minimum };
    case "unfinished":
      return { kind: "applying", applied: end.applied, total: end.total };
    case "abandoned":
      return { kind: "changed_meanwhile", version: work.version };
    default:
      return unreachable(end);
  }
}

export async function audit(
  ports: Pick<ShopPorts, "accounts" | "runtime">,
  merchantId: string,
  action: string,
  subject: string,
): Promise<void> {
  const atMs = ports.runtime.clock.wallMs();
  await ports.accounts.audit({ merchantId, action, subject, atMs });
}

/** What is surely refused is refused before anything is stored. */
async function refusalOf(
  ports: ApplyPorts,
  base: SaleBase | null,
  diff: SaleDiff,
): Promise<ApplyResult | null> {
  if (base === null) return null;
  const nowMs = ports.runtime.clock.wallMs();
  const fields = fixedFieldsOf(base, diff, nowMs);
  if (fields.length > 0) return { kind: "not_changeable", fields };
  // Before its start nothing of a sale is held or sold.
  if (nowMs < base.sale.startsAtMs) return null;

  const { saleId } = diff.header;
  const prices = diff.changed.filter(({ field }) => field === "price").map(({ sku }) => sku);
  const stocks = new Map(base.skus.map(({ sku, stock }) => [sku, stock]));
  const lowered = diff.changes.filter(({ sku, stock }) => stock < (stocks.get(sku) ?? 0));
  const asked = new Set([...prices, ...lowered.map(({ sku }) => sku)]);
  const skus = base.skus.filter(({ sku }) => asked.has(sku));
  const refs: SkuRef[] = skus.map((sku) => ports.directory.refOf(saleId, sku));
  const counts = await countSkus(ports.stock, refs);
  const committed = new Map(
    counts.map(({ held, sold }, index) => [skus[index]?.sku ?? "", held + sold]),
  );
  const fixed = prices.filter((sku) => (committed.get(sku) ?? 0) > 0);
  if (fixed.length > 0) {
    return { kind: "not_changeable", fields: fixed.map((sku) => `skus[${sku}].price`) };
  }
  const below = lowered.filter(({ sku, stock }) => stock < (committed.get(sku) ?? 0));
  if (below.length === 0) return null;
  const minimum = Math.max(...below.map(({ sku }) => committed.get(sku) ?? 0));
  return { kind: "below_committed", skus: below.map(({ sku }) => sku), minimum };
}

/** The pending version of the sale when it is the very same change; else null. */
async function sameOnItsWay(
  ports: ApplyPorts,
  base: SaleBase | null,
  { header, changes }: SaleDiff,
): Promise<VersionWork | null> {
  const pending = await ports.catalogue.pending(Number.MAX_SAFE_INTEGER);
  const mine = pending.find(({ saleId }) => saleId === header.saleId);
  if (mine === undefined) return null;
  const isSame =
    fingerprintOf(mine.header) === fingerprintOf(header) && areSameSkus(mine.changes, changes);
  return isSame ? { version: mine.version, header, base, changes, isForChangesOnly: false } : null;
}
