// A refused version is given up in two steps: marked so, then taken back under a higher version. A
// crash between them leaves SKUs that release less than the catalogue says, and nothing on its way.
// So after a start each live sale is compared with its owners once, and sent again when it differs.

import { faultOf } from "../core/errors.ts";
import { APPLY_WAIT_MS } from "../core/limits.ts";
import { saleStateOf } from "../core/sale/sale.ts";
import { countSkus } from "./count-skus.ts";
import type { DirectorySale } from "./directory.ts";
import { baseOf, driveVersion, headerOf, type VersionPorts } from "./drive-version.ts";

export class SaleRepairs {
  readonly #ports: VersionPorts;
  /** Sales still to be compared; null before the directory was loaded. */
  #left: Set<string> | null = null;

  constructor(ports: VersionPorts) {
    this.#ports = ports;
  }

  /** Compares what is left; a sale whose owners do not answer stays for the next time. */
  async run(): Promise<void> {
    const { directory, log } = this.#ports;
    this.#left ??= new Set([...directory.sales()].map(({ saleId }) => saleId));
    for (const saleId of this.#left) {
      try {
        const sale = directory.sale(saleId);
        if (sale === null || (await this.#isRight(sale))) this.#left.delete(saleId);
      } catch (cause) {
        const err = faultOf(cause, "unknown", `compare sale ${saleId}`);
        log.warn({ sale: saleId, err }, "a sale was not compared with its owners yet");
      }
    }
  }

  async #isRight(sale: DirectorySale): Promise<boolean> {
    const { stock, runtime, catalogue, log } = this.#ports;
    const state = saleStateOf(sale, runtime.clock.wallMs());
    if (state === "ended" || state === "cancelled") return true;
    const skus = [...sale.skus.values()];
    const counts = await countSkus(stock, skus);
    if (counts.every(({ released }, index) => released === skus[index]?.stock)) return true;

    const base = await baseOf(this.#ports, sale);
    // Changed since: compared again next time.
    if (base === null || base.sale.version !== sale.version) return false;
    const header = headerOf(base);
    const baseVersion = sale.version;
    const begun = await catalogue.begin({ header, baseVersion, changes: [] });
    if (begun.kind !== "begun") return false;
    log.warn({ sale: sale.saleId, version: begun.version }, "a sale is sent to its owners again");
    const work = { version: begun.version, header, base, changes: [], isForChangesOnly: false };
    // Pending from here on: the sweep of versions finishes what this does not.
    await driveVersion(this.#ports, work, APPLY_WAIT_MS);
    return true;
  }
}
