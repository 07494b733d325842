import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { SKUS_A_TURN } from "../../src/core/limits.ts";
import type { BeginResult, VersionDraft } from "../../src/core/ports/catalogue.ts";
import type { SaleHeader, SaleSku } from "../../src/core/sale/sale.ts";
import type { ControlDialect, ControlStores } from "./control-stores.ts";

/** What every catalogue does, whatever keeps it. */
export function catalogueSuite(dialect: ControlDialect): void {
  describe(`a catalogue on ${dialect.name}`, () => {
    let stores: ControlStores;
    beforeAll(async () => {
      stores = await dialect.start();
    });
    afterAll(() => stores.close());
    const the = () => stores;
    versionFacts(the);
    concurrencyFacts(the);
    idempotencyFacts(the);
    listFacts(the);
    sizeFacts(the);
  });
}

let made = 0;

function headerOf(overrides: Partial<SaleHeader> = {}): SaleHeader {
  made += 1;
  return {
    saleId: `sale-${made}`,
    merchantId: "mer_1",
    title: "Diwali “Drop” ☃",
    currency: "INR",
    timeZone: "Asia/Kolkata",
    startsAtMs: 1_000_000,
    endsAtMs: 2_000_000,
    holdMs: 300_000,
    payMs: 600_000,
    groups: { phones: { limitPerShopper: 2 } },
    phase: "live",
    ...overrides,
  };
}

function skuNamed(sku: string, overrides: Partial<SaleSku> = {}): SaleSku {
  return {
    sku,
    title: `Title of ${sku}`,
    priceMinor: 1_999_900,
    stock: 1_000,
    limitPerShopper: 2,
    group: null,
    ...overrides,
  };
}

function draftOf(header: SaleHeader, overrides: Partial<VersionDraft> = {}): VersionDraft {
  return { header, baseVersion: 0, changes: [skuNamed("a")], ...overrides };
}

async function begun(stores: ControlStores, draft: VersionDraft): Promise<number> {
  const result = await stores.catalogue.begin(draft);
  if (result.kind !== "begun") throw new Error(`expected begun, got ${JSON.stringify(result)}`);
  return result.version;
}

async function published(stores: ControlStores, draft: VersionDraft): Promise<number> {
  const version = await begun(stores, draft);
  expect(await stores.catalogue.publish(draft.header.saleId, version)).toBe(true);
  return version;
}

function versionFacts(the: () => ControlStores): void {
  test("a sale that began is a draft without SKUs until it is published whole", async () => {
    const { catalogue } = the();
    const header = headerOf();
    const changes = [skuNamed("b", { group: "phones" }), skuNamed("a", { priceMinor: 0 })];
    const version = await begun(the(), draftOf(header, { changes }));
    expect(version).toBe(1);
    expect(await catalogue.sale(header.saleId)).toEqual({ ...header, version: 0 });
    expect(await catalogue.skus(header.saleId)).toEqual([]);

    expect(await catalogue.publish(header.saleId, version)).toBe(true);
    expect(await catalogue.sale(header.saleId)).toEqual({ ...header, version: 1 });
    expect(await catalogue.skus(header.saleId)).toEqual(changes.toReversed());
  });

  test("a later version changes the header and the SKUs it names, and no other", async () => {
    const { catalogue } = the();
    const header = headerOf();
    await published(the(), draftOf(header, { changes: [skuNamed("a"), skuNamed("b")] }));
    const next = { ...header, title: "Changed", phase: "paused", groups: {} } as const;
    const changes = [skuNamed("b", { stock: 7, group: "g" }), skuNamed("c")];
    const version = await begun(the(), draftOf(next, { baseVersion: 1, changes }));
    expect(await catalogue.sale(header.saleId)).toEqual({ ...header, version: 1 });
    expect(await catalogue.publish(header.saleId, version)).toBe(true);
    expect(await catalogue.sale(header.saleId)).toEqual({ ...next, version: 2 });
    expect(await catalogue.skus(header.saleId)).toEqual([skuNamed("a"), ...changes]);
  });

  test("a version is published once, and not after it was abandoned", async () => {
    const { catalogue } = the();
    const header = headerOf();
    const version = await published(the(), draftOf(header));
    expect(await catalogue.publish(header.saleId, version)).toBe(false);
    expect(await catalogue.abandon(header.saleId, version)).toBe(false);
    const second = await begun(the(), draftOf(header, { baseVersion: 1 }));
    expect(await catalogue.abandon(header.saleId, second)).toBe(true);
    expect(await catalogue.abandon(header.saleId, second)).toBe(false);
    expect(await catalogue.publish(header.saleId, second)).toBe(false);
    expect(await catalogue.publish(header.saleId, 99)).toBe(false);
    expect((await catalogue.sale(header.saleId))?.version).toBe(1);
  });

  test("an abandoned version's number is not used again", async () => {
    const { catalogue } = the();
    const header = headerOf();
    const first = await begun(the(), draftOf(header));
    expect(await catalogue.abandon(header.saleId, first)).toBe(true);
    expect(await begun(the(), draftOf(header))).toBe(2);
    expect(await catalogue.publish(header.saleId, 2)).toBe(true);
    expect((await catalogue.sale(header.saleId))?.version).toBe(2);
  });

  test("a version made from another than the published one is refused", async () => {
    const { catalogue } = the();
    const header = headerOf();
    const missing = await catalogue.begin(draftOf(header, { baseVersion: 3 }));
    expect(missing).toEqual({ kind: "changed_meanwhile", version: 0 });
    expect(await catalogue.sale(header.saleId)).toBeNull();
    await published(the(), draftOf(header));
    for (const baseVersion of [0, 2]) {
      const result = await catalogue.begin(draftOf(header, { baseVersion }));
      expect(result).toEqual({ kind: "changed_meanwhile", version: 1 });
    }
  });

  test("a sale's id belongs to its merchant, also as a draft", async () => {
    const { catalogue } = the();
    const header = headerOf();
    const key = { idempotencyKey: "k", fingerprint: "f" };
    const version = await begun(the(), draftOf(header, key));
    const stranger = { ...header, merchantId: "mer_2" };
    expect(await catalogue.begin(draftOf(stranger, key))).toEqual({ kind: "not_found" });
    await catalogue.publish(header.saleId, version);
    const other = draftOf(stranger, { baseVersion: 1 });
    expect(await catalogue.begin(other)).toEqual({ kind: "not_found" });
    expect((await catalogue.sale(header.saleId))?.merchantId).toBe("mer_1");
  });

  test("pending versions are found by their age, with what they change", async () => {
    const { catalogue, clock } = the();
    const header = headerOf();
    clock.nowMs = 5_000_000;
    await begun(the(), draftOf(header));
    const mine = async (beforeMs: number) =>
      (await catalogue.pending(beforeMs)).filter((row) => row.saleId === header.saleId);
    expect(await mine(5_000_000)).toEqual([]);
    const expected = { saleId: header.saleId, version: 1, header, changes: [skuNamed("a")] };
    expect(await mine(5_000_001)).toEqual([expected]);
    await catalogue.publish(header.saleId, 1);
    expect(await mine(5_000_001)).toEqual([]);
  });

  test("text comes back as it went in", async () => {
    const { catalogue } = the();
    const title = `'"; drop table sales; -- \\ {}, $1 ☃ 😀 ${"x".repeat(500)}`;
    const header = headerOf({ title });
    await published(the(), draftOf(header, { changes: [skuNamed("a", { title })] }));
    expect((await catalogue.sale(header.saleId))?.title).toBe(title);
    expect(await catalogue.skus(header.saleId)).toEqual([skuNamed("a", { title })]);
  });
}

function kinds(results: readonly BeginResult[], kind: BeginResult["kind"]): number {
  return results.filter((result) => result.kind === kind).length;
}

function concurrencyFacts(the: () => ControlStores): void {
  test("of 50 begins at once, of a new sale and of a known one, one wins", async () => {
    const { catalogue } = the();
    const header = headerOf();
    for (const baseVersion of [0, 1]) {
      const draft = draftOf(header, { baseVersion });
      const results = await Promise.all(Array.from({ length: 50 }, () => catalogue.begin(draft)));
      expect(kinds(results, "begun")).toBe(1);
      expect(kinds(results, "changed_meanwhile")).toBe(49);
      expect(await catalogue.publish(header.saleId, baseVersion + 1)).toBe(true);
    }
  });

  test("of 50 begins at once with one key, one begins and the others hear its version", async () => {
    const { catalogue } = the();
    const draft = draftOf(headerOf(), { idempotencyKey: "same", fingerprint: "f" });
    const results = await Promise.all(Array.from({ length: 50 }, () => catalogue.begin(draft)));
    expect(kinds(results, "begun")).toBe(1);
    expect(kinds(results, "replayed")).toBe(49);
  });

  test("of 20 merchants that want one id at once, one gets it", async () => {
    const { catalogue } = the();
    const header = headerOf();
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        catalogue.begin(draftOf({ ...header, merchantId: `mer_${index}` })),
      ),
    );
    expect(kinds(results, "begun")).toBe(1);
    expect(kinds(results, "not_found")).toBe(19);
  });

  test("begin, publish and abandon at once leave one chain of versions", async () => {
    const { catalogue } = the();
    const header = headerOf();
    const numbers: number[] = [];
    const merchant = async (isPublisher: boolean): Promise<void> => {
      for (let turn = 0; turn < 30; turn += 1) {
        const baseVersion = (await catalogue.sale(header.saleId))?.version ?? 0;
        const result = await catalogue.begin(draftOf(header, { baseVersion }));
        if (result.kind !== "begun") continue;
        numbers.push(result.version);
        const { saleId } = header;
        const isDone = isPublisher
          ? await catalogue.publish(saleId, result.version)
          : await catalogue.abandon(saleId, result.version);
        expect(isDone).toBe(true);
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, index) => merchant(index % 2 === 0)));
    expect(numbers.length).toBeGreaterThan(0);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(Math.max(...numbers)).toBe(numbers.length);
  });

  test("a publish and an abandon at once: one of them is heard", async () => {
    const { catalogue } = the();
    for (let round = 0; round < 10; round += 1) {
      const header = headerOf();
      const version = await begun(the(), draftOf(header));
      const [isPublished, isAbandoned] = await Promise.all([
        catalogue.publish(header.saleId, version),
        catalogue.abandon(header.saleId, version),
      ]);
      expect(isPublished).not.toBe(isAbandoned);
      expect((await catalogue.sale(header.saleId))?.version).toBe(isPublished ? version : 0);
      expect((await catalogue.skus(header.saleId)).length).toBe(isPublished ? 1 : 0);
    }
  });
}

function idempotencyFacts(the: () => ControlStores): void {
  test("a repeat of a key hears its version and what became of it", async () => {
    const { catalogue } = the();
    const header = headerOf();
    const draft = draftOf(header, { idempotencyKey: "k-1", fingerprint: "f-1" });
    await begun(the(), draft);
    const replayed = { kind: "replayed", version: 1 } as const;
    expect(await catalogue.begin(draft)).toEqual({ ...replayed, state: "pending" });
    await catalogue.publish(header.saleId, 1);
    expect(await catalogue.begin(draft)).toEqual({ ...replayed, state: "published" });
    const second = draftOf(header, { baseVersion: 1, idempotencyKey: "k-2", fingerprint: "f-1" });
    await begun(the(), second);
    await catalogue.abandon(header.saleId, 2);
    const abandoned = { kind: "replayed", version: 2, state: "abandoned" } as const;
    expect(await catalogue.begin(second)).toEqual(abandoned);
  });

  test("a key with another fingerprint is a mismatch, whatever became of the version", async () => {
    const { catalogue } = the();
    const header = headerOf();
    const draft = draftOf(header, { idempotencyKey: "k", fingerprint: "f-1" });
    await begun(the(), draft);
    const other = { ...draft, fingerprint: "f-2" };
    expect(await catalogue.begin(other)).toEqual({ kind: "idempotency_mismatch" });
    await catalogue.publish(header.saleId, 1);
    expect(await catalogue.begin(other)).toEqual({ kind: "idempotency_mismatch" });
  });

  test("one key on two sales is two keys", async () => {
    const key = { idempotencyKey: "shared", fingerprint: "f" };
    expect(await begun(the(), draftOf(headerOf(), key))).toBe(1);
    expect(await begun(the(), draftOf(headerOf(), key))).toBe(1);
  });
}

function listFacts(the: () => ControlStores): void {
  test("lists show published sales, newest start first, in pages without gaps", async () => {
    const { catalogue } = the();
    const merchantId = "mer_pages";
    const starts = [5, 3, 9, 3, 3, 7, 1].map((start) => 10_000_000_000 + start);
    const headers = starts.map((startsAtMs) => headerOf({ merchantId, startsAtMs }));
    for (const header of headers) await published(the(), draftOf(header));
    await begun(the(), draftOf(headerOf({ merchantId, startsAtMs: 99_000_000_000 })));

    const seen: string[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await catalogue.sales({
        merchantId,
        limit: 2,
        ...(after === undefined ? {} : { after }),
      });
      seen.push(...page.map((sale) => sale.saleId));
      after = page.at(-1)?.saleId;
      if (page.length < 2) break;
    }
    const expected = headers
      .toSorted((a, b) => b.startsAtMs - a.startsAtMs || (a.saleId < b.saleId ? 1 : -1))
      .map((header) => header.saleId);
    expect(seen).toEqual(expected);

    const everyone = await catalogue.sales({ limit: 1_000 });
    const mine = everyone.filter((sale) => sale.merchantId === merchantId);
    expect(mine.map((sale) => sale.saleId)).toEqual(expected);
    expect(everyone.length).toBeGreaterThan(mine.length);
    expect(await catalogue.sales({ merchantId: "mer_nobody", limit: 10 })).toEqual([]);
  });

  test("the sum of versions grows by what is published, and by nothing else", async () => {
    const { catalogue } = the();
    const start = await catalogue.versionSum();
    const grown = async () => (await catalogue.versionSum()) - start;
    const header = headerOf();
    const { saleId } = header;
    const version = await begun(the(), draftOf(header));
    expect(await grown()).toBe(0);
    await catalogue.publish(saleId, version);
    expect(await grown()).toBe(1);
    await catalogue.abandon(saleId, await begun(the(), draftOf(header, { baseVersion: 1 })));
    expect(await grown()).toBe(1);
    await published(the(), draftOf(header, { baseVersion: 1 }));
    expect((await catalogue.sale(saleId))?.version).toBe(3);
    expect(await grown()).toBe(3);
    await published(the(), draftOf(headerOf()));
    expect(await grown()).toBe(4);
  });

  test("SKUs are listed in the order of their bytes", async () => {
    const { catalogue } = the();
    const header = headerOf();
    const names = ["b", "B", "a-1", "a.1", "a_1", "a1", "_", "-", "10", "9"];
    const changes = names.map((name) => skuNamed(name));
    await published(the(), draftOf(header, { changes }));
    const listed = (await catalogue.skus(header.saleId)).map((sku) => sku.sku);
    expect(listed).toEqual(names.toSorted());
  });

  test("SKUs that are read while a version is published are all of one version", async () => {
    const { catalogue } = the();
    const header = headerOf();
    const all = (stock: number) =>
      Array.from({ length: 3 * SKUS_A_TURN }, (_, index) => skuNamed(`sku-${index}`, { stock }));
    await published(the(), draftOf(header, { changes: all(1) }));
    for (const stock of [2, 3, 4]) {
      const draft = draftOf(header, { baseVersion: stock - 1, changes: all(stock) });
      const version = await begun(the(), draft);
      const reads = [catalogue.skus(header.saleId), catalogue.skus(header.saleId)];
      // One read under way, another that begins with the publish.
      const [first] = await Promise.all([reads[0], catalogue.publish(header.saleId, version)]);
      for (const skus of [first ?? [], (await reads[1]) ?? []]) {
        expect(skus.length).toBe(3 * SKUS_A_TURN);
        expect(new Set(skus.map((sku) => sku.stock)).size).toBe(1);
      }
      expect((await catalogue.skus(header.saleId))[0]?.stock).toBe(stock);
    }
  });

  test("an unknown sale is null and has no SKUs", async () => {
    const { catalogue } = the();
    expect(await catalogue.sale("no-such-sale")).toBeNull();
    expect(await catalogue.skus("no-such-sale")).toEqual([]);
    expect(await catalogue.publish("no-such-sale", 1)).toBe(false);
    expect(await catalogue.abandon("no-such-sale", 1)).toBe(false);
  });
}

function sizeFacts(the: () => ControlStores): void {
  test("a sale of 100,000 SKUs is published in one statement, and changed whole", async () => {
    const { catalogue } = the();
    const header = headerOf();
    const all = (stock: number) =>
      Array.from({ length: 100_000 }, (_, index) =>
        skuNamed(`sku-${String(index).padStart(6, "0")}`, { stock }),
      );
    const startMs = performance.now();
    await published(the(), draftOf(header, { changes: all(10) }));
    await published(the(), draftOf(header, { baseVersion: 1, changes: all(11) }));
    const listed = await catalogue.skus(header.saleId);
    expect(performance.now() - startMs).toBeLessThan(30_000);
    expect(listed.length).toBe(100_000);
    expect(listed.every((sku) => sku.stock === 11)).toBe(true);
    expect(listed.at(-1)).toEqual(skuNamed("sku-099999", { stock: 11 }));
  }, 60_000);
}
