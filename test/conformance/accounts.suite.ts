import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import type { ControlDialect, ControlStores } from "./control-stores.ts";

const sha256Of = (key: string): string => new Bun.CryptoHasher("sha256").update(key).digest("hex");

/** What every store of accounts does, whatever keeps it. */
export function accountsSuite(dialect: ControlDialect): void {
  describe(`accounts on ${dialect.name}`, () => {
    let stores: ControlStores;
    beforeAll(async () => {
      stores = await dialect.start();
    });
    afterAll(() => stores.close());
    const the = () => stores.accounts;

    test("an account is found by its e-mail, and nobody by another", async () => {
      const account = {
        accountId: "acc_1",
        email: "zoë+sale@example.com",
        passwordHash: "$argon2id$v=19$…",
      };
      expect(await the().createAccount(account)).toBe(true);
      expect(await the().accountByEmail(account.email)).toEqual(account);
      expect(await the().accountByEmail("zoe+sale@example.com")).toBeNull();
      expect(await the().accountByEmail("' or 1=1 --")).toBeNull();
    });

    test("of 50 accounts made at once with one e-mail, one is made", async () => {
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          the().createAccount({
            accountId: `acc_race_${index}`,
            email: "race@example.com",
            passwordHash: `hash ${index}`,
          }),
        ),
      );
      expect(results.filter(Boolean)).toHaveLength(1);
      const winner = await the().accountByEmail("race@example.com");
      expect(winner?.accountId).toBe(`acc_race_${results.indexOf(true)}`);
    });

    test("a repeat hears the first answer and keeps the first password", async () => {
      const account = { accountId: "acc_again", email: "again@example.com", passwordHash: "1" };
      expect(await the().createAccount(account)).toBe(true);
      expect(await the().createAccount({ ...account, passwordHash: "2" })).toBe(true);
      expect(await the().createAccount({ ...account, accountId: "acc_other" })).toBe(false);
      expect(await the().accountByEmail(account.email)).toEqual(account);
    });

    test("an e-mail that is not in lower case is a bug of the caller", async () => {
      const account = { accountId: "acc_upper", email: "Upper@example.com", passwordHash: "1" };
      await expect(the().createAccount(account)).rejects.toThrow("lower case");
    });

    test("a key finds its merchant and role, and nothing else does", async () => {
      const merchant = { merchantId: "mer_1", name: "Ravi’s Phones" };
      const keySha256 = sha256Of("key 1");
      await the().createMerchant({ merchant, role: "merchant", keySha256 });
      const owner = { ...merchant, role: "merchant" } as const;
      expect(await the().merchantByKey(keySha256)).toEqual(owner);
      expect(await the().merchantByKey(sha256Of("key 2"))).toBeNull();
      expect(await the().merchantByKey(keySha256.toUpperCase())).toBeNull();
      expect(await the().merchantByKey("")).toBeNull();
    });

    test("a merchant may have several keys; making one again changes nothing", async () => {
      const merchant = { merchantId: "mer_many", name: "Many" };
      const operator = { merchant, role: "operator", keySha256: sha256Of("many 2") } as const;
      await the().createMerchant({ merchant, role: "merchant", keySha256: sha256Of("many 1") });
      await Promise.all(Array.from({ length: 10 }, () => the().createMerchant(operator)));
      expect((await the().merchantByKey(sha256Of("many 1")))?.role).toBe("merchant");
      expect((await the().merchantByKey(sha256Of("many 2")))?.role).toBe("operator");
    });

    test("a key that is not hashed is never stored", async () => {
      const merchant = { merchantId: "mer_plain", name: "Plain" };
      const request = { merchant, role: "merchant", keySha256: "dbk_live_secret" } as const;
      await expect(the().createMerchant(request)).rejects.toThrow("SHA-256");
      expect(await the().merchantByKey("dbk_live_secret")).toBeNull();
    });

    test("the audit trail takes many entries at once", async () => {
      const entries = Array.from({ length: 20 }, (_, index) => ({
        merchantId: "mer_1",
        action: "sale.apply",
        subject: `sale-${index}`,
        atMs: 1_700_000_000_000 + index,
      }));
      await Promise.all(entries.map((entry) => the().audit(entry)));
      expect(await stores.auditSubjects("mer_1")).toEqual(entries.map((entry) => entry.subject));
    });
  });
}
