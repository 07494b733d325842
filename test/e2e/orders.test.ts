// What becomes of holds and orders when shoppers, merchants and cards do the unusual (design §5, §9).

import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { expectBooksAgree, ordersOf } from "../support/audit.ts";
import { codeOf } from "../support/history.ts";
import type { Answer } from "../support/raw-client.ts";
import { checkoutCall, holdIn, orderIn, type Shopper } from "../support/shoppers.ts";
import { MODES, startWorld, until, type World } from "../support/world.ts";

const IS_LONG = process.env["FAULTS_LONG"] === "1";

describe.each(MODES)("%s", (mode) => {
  let world: World;
  beforeAll(async () => {
    // A slow card is slow only where no event tells its end before its answer.
    world = await startWorld(mode, { events: false });
  }, 60_000);
  afterAll(() => world.stop(), 60_000);

  test("a hold does not lapse at its first deadline while its payment is under way", async () => {
    await open(world, "slow", { holdFor: "5s" });
    const shopper = await holder(world, "slow", "slow-payer", 1);
    await Bun.sleep(3_000);
    const paid = await buy(shopper, "slow", { shoe: 1 }, { card: "tok_slow" });
    expect(paid.status).toBe(201);
    expect(await counts(world, "slow")).toEqual({ available: 9, held: 0, sold: 1 });
  }, 20_000);

  test("after a decline another card buys the same hold; the first key stays declined", async () => {
    await open(world, "cards");
    const shopper = await holder(world, "cards", "two-cards", 2);
    const declined = await buy(shopper, "cards", { shoe: 2 }, { card: "tok_declined", key: "a" });
    expect(`${declined.status}${codeOf(declined)}`).toBe("402 payment_declined");
    expect(await counts(world, "cards")).toEqual({ available: 8, held: 2, sold: 0 });
    const paid = await buy(shopper, "cards", { shoe: 2 }, { key: "b" });
    expect(paid.status).toBe(201);
    const again = await buy(shopper, "cards", { shoe: 2 }, { card: "tok_declined", key: "a" });
    expect({ status: again.status, order: orderIn(again).orderId }).toEqual({
      status: 402,
      order: orderIn(declined).orderId,
    });
    await expectBooksAgree(world, "cards");
  });

  test("an order with a line that is not held fails whole and leaves the other hold open", async () => {
    await open(world, "pairs");
    const shopper = await holder(world, "pairs", "half", 1);
    const refused = await buy(shopper, "pairs", { shoe: 1, hat: 1 });
    expect(`${refused.status}${codeOf(refused)}`).toBe("409 hold_lapsed");
    expect(JSON.parse(refused.body)).toMatchObject({ skus: ["hat"] });
    const changed = await buy(shopper, "pairs", { shoe: 2 }, { key: "b" });
    expect(`${changed.status}${codeOf(changed)}`).toBe("409 hold_changed");
    await until("the hold is open again", async () => {
      return (await shopper.cart()).holds[0]?.state === "open";
    });
    expect((await shopper.hold("pairs", "hat", 1)).status).toBe(201);
    const paid = await buy(shopper, "pairs", { shoe: 1, hat: 1 }, { key: "c" });
    expect(orderIn(paid)).toMatchObject({ status: "paid", total: { amountMinor: 2_000 } });
    await expectBooksAgree(world, "pairs");
  }, 30_000);

  test("while it is paying a hold keeps its quantity and belongs to one order", async () => {
    await open(world, "busy");
    const shopper = await holder(world, "busy", "fiddler", 1);
    const paying = buy(shopper, "busy", { shoe: 1 }, { card: "tok_slow", key: "a" });
    await until("the hold is paying", async () => {
      return (await shopper.cart()).holds[0]?.state === "paying";
    });
    const same = await shopper.hold("busy", "shoe", 1);
    expect({ status: same.status, state: holdIn(same).state }).toEqual({
      status: 200,
      state: "paying",
    });
    const refusals = [
      await shopper.hold("busy", "shoe", 2),
      await shopper.giveBack("busy", "shoe"),
      await buy(shopper, "busy", { shoe: 1 }, { key: "b" }),
    ];
    const heard = refusals.map((answer) => `${answer.status}${codeOf(answer)}`);
    expect(heard).toEqual(["409 in_checkout", "409 in_checkout", "409 in_checkout"]);
    expect((await paying).status).toBe(201);
    await expectBooksAgree(world, "busy");
  }, 20_000);

  test.each([
    ["pause", "paused"],
    ["end", "ended"],
  ])("%s refuses new and larger holds only; what is held can be bought", async (change, code) => {
    await open(world, change);
    const shopper = await holder(world, change, "early", 2);
    const leaver = await holder(world, change, "leaver", 1);
    expect((await world.admin("POST", `/sales/${change}/${change}`)).status).toBe(200);
    const late = await world.shopper("late");
    const heard = [
      await late.hold(change, "shoe", 1),
      await shopper.hold(change, "shoe", 3),
      await shopper.hold(change, "shoe", 2),
      await shopper.hold(change, "shoe", 1),
      await leaver.giveBack(change, "shoe"),
      await buy(shopper, change, { shoe: 1 }),
    ].map((answer) => `${answer.status}${codeOf(answer)}`);
    expect(heard).toEqual([`403 ${code}`, `403 ${code}`, "200", "200", "204", "201"]);
    await expectBooksAgree(world, change);
    if (change !== "pause") return;
    expect((await world.admin("POST", "/sales/pause/resume")).status).toBe(200);
    expect((await late.hold(change, "shoe", 1)).status).toBe(201);
  });

  test("I5, I10: a cancelled order's units and money go back once", async () => {
    await open(world, "cancels");
    const shopper = await holder(world, "cancels", "regrets", 2);
    const { orderId } = orderIn(await buy(shopper, "cancels", { shoe: 2 }));
    const cancel = { method: "POST", path: `/v1/orders/${orderId}/cancel` };
    const answers = await Promise.all(Array.from({ length: 20 }, () => shopper.settle(cancel)));
    for (const { status, body } of answers) expect(status, body).toBeOneOf([200, 202, 409]);
    await until("it is refunded", async () =>
      (await ordersOf(world, "cancels")).every(({ status }) => status === "refunded"),
    );
    expect(await counts(world, "cancels")).toEqual({ available: 10, held: 0, sold: 0 });
    const { charges } = await expectBooksAgree(world, "cancels");
    expect(charges.find((charge) => charge.orderId === orderId)).toMatchObject({
      amountMinor: 2_000,
      refundedMinor: 2_000,
    });
  });

  // The shortest pay window is a minute, so this takes longer than a change should wait for.
  test.if(IS_LONG)(
    "I10: late money buys what is there or is refunded (skipped: but for FAULTS_LONG=1, a minute)",
    async () => {
      await open(world, "late", { holdFor: "5s", payWithin: "1m", stock: 1 });
      await open(world, "kept", { holdFor: "5s", payWithin: "1m", stock: 1 });
      const lucky = await holder(world, "kept", "lucky", 1);
      const unlucky = await holder(world, "late", "unlucky", 1);
      expect((await unlucky.hold("late", "hat", 1)).status).toBe(201);
      const card = "tok_late_ok";
      const first = lucky.settle(checkoutOf("kept", { shoe: 1 }, { card, key: "a" }));
      const second = unlucky.settle(checkoutOf("late", { shoe: 1, hat: 1 }, { card, key: "a" }));
      expect([(await first).status, (await second).status]).toEqual([202, 202]);

      const other = await world.shopper("other");
      await until(
        "the hold lapses",
        async () => {
          return (await counts(world, "late")).available === 1;
        },
        75_000,
      );
      expect((await other.hold("late", "shoe", 1)).status).toBe(201);
      expect((await buy(other, "late", { shoe: 1 })).status).toBe(201);
      const statusOf = async (sale: string, shopper: string) =>
        (await ordersOf(world, sale)).find((row) => row.shopper_id === shopper)?.status;
      await until(
        "what is there is paid",
        async () => {
          return (await statusOf("kept", "lucky")) === "paid";
        },
        60_000,
      );
      await until(
        "what is gone is refunded",
        async () => {
          return (await statusOf("late", "unlucky")) === "refunded";
        },
        60_000,
      );
      await expectBooksAgree(world, "kept");
      const { skus } = await expectBooksAgree(world, "late");
      expect(skus.find(({ sku }) => sku === "hat")).toMatchObject({ available: 1, sold: 0 });
    },
    240_000,
  );
});

type Wish = { readonly holdFor?: string; readonly payWithin?: string; readonly stock?: number };

function open(world: World, sale: string, { stock = 10, ...times }: Wish = {}): Promise<void> {
  const skus = ["shoe", "hat"].map((sku) => ({ sku, stock, limit: 5 }));
  return world.openSale({ sale, skus, ...times });
}

async function holder(world: World, sale: string, id: string, units: number): Promise<Shopper> {
  const shopper = await world.shopper(`${sale}-${id}`.replace(/^(late|kept)-/, ""));
  expect((await shopper.hold(sale, "shoe", units)).status).toBe(201);
  return shopper;
}

type Payment = { readonly card?: string; readonly key?: string };

function wishOf(sale: string, units: Readonly<Record<string, number>>, payment: Payment) {
  const lines = Object.entries(units).map(([sku, quantity]) => ({ sku, quantity }));
  return { sale, lines, card: payment.card ?? "tok_ok", key: payment.key ?? "a" };
}

function checkoutOf(sale: string, units: Readonly<Record<string, number>>, payment: Payment) {
  return checkoutCall(wishOf(sale, units, payment));
}

function buy(
  shopper: Shopper,
  sale: string,
  units: Readonly<Record<string, number>>,
  payment: Payment = {},
): Promise<Answer> {
  return shopper.checkout(wishOf(sale, units, payment));
}

async function counts(world: World, sale: string) {
  const { available, held, sold } = await world.counts(sale, "shoe");
  return { available, held, sold };
}
