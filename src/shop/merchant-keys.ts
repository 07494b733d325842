import { API_KEY } from "../core/ids.ts";
import { MERCHANT_KEYS_FRESH_MS, MERCHANT_KEYS_MAX } from "../core/limits.ts";
import type { ApiKeyOwner } from "../core/ports/accounts.ts";
import { ExpiringCache } from "./expiring-cache.ts";
import { sha256Of } from "./fingerprint.ts";
import type { ShopPorts } from "./ports.ts";

/** Whose key it is. Keys are kept and compared as SHA-256 only; unknown ones are not remembered. */
export class MerchantKeys {
  readonly #ports: Pick<ShopPorts, "accounts">;
  readonly #owners: ExpiringCache<ApiKeyOwner>;

  constructor(ports: Pick<ShopPorts, "accounts" | "runtime">) {
    this.#ports = ports;
    this.#owners = new ExpiringCache({
      clock: ports.runtime.clock,
      freshMs: MERCHANT_KEYS_FRESH_MS,
      countMax: MERCHANT_KEYS_MAX,
    });
  }

  async ownerOf(apiKey: string): Promise<ApiKeyOwner | null> {
    // What cannot be a key sends nobody to the database.
    if (!API_KEY.test(apiKey)) return null;
    const keySha256 = sha256Of(apiKey);
    const known = this.#owners.get(keySha256);
    if (known !== undefined) return known;
    const owner = await this.#ports.accounts.merchantByKey(keySha256);
    if (owner !== null) this.#owners.put(keySha256, owner);
    return owner;
  }
}
