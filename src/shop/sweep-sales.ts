// Finishes versions of sales whose request has gone: published when every SKU has them, taken back
// when one is refused. Then reads what other nodes have published.

import { faultOf } from "../core/errors.ts";
import { SWEEP_VERSIONS_AFTER_MS } from "../core/limits.ts";
import { driveVersion, loadBase, type VersionPorts } from "./drive-version.ts";

/** One version may take this long; the next sweep goes on with it. */
const SWEEP_WAIT_MS = 30_000;

/**
 * Drives the pending versions, each on its own.
 *
 * Returns  how many of them ended.
 * Throws   the Fault of reading them.
 */
export async function sweepSales(ports: VersionPorts, nowMs: number): Promise<number> {
  let endedCount = 0;
  for (const pending of await ports.catalogue.pending(nowMs - SWEEP_VERSIONS_AFTER_MS)) {
    const { saleId, version, header, changes } = pending;
    try {
      const base = await loadBase(ports, saleId);
      // Ended since it was read.
      if (base !== null && base.sale.version >= version) continue;
      const work = { version, header, base, changes, isForChangesOnly: false };
      const end = await driveVersion(ports, work, SWEEP_WAIT_MS);
      ports.log.info({ sale: saleId, version, end: end.kind }, "a version was swept");
      if (end.kind !== "unfinished") endedCount++;
    } catch (cause) {
      const err = faultOf(cause, "unknown", `version ${version} of sale ${saleId}`);
      ports.log.warn({ sale: saleId, version, err }, "a version was not finished by the sweep");
    }
  }
  return endedCount;
}
