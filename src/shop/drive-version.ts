// Takes one pending version of a sale to its end: sent to each SKU's owner, visible last. The
// request that began it and the sweeper both run this; configure is once by version, publish is a
// compare-and-set, so both may.
//
//   V1  SKUs whose stock is lowered go first: only they can be refused
//   V2  one refused SKU fails the version; those that took it get the old values under a higher one,
//       and the old values are never refused, since nothing was raised before (V1)
//   V3  nobody sees the version before every SKU has it

import { assert } from "../core/assert.ts";
import { faultOf } from "../core/errors.ts";
import { CONFIGURES_AT_ONCE_MAX } from "../core/limits.ts";
import { configureOf, type Sale, type SaleHeader, type SaleSku } from "../core/sale/sale.ts";
import { forEachAtOnce } from "./at-once.ts";
import type { DirectorySale } from "./directory.ts";
import type { ShopPorts } from "./ports.ts";
import { type SaleBase, workOf } from "./sale-diff.ts";
import { runInTurns, turnOf } from "./turns.ts";

export type VersionPorts = Pick<ShopPorts, "stock" | "catalogue" | "directory" | "runtime" | "log">;

export type VersionWork = {
  readonly version: number;
  readonly header: SaleHeader;
  readonly base: SaleBase | null;
  readonly changes: readonly SaleSku[];
  /** Only these get it: a change of one SKU's stock leaves the others at their version. */
  readonly isForChangesOnly: boolean;
};

export type VersionEnd =
  | { readonly kind: "published"; readonly sale: DirectorySale }
  | { readonly kind: "refused"; readonly skus: readonly string[]; readonly minimum: number }
  | { readonly kind: "unfinished"; readonly applied: number; readonly total: number }
  /** Somebody else gave it up meanwhile. */
  | { readonly kind: "abandoned" };

/** Before what has failed is sent again. */
const AGAIN_MS = 50;
/** A change of somebody else may slip in before a roll-back begins. */
const ROLL_BACK_ATTEMPTS_MAX = 20;

type Sending = {
  readonly version: number;
  readonly header: SaleHeader;
  readonly untilMs: number;
  applied: number;
  readonly refused: Map<string, number>;
};

/** Throws  the catalogue's faults; those of owners are waited out until `waitMs` are over. */
export async function driveVersion(
  ports: VersionPorts,
  work: VersionWork,
  waitMs: number,
): Promise<VersionEnd> {
  const { base, changes, header, version } = work;
  assert(version > (base?.sale.version ?? 0), "a version is above the published one");
  const steps = workOf(base?.skus ?? [], changes, work.isForChangesOnly);
  const { merged, lowered, others } = await runInTurns(steps, turnOf(ports.runtime));

  const untilMs = ports.runtime.clock.monotonicMs() + waitMs;
  const sending: Sending = { version, header, untilMs, applied: 0, refused: new Map() };
  const total = lowered.length + others.length;
  const isLoweredSent = await send(ports, sending, lowered);
  if (sending.refused.size > 0) {
    await giveUp(ports, work, lowered, isLoweredSent && sending.applied === 0);
    const minimum = Math.max(...sending.refused.values());
    return { kind: "refused", skus: [...sending.refused.keys()], minimum };
  }
  if (!isLoweredSent || !(await send(ports, sending, others))) {
    return { kind: "unfinished", applied: sending.applied, total };
  }
  assert(sending.applied === total, "every SKU has the version before anybody sees it");
  return publish(ports, work, merged);
}

async function publish(
  ports: VersionPorts,
  { header, version }: VersionWork,
  merged: readonly SaleSku[],
): Promise<VersionEnd> {
  const { catalogue, directory } = ports;
  if (await catalogue.publish(header.saleId, version)) {
    // Embedded the whole write was one turn, and the directory's is the next.
    await turnOf(ports.runtime)();
    return { kind: "published", sale: directory.put({ ...header, version }, merged) };
  }
  const sale = await catalogue.sale(header.saleId);
  if (sale === null || sale.version < version) return { kind: "abandoned" };
  return { kind: "published", sale: directory.put(sale, await catalogue.skus(header.saleId)) };
}

/** Sends to all, what fails again, until all answered or the time is over. True: all answered. */
async function send(
  ports: VersionPorts,
  sending: Sending,
  skus: readonly SaleSku[],
): Promise<boolean> {
  const { clock } = ports.runtime;
  let left = skus;
  while (left.length > 0) {
    const remainingMs = sending.untilMs - clock.monotonicMs();
    if (remainingMs <= 0) return false;
    const failed: SaleSku[] = [];
    const sent = forEachAtOnce(left, CONFIGURES_AT_ONCE_MAX, async (sku) => {
      if (clock.monotonicMs() >= sending.untilMs || !(await sendOne(ports, sending, sku))) {
        failed.push(sku);
      }
    });
    const isInTime = await Promise.race([
      sent.then(() => true),
      ports.runtime.pause(remainingMs).then(() => false),
    ]);
    if (!isInTime) return false;
    left = failed;
    if (left.length > 0) await ports.runtime.pause(AGAIN_MS);
  }
  return true;
}

/** True when its owner has answered. */
async function sendOne(ports: VersionPorts, sending: Sending, sku: SaleSku): Promise<boolean> {
  const { header, version } = sending;
  try {
    const ref = ports.directory.refOf(header.saleId, sku);
    const outcome = await ports.stock.ask(ref, configureOf(header, sku, version));
    // A SKU that is further on already was sent a later version: then this one was given up, and
    // its publish is refused.
    if (outcome.kind === "below_committed") sending.refused.set(sku.sku, outcome.minimum);
    else sending.applied++;
    return true;
  } catch (cause) {
    const err = faultOf(cause, "unknown", `configure ${header.saleId}/${sku.sku}`);
    ports.log.warn({ sale: header.saleId, sku: sku.sku, version, err }, "a SKU has to wait");
    return false;
  }
}

/** Ends a refused version, and takes it back where it was taken (V2). */
async function giveUp(
  ports: VersionPorts,
  { header, version, base }: VersionWork,
  touched: readonly SaleSku[],
  isNowhere: boolean,
): Promise<void> {
  const { catalogue, runtime, log } = ports;
  const { saleId } = header;
  assert(base !== null, "a new sale has nothing held or sold");
  // False: somebody else ended it, and saw to the rest. A crash from here on: repair-sales.ts.
  if (!(await catalogue.abandon(saleId, version)) || isNowhere) return;
  for (let attempt = 0; attempt < ROLL_BACK_ATTEMPTS_MAX; attempt++) {
    const published = attempt === 0 ? base : await loadBase(ports, saleId);
    assert(published !== null, "a published sale stays");
    const old: SaleHeader = headerOf(published);
    const baseVersion = published.sale.version;
    const begun = await catalogue.begin({ header: old, baseVersion, changes: [] });
    if (begun.kind !== "begun") {
      await runtime.pause(AGAIN_MS);
      continue;
    }
    const stocks = new Map(published.skus.map((sku) => [sku.sku, sku]));
    const skus = touched.map(({ sku }) => stocks.get(sku)).filter((sku) => sku !== undefined);
    const untilMs = runtime.clock.monotonicMs() + AGAIN_MS * ROLL_BACK_ATTEMPTS_MAX;
    const back = { version: begun.version, header: old, untilMs, applied: 0, refused: new Map() };
    // Not all answered: the version stays pending, and the sweeper sends it to everyone.
    if (!(await send(ports, back, skus))) return;
    assert(back.refused.size === 0, "what was released before covers what is held and sold");
    if (await catalogue.publish(saleId, begun.version)) {
      ports.directory.put({ ...old, version: begun.version }, published.skus);
    }
    return;
  }
  log.error({ sale: saleId, version }, "a refused version was not taken back everywhere");
}

/** Null when there is no such sale, or nothing of it was published yet. */
export async function loadBase(
  ports: Pick<ShopPorts, "catalogue">,
  saleId: string,
): Promise<SaleBase | null> {
  const sale = await ports.catalogue.sale(saleId);
  return sale === null ? null : baseOf(ports, sale);
}

export async function baseOf(
  { catalogue }: Pick<ShopPorts, "catalogue">,
  sale: Sale,
): Promise<SaleBase | null> {
  return sale.version === 0 ? null : { sale, skus: await catalogue.skus(sale.saleId) };
}

/** What a version of a sale says, without the number of the version. */
export function headerOf({ sale }: SaleBase): SaleHeader {
  const { version: _, ...header } = sale;
  return header;
}
