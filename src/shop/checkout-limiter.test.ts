import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import {
  bodyOf,
  hold,
  openSale,
  skuOf,
  startTestShop,
  type TestShop,
} from "../../test/support/test-shop.ts";
import {
  CHECKOUT_FAILURES_MAX,
  CHECKOUT_FAILURES_MS,
  CHECKOUT_FAILURES_SHOPPERS_MAX,
} from "../core/limits.ts";
import { CheckoutLimiter } from "./checkout-limiter.ts";

function limiterAt(clock = { atMs: 0 }): CheckoutLimiter {
  return new CheckoutLimiter({ wallMs: () => clock.atMs, monotonicMs: () => clock.atMs });
}

function failOnce(limiter: CheckoutLimiter, shopper: string, key: string): void {
  const entered = limiter.enter(shopper, key);
  if (entered !== null) throw new Error(`refused for ${entered.retryAfterMs} ms`);
  limiter.failed(shopper);
  limiter.leave(shopper, key);
}

describe("the limit of checkouts that fail", () => {
  test("counts for a minute from the first failure, each shopper alone", () => {
    const clock = { atMs: 1_000 };
    const limiter = limiterAt(clock);
    for (let index = 0; index < CHECKOUT_FAILURES_MAX; index++) failOnce(limiter, "a", `${index}`);
    clock.atMs += 20_000;
    expect(limiter.enter("a", "k")).toEqual({ retryAfterMs: CHECKOUT_FAILURES_MS - 20_000 });
    expect(limiter.enter("b", "k")).toBeNull();
    clock.atMs += CHECKOUT_FAILURES_MS - 20_000;
    expect(limiter.enter("a", "k")).toBeNull();
  });

  test("counts checkouts under way with it, and one key once", () => {
    const limiter = limiterAt();
    for (let index = 0; index < 200; index++) expect(limiter.enter("a", "same")).toBeNull();
    for (let index = 1; index < CHECKOUT_FAILURES_MAX; index++) {
      expect(limiter.enter("a", `other-${index}`)).toBeNull();
    }
    expect(limiter.enter("a", "one-more")).not.toBeNull();
    expect(limiter.enter("a", "same")).toBeNull();
    limiter.leave("a", "other-1");
    expect(limiter.enter("a", "one-more")).toBeNull();
  });

  test("forgets who has left, and remembers a bounded number of shoppers", () => {
    const clock = { atMs: 0 };
    const limiter = limiterAt(clock);
    for (let index = 0; index < 5 * CHECKOUT_FAILURES_SHOPPERS_MAX; index++) {
      failOnce(limiter, `shopper-${index}`, "k");
      expect(limiter.size).toBeLessThanOrEqual(2 * CHECKOUT_FAILURES_SHOPPERS_MAX);
    }
    for (let minute = 0; minute < 3; minute++) {
      clock.atMs += CHECKOUT_FAILURES_MS;
      limiter.enter("late", "k");
      limiter.leave("late", "k");
    }
    expect(limiter.size).toBe(0);
  });

  test("a shopper who goes on failing is not forgotten with the others", () => {
    const clock = { atMs: 0 };
    const limiter = limiterAt(clock);
    for (let index = 0; index < CHECKOUT_FAILURES_MAX; index++) {
      failOnce(limiter, "a", `${index}`);
      for (let other = 0; other < CHECKOUT_FAILURES_SHOPPERS_MAX / 2; other++) {
        failOnce(limiter, `${index}-${other}`, "k");
      }
    }
    expect(limiter.enter("a", "k")).not.toBeNull();
  });
});

describe("a shop", () => {
  let shop: TestShop;
  beforeAll(async () => {
    shop = await startTestShop();
  });
  afterAll(() => shop.close());

  const buy = (shopper: string, key: string) => {
    const request = bodyOf("drop", "tok_ok", { shoe: 1 });
    return shop.shop.checkout({ shopper, idempotencyKey: key, request });
  };

  test("stores no more failed checkouts of one shopper, until the minute is over", async () => {
    await openSale(shop, "drop", [skuOf("shoe")]);
    const kinds: string[] = [];
    for (let index = 0; index < CHECKOUT_FAILURES_MAX + 40; index++) {
      kinds.push((await buy("a", `k-${index}`)).kind);
    }
    expect(kinds.filter((kind) => kind === "hold_lapsed").length).toBe(CHECKOUT_FAILURES_MAX);
    expect(kinds.filter((kind) => kind === "rate_limited").length).toBe(40);
    expect(await shop.ports.orders.countsOfSale("drop")).toEqual({ failed: CHECKOUT_FAILURES_MAX });
    expect((await buy("b", "k")).kind).toBe("hold_lapsed");

    shop.pass(CHECKOUT_FAILURES_MS);
    expect(await hold(shop, "drop", { shopper: "a", sku: "shoe", quantity: 1 })).toBe("held");
    expect((await buy("a", "paid")).kind).toBe("paid");
  });

  test("one key 200 times at once is one failure, and at once 200 keys are no more", async () => {
    const repeats = await Promise.all(Array.from({ length: 200 }, () => buy("c", "same")));
    expect(new Set(repeats.map(({ kind }) => kind))).toEqual(new Set(["hold_lapsed"]));
    const others = await Promise.all(Array.from({ length: 200 }, (_, key) => buy("c", `${key}`)));
    const failed = others.filter(({ kind }) => kind === "hold_lapsed");
    expect(failed.length).toBe(CHECKOUT_FAILURES_MAX - 1);
  });
});
