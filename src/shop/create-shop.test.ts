import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { intercepted } from "../../test/support/intercept.ts";
import {
  bodyOf,
  fileOf,
  hold,
  MERCHANT,
  openSale,
  OTHER,
  skuOf,
  startTestShop,
  type TestShop,
} from "../../test/support/test-shop.ts";
import { Fault } from "../core/errors.ts";
import { PASSWORD_QUEUE_MAX, REQUEST_DEADLINE_MS } from "../core/limits.ts";
import { levelOf } from "../core/sale/level.ts";
import { createShop } from "./create-shop.ts";
import { SaleDirectory } from "./directory.ts";
import { sha256Of } from "./fingerprint.ts";
import { PasswordQueue } from "./password-queue.ts";
import { sweepLoop } from "./sweep-loop.ts";

let shop: TestShop;

beforeAll(async () => {
  shop = await startTestShop();
});

afterAll(async () => {
  await shop.close();
});

describe("accounts", () => {
  test("an e-mail signs up once, whatever its case", async () => {
    const created = await shop.shop.signUp({ email: " Asha@Example.com ", password: "secret-1" });
    expect(created.kind).toBe("created");
    const again = { email: "asha@example.COM", password: "secret-2" };
    expect(await shop.shop.signUp(again)).toEqual({ kind: "email_taken" });
    const asha = { email: "ASHA@example.com", password: "secret-1" };
    expect(await shop.shop.signIn(asha)).toMatchObject({ kind: "signed_in" });
  });

  test("a wrong e-mail is verified like a wrong password, and answered alike", async () => {
    let verified = 0;
    const { passwords } = shop.ports;
    const counted = createShop({
      ...shop.ports,
      passwords: {
        hash: (password) => passwords.hash(password),
        verify: (password, hash) => {
          verified++;
          return passwords.verify(password, hash);
        },
      },
    });
    await counted.signUp({ email: "ravi@example.com", password: "right" });
    const wrong = { kind: "wrong_credentials" } as const;
    expect(await counted.signIn({ email: "ravi@example.com", password: "wrong" })).toEqual(wrong);
    expect(await counted.signIn({ email: "nobody@example.com", password: "wrong" })).toEqual(wrong);
    expect(verified).toBe(2);
  });

  test("an API key is known by its SHA-256, and asked for again after ten seconds", async () => {
    const merchant = { merchantId: "mer_9", name: "Nine" };
    const key = (digit: string): string => `dbk_${digit.repeat(43)}`;
    const keySha256 = sha256Of(key("9"));
    await shop.ports.accounts.createMerchant({ merchant, role: "merchant", keySha256 });
    let asked = 0;
    const ports = intercepted(shop.ports, (name, call) => {
      if (name === "accounts.merchantByKey") asked++;
      return call();
    });
    const counted = createShop(ports);
    expect(await counted.merchantOfKey(key("8"))).toBeNull();
    expect(await counted.merchantOfKey(key("9"))).toMatchObject({ merchantId: "mer_9" });
    await counted.merchantOfKey(key("9"));
    expect(asked).toBe(2);
    shop.pass(10_000);
    await counted.merchantOfKey(key("9"));
    expect(asked).toBe(3);
    for (const other of ["key-9", key("9").slice(1), `${key("9")}9`, key("="), ` ${key("9")}`]) {
      expect(await counted.merchantOfKey(other)).toBeNull();
    }
    expect(asked).toBe(3);
  });
});

describe("the password queue", () => {
  test("hashes one at a time, and refuses more than may wait", async () => {
    let running = 0;
    const gate = Promise.withResolvers<void>();
    const hash = async (): Promise<string> => {
      expect(++running).toBe(1);
      await gate.promise;
      running--;
      return "hashed";
    };
    const queue = new PasswordQueue({ hash, verify: async () => true }, shop.ports.runtime.clock);
    const waiting = Array.from({ length: PASSWORD_QUEUE_MAX + 1 }, () => queue.hash("secret"));
    const refused = await queue.hash("secret").catch((thrown: unknown) => thrown);
    expect((refused as Fault).code).toBe("busy");
    gate.resolve();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["hashed"]));
    expect(await queue.hash("secret")).toBe("hashed");
  });

  test("does not hash for a request that has ended", async () => {
    const gate = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    let hashed = 0;
    const hash = async (): Promise<string> => {
      hashed++;
      started.resolve();
      await gate.promise;
      return "hashed";
    };
    const queue = new PasswordQueue({ hash, verify: async () => true }, shop.ports.runtime.clock);
    const first = queue.hash("secret");
    const late = queue.hash("secret").catch((thrown: unknown) => thrown);
    await started.promise;
    shop.pass(REQUEST_DEADLINE_MS + 1);
    gate.resolve();
    expect(await first).toBe("hashed");
    expect(((await late) as Fault).code).toBe("busy");
    expect(hashed).toBe(1);
  });
});

describe("levels", () => {
  const rows = [
    ["available", { released: 100, available: 11, held: 0 }],
    ["low", { released: 100, available: 10, held: 50 }],
    ["low", { released: 3, available: 1, held: 0 }],
    ["all_held", { released: 100, available: 0, held: 1 }],
    ["sold_out", { released: 100, available: 0, held: 0 }],
    ["sold_out", { released: 0, available: 0, held: 0 }],
  ] as const;
  test.each(rows)("%s: %o", (level, counts) => {
    expect(levelOf(counts)).toBe(level);
  });

  test("are paged by name, counted once for all who look, and fresh after half a second", async () => {
    const names = ["a", "b", "c", "d", "e"];
    await openSale(
      shop,
      "levels",
      names.map((name) => skuOf(name, { stock: 1 })),
    );
    let counted = 0;
    const ports = intercepted(shop.ports, (name, call) => {
      if (name === "stock.counts") counted++;
      return call();
    });
    const counting = createShop(ports);
    const levels = (...asked: Parameters<typeof counting.levels>) => counting.levels(...asked);
    const sale = counting.directory.sale("levels")!;
    const first = await levels(sale, { limit: 2 });
    expect(first.items.map(({ sku }) => sku)).toEqual(["a", "b"]);
    const last = await levels(sale, { after: "d", limit: 2 });
    expect(last).toMatchObject({ items: [{ sku: "e", level: "low" }], next: null });
    expect((await levels(sale, { after: first.next ?? "", limit: 3 })).next).toBeNull();
    expect(counted).toBe(3);

    await hold(shop, "levels", { shopper: "asha", sku: "a", quantity: 1 });
    await Promise.all([1, 2, 3].map(() => levels(sale, { limit: 2 })));
    expect(counted).toBe(3);
    shop.pass(500);
    const fresh = await levels(sale, { limit: 2 });
    expect(fresh.items[0]).toMatchObject({ sku: "a", level: "all_held" });
  });
});

describe("what a merchant sees", () => {
  test("a report counts units and orders, for its own merchant only", async () => {
    await openSale(shop, "report", [skuOf("shoe"), skuOf("sock")]);
    await hold(shop, "report", { shopper: "asha", sku: "shoe", quantity: 2 });
    await hold(shop, "report", { shopper: "ravi", sku: "shoe", quantity: 1 });
    const request = bodyOf("report", "tok_ok", { shoe: 2 });
    await shop.shop.checkout({ shopper: "asha", idempotencyKey: "k", request });
    const report = await shop.shop.report(MERCHANT, "report");
    expect(report?.skus).toMatchObject([
      { sku: "shoe", released: 10, available: 7, held: 1, sold: 2 },
      { sku: "sock", available: 10 },
    ]);
    expect(report?.orders).toEqual({ paid: 1 });
    expect(await shop.shop.report(OTHER, "report")).toBeNull();
    const orders = await shop.shop.ordersOfSale(MERCHANT, { saleId: "report", limit: 10 });
    expect(orders).toMatchObject({ items: [{ shopperId: "asha" }], next: null });
    expect(await shop.shop.ordersOfSale(OTHER, { saleId: "report", limit: 10 })).toBeNull();
  });

  test("explain tells a SKU's own events in order, page by page", async () => {
    await openSale(shop, "story", [skuOf("shoe"), skuOf("sock")]);
    const asha = { shopper: "asha", sku: "shoe" };
    await hold(shop, "story", { ...asha, quantity: 2 });
    await hold(shop, "story", { shopper: "ravi", sku: "sock", quantity: 1 });
    await hold(shop, "story", { ...asha, quantity: 1 });
    const ref = shop.shop.directory.sku("story", "shoe")!;
    await shop.stock.ask(ref, { kind: "give_back", shopper: "asha" });
    const kinds: string[] = [];
    let afterSeq = 0;
    // The ledger follows the journal; ask until it has told the last of it.
    while (kinds.at(-1) !== "given_back") {
      const request = { saleId: "story", sku: "shoe", afterSeq, limit: 1 };
      const page = await shop.shop.explain(MERCHANT, request);
      kinds.push(...page!.events.map(({ event }) => event.kind));
      afterSeq = page!.next ?? afterSeq;
      await shop.ports.runtime.pause(1);
    }
    expect(kinds).toEqual(["configured", "held", "changed", "given_back"]);
    const theirs = { saleId: "story", sku: "shoe", afterSeq: 0, limit: 10 };
    expect(await shop.shop.explain(OTHER, theirs)).toBeNull();
  });

  test("its sales come with their states, newest start first", async () => {
    const at = shop.nowMs();
    for (const [index, saleId] of ["first", "second", "third"].entries()) {
      const startsAtMs = at + 10_000_000 + index * 1_000;
      const file = fileOf(shop, saleId, [skuOf("shoe")], {
        startsAtMs,
        endsAtMs: startsAtMs + 1_000,
      });
      await shop.shop.applySale({ merchant: OTHER, file, dryRun: false });
    }
    const page = await shop.shop.salesOf(OTHER, { limit: 2 });
    const states = [
      { saleId: "third", state: "scheduled" },
      { saleId: "second", state: "scheduled" },
    ];
    expect(page).toMatchObject({ items: states, next: "second" });
    const rest = await shop.shop.salesOf(OTHER, { limit: 2, after: "second" });
    expect(rest).toMatchObject({ items: [{ saleId: "first" }], next: null });
  });
});

describe("a sweep loop", () => {
  test("runs one sweep at a time, goes on after a fault, and stops after the last", async () => {
    const tasks: (() => void)[] = [];
    const tick = (): void => tasks[0]?.();
    let isEnded = false;
    const runtime = {
      ...shop.ports.runtime,
      every: (_: number, task: () => void) => {
        tasks.push(task);
        return () => {
          isEnded = true;
        };
      },
    };
    const sweeps: PromiseWithResolvers<void>[] = [];
    const sweep = (): Promise<void> => {
      const one = Promise.withResolvers<void>();
      sweeps.push(one);
      return one.promise;
    };
    const { log } = shop.ports;
    const loop = sweepLoop({ runtime, log, name: "test", everyMs: 1_000, sweep });
    loop.start();
    tick();
    tick();
    expect(sweeps.length).toBe(1);
    sweeps[0]?.reject(new Fault("store_unavailable", "away"));
    await Bun.sleep(0);
    tick();
    expect(sweeps.length).toBe(2);
    let isStopped = false;
    const stopped = loop.stop().then(() => {
      isStopped = true;
    });
    await Bun.sleep(0);
    expect([isEnded, isStopped]).toEqual([true, false]);
    sweeps[1]?.resolve();
    await stopped;
  });

  test("another shop on the same stores loads what this one published", async () => {
    await openSale(shop, "shared", [skuOf("shoe")]);
    const other = createShop({ ...shop.ports, directory: new SaleDirectory(4) });
    await other.load();
    expect(other.directory.sku("shared", "shoe")?.partition).toBe(
      shop.shop.directory.sku("shared", "shoe")?.partition as number,
    );
    other.start();
    await other.stop();
  });
});
