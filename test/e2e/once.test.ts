// Requests that come many times over have one effect and one answer (I4).

import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { Webhook } from "standardwebhooks";

import { chargesOf, expectBooksAgree, ordersOf } from "../support/audit.ts";
import type { Answer } from "../support/raw-client.ts";
import { checkoutCall, holdCall, holdIn, orderIn, type Shopper } from "../support/shoppers.ts";
import { MODES, startWorld, until, WEBHOOK_SECRET, type World } from "../support/world.ts";

const AT_ONCE = 200;

describe.each(MODES)("%s", (mode) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(mode);
  }, 60_000);
  afterAll(() => world.stop(), 60_000);

  test("I4: the same PUT 200 times at once is one hold and one answer", async () => {
    await world.openSale({ sale: "puts", skus: [{ sku: "shoe", stock: 100 }] });
    const shopper = await world.shopper("eager");
    const answers = await atOnce(() => shopper.send(holdCall("puts", "shoe", 2)));
    const created = answers.filter(({ status }) => status === 201);
    const same = answers.filter(({ status }) => status === 200);
    expect([created.length, same.length]).toEqual([1, AT_ONCE - 1]);
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(await world.counts("puts")).toMatchObject({ available: 98, held: 2 });
  });

  test("I4, I10: the same checkout key 200 times at once is one order and one charge", async () => {
    await world.openSale({ sale: "keys", skus: [{ sku: "shoe", stock: 100 }] });
    const shopper = await world.shopper("clicker");
    expect((await shopper.hold("keys", "shoe", 2)).status).toBe(201);
    const call = checkoutCall({
      sale: "keys",
      lines: [{ sku: "shoe", quantity: 2 }],
      card: "tok_slow",
      key: "one",
    });
    const answers = await atOnce(() => shopper.send(call));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    const { orderId } = orderIn(answers[0]!);
    const charges = (await chargesOf(world)).filter((charge) => charge.orderId === orderId);
    expect(charges).toMatchObject([{ state: "paid", amountMinor: 2_000, refundedMinor: 0 }]);
    expect((await ordersOf(world, "keys")).map((row) => row.order_id)).toEqual([orderId]);

    const other = checkoutCall({
      sale: "keys",
      lines: [{ sku: "shoe", quantity: 1 }],
      card: "tok_slow",
      key: "one",
    });
    const mismatch = await shopper.settle(other);
    expect(mismatch.status).toBe(422);
    expect(JSON.parse(mismatch.body)).toMatchObject({ code: "idempotency_mismatch" });
    expect(await world.counts("keys")).toMatchObject({ available: 98, held: 0, sold: 2 });
  }, 30_000);

  test("I4: the same stock change twice, or 20 times at once, is made once", async () => {
    await world.openSale({ sale: "stocks", skus: [{ sku: "shoe", stock: 10 }] });
    const change = (key: string, delta: number) =>
      world.admin("POST", "/sales/stocks/skus/shoe/stock", { delta }, { "idempotency-key": key });
    const first = await change("more", 5);
    const second = await change("more", 5);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(await world.counts("stocks")).toMatchObject({ released: 15, available: 15 });

    const many = await Promise.all(Array.from({ length: 20 }, () => change("again", 7)));
    for (const { status, text } of many) expect(status, text).toBe(200);
    expect(await world.counts("stocks")).toMatchObject({ released: 22, available: 22 });
    expect((await change("again", 8)).status).toBe(422);
    expect(await world.counts("stocks")).toMatchObject({ released: 22, available: 22 });
  });

  test("I4, I10: payment events doubled and shuffled leave everything as it was", async () => {
    await world.openSale({ sale: "events", skus: [{ sku: "shoe", stock: 100 }] });
    const buyers = await world.shoppers(4, "payer");
    const orderIds = await Promise.all(buyers.map((buyer, index) => buyWith(buyer, CARDS[index]!)));
    const [, cancelled] = orderIds;
    const cancel = { method: "POST", path: `/v1/orders/${cancelled}/cancel` };
    expect((await buyers[1]!.settle(cancel)).status).toBeOneOf([200, 202]);
    await untilStatus(world, cancelled!, "refunded");
    const before = await expectBooksAgree(world, "events");

    const events = orderIds.flatMap((orderId) =>
      ["charge.paid", "charge.declined", "charge.refunded"].map((type) => ({ type, orderId })),
    );
    const doubled = [...events, ...events].map((event, index) => ({
      ...event,
      id: `evt-${index % events.length}`,
    }));
    const shuffled = doubled.sort((left, right) => order(left.id) - order(right.id));
    const statuses = await Promise.all(shuffled.map((event) => tell(world, event)));
    expect(new Set(statuses)).toEqual(new Set([204]));
    expect(
      await tell(world, { type: "charge.paid", orderId: orderIds[0]!, id: "x" }, "wrong"),
    ).toBe(401);

    const after = await expectBooksAgree(world, "events");
    expect(after).toEqual(before);
  }, 30_000);
});

const CARDS = ["tok_ok", "tok_ok", "tok_declined", "tok_event_twice"] as const;

async function atOnce(send: () => Promise<Answer | null>): Promise<Answer[]> {
  const answers = await Promise.all(Array.from({ length: AT_ONCE }, send));
  const heard = answers.filter((answer) => answer !== null);
  expect(heard.length).toBe(AT_ONCE);
  return heard;
}

async function buyWith(buyer: Shopper, card: string): Promise<string> {
  const held = holdIn(await buyer.hold("events", "shoe", 1));
  expect(held.quantity).toBe(1);
  const lines = [{ sku: "shoe", quantity: 1 }];
  const answer = await buyer.checkout({ sale: "events", lines, card, key: "k" });
  expect(answer.status).toBe(card === "tok_declined" ? 402 : 201);
  return orderIn(answer).orderId;
}

async function untilStatus(world: World, orderId: string, status: string): Promise<void> {
  await until(`order ${orderId} is ${status}`, async () =>
    (await ordersOf(world, "events")).some(
      (row) => row.order_id === orderId && row.status === status,
    ),
  );
}

/** A shuffle that is the same in each run. */
function order(id: string): number {
  return Bun.hash.crc32(`shuffle ${id}`);
}

async function tell(
  world: World,
  event: { readonly type: string; readonly orderId: string; readonly id: string },
  secret = "",
): Promise<number> {
  const data = { orderId: event.orderId, amountMinor: 1_000, currency: "INR" };
  const payload = JSON.stringify({ type: event.type, timestamp: new Date().toISOString(), data });
  const sentAt = new Date();
  const wrong = `whsec_${Buffer.from("x".repeat(32)).toString("base64")}`;
  const webhook = new Webhook(secret === "" ? WEBHOOK_SECRET : wrong);
  const response = await fetch(`${world.engine.url}/v1/payments/events`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": event.id,
      "webhook-timestamp": String(Math.floor(sentAt.getTime() / 1_000)),
      "webhook-signature": webhook.sign(event.id, sentAt, payload),
    },
    body: payload,
  });
  await response.body?.cancel();
  return response.status;
}
