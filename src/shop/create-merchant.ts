// A merchant and its API key. The key is random, leaves here once and is kept as its SHA-256 only.

import { createHash } from "node:crypto";

import { assert } from "../core/assert.ts";
import { API_KEY } from "../core/ids.ts";
import type { Accounts, KeyRole } from "../core/ports/accounts.ts";

/** What a guess has to find: 256 bits. */
const KEY_BYTES = 32;

export type MerchantSources = {
  readonly accounts: Accounts;
  readonly newUuid: () => string;
  readonly nowMs: number;
  /** From a cryptographic source. */
  readonly randomBytes: (count: number) => Uint8Array;
};

/** Changes  the accounts. Throws  Fault of the store; after "unknown" make another merchant. */
export async function createMerchant(
  { accounts, newUuid, nowMs, randomBytes }: MerchantSources,
  { name, role }: { readonly name: string; readonly role: KeyRole },
): Promise<{ readonly merchantId: string; readonly apiKey: string }> {
  const bytes = randomBytes(KEY_BYTES);
  assert(bytes.length === KEY_BYTES, "a key has all its random bytes");
  const apiKey = `dbk_${Buffer.from(bytes).toString("base64url")}`;
  assert(API_KEY.test(apiKey), "a new key has the form of a key");
  const merchantId = `mer_${newUuid().replaceAll("-", "")}`;
  const keySha256 = createHash("sha256").update(apiKey).digest("hex");
  await accounts.createMerchant({ merchant: { merchantId, name }, role, keySha256 });
  const entry = { merchantId, action: "merchant.create", subject: merchantId, atMs: nowMs };
  await accounts.audit(entry);
  return { merchantId, apiKey };
}
