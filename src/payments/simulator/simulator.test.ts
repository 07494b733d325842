import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type EventReceiver, startEventReceiver } from "../../../test/support/event-receiver.ts";
import { Fault } from "../../core/errors.ts";
import type { Charge } from "../../core/ports/payments.ts";
import { HttpPaymentGateway } from "../http-gateway.ts";
import { generateWebhookSecret } from "../webhook.ts";
import type { BookEntry, BookTotals } from "./book.ts";
import { type Simulator, type SimulatorOptions, startSimulator } from "./simulator.ts";

const root = await mkdtemp(join(tmpdir(), "doorbuster-simulator-"));
const webhookSecret = generateWebhookSecret();
const paid = { kind: "paid", amountMinor: 4_200, refundedMinor: 0 } as const;
const payUntilMs = 1_000_000;

const clock = { nowMs: 0, wallMs: () => clock.nowMs, monotonicMs: () => performance.now() };
const running: { stop(): Promise<void> }[] = [];
let folderCount = 0;

afterEach(async () => {
  clock.nowMs = 0;
  for (const part of running.splice(0)) await part.stop();
});
afterAll(() => rm(root, { recursive: true }));

function newFolder(): string {
  folderCount += 1;
  return join(root, String(folderCount));
}

async function start(options: Partial<SimulatorOptions> = {}): Promise<Simulator> {
  const delays = { slowMs: 80, hangMs: 400, retryMs: 5, retryMsMax: 20, pollMs: 5 };
  const simulator = await startSimulator({ dataDir: newFolder(), delays, ...options });
  running.push(simulator);
  return simulator;
}

/** Stops before the end of the test: for what goes on after a restart. */
async function stopNow(part: { stop(): Promise<void> }): Promise<void> {
  running.splice(running.indexOf(part), 1);
  await part.stop();
}

function receive(options: { refuse?: (index: number) => boolean; port?: number } = {}) {
  const receiver = startEventReceiver({ secret: webhookSecret, ...options });
  running.push(receiver);
  return receiver;
}

function gatewayOf(simulator: Simulator, chargeDeadlineMs = 4_500): HttpPaymentGateway {
  return new HttpPaymentGateway({ url: simulator.url, chargeDeadlineMs });
}

function chargeOf(token: string, orderId = `ord_${token}`): Charge {
  return { orderId, amountMinor: 4_200, currency: "INR", token, payUntilMs };
}

async function totalsOf(simulator: Simulator): Promise<BookTotals> {
  return (await fetch(`${simulator.url}/v1/book/totals`)).json() as Promise<BookTotals>;
}

/** Asks until nothing is undelivered: a delivery is in the book a moment after it was received. */
async function allDelivered(simulator: Simulator): Promise<void> {
  while ((await totalsOf(simulator)).undeliveredEvents > 0) await Bun.sleep(2);
}

function times<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}

function idsOf(receiver: EventReceiver): string[] {
  return receiver.events.map(({ eventId }) => eventId);
}

describe("tokens", () => {
  test("tok_ok is paid, tok_declined and an unknown one are declined", async () => {
    const gateway = gatewayOf(await start());
    expect(await gateway.charge(chargeOf("tok_ok"))).toEqual(paid);
    expect(await gateway.charge(chargeOf("tok_declined"))).toEqual({ kind: "declined" });
    expect(await gateway.charge(chargeOf("tok_unheard_of"))).toEqual({ kind: "declined" });
  });

  test("tok_slow is paid late once; a repeat is not kept waiting", async () => {
    const gateway = gatewayOf(await start());
    const startedMs = performance.now();
    expect(await gateway.charge(chargeOf("tok_slow"))).toEqual(paid);
    const firstMs = performance.now() - startedMs;
    expect(firstMs).toBeGreaterThan(75);
    expect(await gateway.charge(chargeOf("tok_slow"))).toEqual(paid);
    expect(performance.now() - startedMs - firstMs).toBeLessThan(70);
  });

  test("tok_timeout_then_ok is not answered; an inquiry and a repeat say paid", async () => {
    const gateway = gatewayOf(await start(), 100);
    const fault = await gateway.charge(chargeOf("tok_timeout_then_ok")).catch((thrown) => thrown);
    expect(fault).toBeInstanceOf(Fault);
    expect(await gateway.inquire("ord_tok_timeout_then_ok")).toEqual(paid);
    expect(await gateway.charge(chargeOf("tok_timeout_then_ok"))).toEqual(paid);
  });

  test("tok_event_twice sends one event two times, under one id", async () => {
    const receiver = receive();
    const simulator = await start({ webhookSecret, webhookUrl: receiver.url });
    await gatewayOf(simulator).charge(chargeOf("tok_event_twice"));
    await receiver.received(2);
    await allDelivered(simulator);
    expect(idsOf(receiver)).toEqual(times(2, "evt_paid_ord_tok_event_twice"));
  });

  test("tok_late_ok is pending until 5 s after the pay window, also over a restart", async () => {
    const dataDir = newFolder();
    const first = await start({ dataDir, clock });
    const charge = chargeOf("tok_late_ok");
    expect(await gatewayOf(first).charge(charge)).toEqual({ kind: "pending" });
    await stopNow(first);
    const gateway = gatewayOf(await start({ dataDir, clock }));
    clock.nowMs = payUntilMs + 4_999;
    expect(await gateway.charge(charge)).toEqual({ kind: "pending" });
    clock.nowMs += 1;
    expect(await gateway.inquire(charge.orderId)).toEqual(paid);
    expect(await gateway.void(charge.orderId)).toEqual(paid);
  });

  test("K3: tok_late_ok is paid when nobody asks, also when it fell due while away", async () => {
    const dataDir = newFolder();
    const first = await start({ dataDir, clock });
    await gatewayOf(first).charge(chargeOf("tok_late_ok"));
    await stopNow(first);
    clock.nowMs = payUntilMs + 5_000;
    const simulator = await start({ dataDir, clock });
    while ((await totalsOf(simulator)).states.paid === 0) await Bun.sleep(2);
    expect((await totalsOf(simulator)).states.pending).toBe(0);
  });

  test("tok_late_ok that was voided is never paid", async () => {
    const gateway = gatewayOf(await start({ clock }));
    const charge = chargeOf("tok_late_ok");
    await gateway.charge(charge);
    expect(await gateway.void(charge.orderId)).toEqual({ kind: "voided" });
    clock.nowMs = payUntilMs + 60_000;
    expect(await gateway.inquire(charge.orderId)).toEqual({ kind: "voided" });
    expect(await gateway.charge(charge)).toEqual({ kind: "voided" });
  });
});

describe("once (I4)", () => {
  test("one order charged 200 times at once is charged once, with one answer", async () => {
    const simulator = await start();
    const gateway = gatewayOf(simulator);
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => gateway.charge(chargeOf("tok_ok", "ord_same"))),
    );
    expect(answers).toEqual(times(200, paid));
    const totals = await totalsOf(simulator);
    expect(totals.states).toEqual({ pending: 0, paid: 1, declined: 0, voided: 0 });
    expect(totals.currencies).toEqual({ INR: { chargedMinor: 4_200, refundedMinor: 0 } });
  });

  test("the same order with another amount or currency is 409 and changes nothing", async () => {
    const simulator = await start();
    const gateway = gatewayOf(simulator);
    await gateway.charge(chargeOf("tok_ok", "ord_same"));
    for (const change of [{ amountMinor: 4_201 }, { currency: "JPY" }]) {
      const body = JSON.stringify({ ...chargeOf("tok_ok", "ord_same"), ...change });
      const response = await fetch(`${simulator.url}/v1/charges`, { method: "POST", body });
      expect(response.status).toBe(409);
      expect(await response.json()).toMatchObject({ code: "amount_mismatch" });
    }
    expect(await gateway.inquire("ord_same")).toEqual(paid);
  });

  test("void and charge at once, either way round: one of them wins, for everyone", async () => {
    const simulator = await start();
    const gateway = gatewayOf(simulator);
    const ends = new Set<string>();
    for (let round = 0; round < 100; round += 1) {
      const orderId = `ord_race_${round}`;
      const calls = [
        () => gateway.charge(chargeOf("tok_ok", orderId)),
        () => gateway.void(orderId),
      ];
      if (round % 2 === 1) calls.reverse();
      const answers = await Promise.all(calls.map((call) => call()));
      const end = await gateway.inquire(orderId);
      expect(answers).toEqual([end, end]);
      ends.add(end.kind);
    }
    expect([...ends].sort()).toEqual(["paid", "voided"]);
  });

  test("void first, charge after: voided; charge first, void after: paid", async () => {
    const gateway = gatewayOf(await start());
    expect(await gateway.void("ord_v")).toEqual({ kind: "voided" });
    expect(await gateway.charge(chargeOf("tok_ok", "ord_v"))).toEqual({ kind: "voided" });
    expect(await gateway.charge(chargeOf("tok_ok", "ord_c"))).toEqual(paid);
    expect(await gateway.void("ord_c")).toEqual(paid);
  });

  test("100 refunds at once refund once, and the whole amount", async () => {
    const simulator = await start();
    const gateway = gatewayOf(simulator);
    await gateway.charge(chargeOf("tok_ok", "ord_r"));
    const answers = await Promise.all(Array.from({ length: 100 }, () => gateway.refund("ord_r")));
    expect(answers).toEqual(times(100, { ...paid, refundedMinor: 4_200 }));
    const totals = await totalsOf(simulator);
    expect(totals.currencies).toEqual({ INR: { chargedMinor: 4_200, refundedMinor: 4_200 } });
    expect(totals.refundCount).toBe(1);
  });

  test("an order nobody charged is not_found, for an inquiry and for a refund", async () => {
    const gateway = gatewayOf(await start());
    expect(await gateway.inquire("ord_none")).toEqual({ kind: "not_found" });
    expect(await gateway.refund("ord_none")).toEqual({ kind: "not_found" });
  });
});

describe("events", () => {
  test("paid, declined and refunded are told, signed, each under its id", async () => {
    const receiver = receive();
    const simulator = await start({ webhookSecret, webhookUrl: receiver.url });
    const gateway = gatewayOf(simulator);
    await gateway.charge(chargeOf("tok_ok", "ord_a"));
    await gateway.charge(chargeOf("tok_declined", "ord_b"));
    await gateway.refund("ord_a");
    await receiver.received(3);
    await allDelivered(simulator);
    expect(receiver.refusedCount).toBe(0);
    expect(idsOf(receiver).sort()).toEqual([
      "evt_declined_ord_b",
      "evt_paid_ord_a",
      "evt_refunded_ord_a",
    ]);
  });

  test("C1: an event that is refused comes again until it is taken", async () => {
    const receiver = receive({ refuse: (index) => index < 4 });
    const simulator = await start({ webhookSecret, webhookUrl: receiver.url });
    await gatewayOf(simulator).charge(chargeOf("tok_ok"));
    await receiver.received(1);
    await allDelivered(simulator);
    expect(receiver.refusedCount).toBe(4);
    expect(idsOf(receiver)).toEqual(["evt_paid_ord_tok_ok"]);
  });

  test("events that nobody took are in the book and delivered after a restart", async () => {
    const dataDir = newFolder();
    const gone = receive();
    await stopNow(gone);
    const first = await start({ dataDir, webhookSecret, webhookUrl: gone.url });
    const gateway = gatewayOf(first);
    const orderIds = Array.from({ length: 600 }, (_, index) => `ord_e${index}`);
    await Promise.all(orderIds.map((orderId) => gateway.charge(chargeOf("tok_ok", orderId))));
    expect((await totalsOf(first)).undeliveredEvents).toBe(600);
    await stopNow(first);

    const receiver = receive();
    const second = await start({ dataDir, webhookSecret });
    expect((await totalsOf(second)).undeliveredEvents).toBe(600);
    second.deliverTo(receiver.url);
    await receiver.received(600);
    await allDelivered(second);
    expect(new Set(idsOf(receiver))).toEqual(new Set(orderIds.map((id) => `evt_paid_${id}`)));
  });

  test("a receiver that hangs holds up neither charges nor the stop", async () => {
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const webhookUrl = `http://127.0.0.1:${listener.port}/`;
    const simulator = await start({ webhookSecret, webhookUrl });
    const gateway = gatewayOf(simulator);
    for (let order = 0; order < 50; order += 1) {
      expect(await gateway.charge(chargeOf("tok_ok", `ord_h${order}`))).toEqual(paid);
    }
    const startedMs = performance.now();
    await stopNow(simulator);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    listener.stop(true);
  });
});

describe("HTTP", () => {
  test("the book lists every charge once, page by page, oldest first", async () => {
    const simulator = await start();
    const gateway = gatewayOf(simulator);
    for (let order = 0; order < 25; order += 1) {
      await gateway.charge(chargeOf("tok_ok", `ord_p${order}`));
    }
    await gateway.void("ord_unseen");
    const seen: BookEntry[] = [];
    for (let after: number | null = 0; after !== null;) {
      const response = await fetch(`${simulator.url}/v1/book?after=${after}&limit=10`);
      const page = (await response.json()) as { items: BookEntry[]; next: number | null };
      seen.push(...page.items);
      after = page.next;
    }
    expect(seen.map(({ orderId }) => orderId)).toEqual([
      ...Array.from({ length: 25 }, (_, order) => `ord_p${order}`),
      "ord_unseen",
    ]);
    expect(seen[0]).toMatchObject({ amountMinor: 4_200, currency: "INR", state: "paid" });
    expect(seen[25]).toMatchObject({ amountMinor: 0, state: "voided" });
  });

  test("bad requests are 400 with a code and change nothing", async () => {
    const simulator = await start();
    const good = chargeOf("tok_ok");
    const bodies = [
      "",
      "{",
      "null",
      JSON.stringify({ ...good, amountMinor: 1.5 }),
      JSON.stringify({ ...good, amountMinor: -1 }),
      JSON.stringify({ ...good, amountMinor: "4200" }),
      JSON.stringify({ ...good, amountMinor: 2 ** 53 }),
      JSON.stringify({ ...good, currency: "ZZZ" }),
      JSON.stringify({ ...good, orderId: "../x" }),
      JSON.stringify({ ...good, payUntilMs: null }),
      JSON.stringify({ ...good, note: "unknown field" }),
    ];
    for (const body of bodies) {
      const response = await fetch(`${simulator.url}/v1/charges`, { method: "POST", body });
      expect(response.status).toBe(400);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
    }
    const paths = ["/v1/book?limit=0", "/v1/book?after=x", "/v1/charges/a%2Fb", "/v1/nothing"];
    for (const path of paths) {
      const { status } = await fetch(`${simulator.url}${path}`);
      expect([400, 404]).toContain(status);
    }
    expect((await totalsOf(simulator)).states.paid).toBe(0);
  });

  test("stop answers what was taken on and cuts off what hangs", async () => {
    const simulator = await start({ delays: { hangMs: 60_000, slowMs: 60_000 } });
    const gateway = gatewayOf(simulator, 20_000);
    const calls = ["tok_timeout_then_ok", "tok_slow"].map((token) =>
      gateway.charge(chargeOf(token)).catch((thrown: unknown) => thrown),
    );
    while ((await totalsOf(simulator)).states.paid < 2) await Bun.sleep(2);
    const startedMs = performance.now();
    await stopNow(simulator);
    const [unanswered, slow] = await Promise.all(calls);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(unanswered).toBeInstanceOf(Fault);
    expect(slow instanceof Fault || Bun.deepEquals(slow, paid)).toBe(true);
  });
});
