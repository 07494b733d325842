// The simulator as a real process: its configuration, its end, and SIGKILL under load.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startEventReceiver } from "../../../test/support/event-receiver.ts";
import { startSimulator } from "../../../test/support/servers.ts";
import { Fault } from "../../core/errors.ts";
import type { Charge, ChargeState, PaymentGateway } from "../../core/ports/payments.ts";
import { HttpPaymentGateway } from "../http-gateway.ts";
import { generateWebhookSecret } from "../webhook.ts";
import type { BookEntry, BookTotals } from "./book.ts";

const root = await mkdtemp(join(tmpdir(), "doorbuster-simulator-main-"));
const spawned: Bun.Subprocess[] = [];
afterAll(async () => {
  // Those of a test that failed half-way.
  for (const main of spawned) main.kill("SIGKILL");
  await rm(root, { recursive: true });
});

const MAIN = join(import.meta.dir, "main.ts");

function spawnMain(env: Record<string, string>) {
  const environment = { PATH: process.env["PATH"] ?? "", ...env };
  const main = Bun.spawn([process.execPath, MAIN], {
    env: environment,
    stdout: "pipe",
    stderr: "pipe",
  });
  spawned.push(main);
  return main;
}

describe("configuration", () => {
  const secret = generateWebhookSecret();
  const good = { DOORBUSTER_SIMULATOR_DATA_DIR: join(root, "config") };
  const url = "http://127.0.0.1:1/";
  const BAD: [string, Record<string, string>][] = [
    ["DOORBUSTER_SIMULATOR_DATA_DIR", { DOORBUSTER_SIMULATOR_DATA_DIR: "" }],
    ["DOORBUSTER_SIMULATOR_PORT", { DOORBUSTER_SIMULATOR_PORT: "65536" }],
    ["DOORBUSTER_SIMULATOR_PORT", { DOORBUSTER_SIMULATOR_PORT: "-1" }],
    ["DOORBUSTER_SIMULATOR_PORT", { DOORBUSTER_SIMULATOR_PORT: "http" }],
    ["DOORBUSTER_SIMULATOR_HOST", { DOORBUSTER_SIMULATOR_HOST: "a b" }],
    ["DOORBUSTER_SIMULATOR_WEBHOOK_URL", { DOORBUSTER_SIMULATOR_WEBHOOK_URL: "ftp://x/" }],
    ["DOORBUSTER_PAYMENT_WEBHOOK_SECRET", { DOORBUSTER_SIMULATOR_WEBHOOK_URL: url }],
    ["DOORBUSTER_PAYMENT_WEBHOOK_SECRET", { DOORBUSTER_PAYMENT_WEBHOOK_SECRET: secret.slice(1) }],
  ];
  for (const [name, env] of BAD) {
    const [[changed, value] = []] = Object.entries(env);
    const shown = changed?.endsWith("SECRET") ? "…" : value;
    test(`${changed}=${shown}: names ${name}, exits 2`, async () => {
      const main = spawnMain({ ...good, ...env });
      const message = await new Response(main.stderr).text();
      expect(await main.exited).toBe(2);
      expect(message).toStartWith(`${name}=`);
      expect(message).toContain("must be");
      expect(message).not.toContain(secret.slice(1));
    });
  }
});

test("prints its URL as one line of JSON; SIGTERM ends it with 0 and frees its book", async () => {
  const env = { DOORBUSTER_SIMULATOR_DATA_DIR: join(root, "life") };
  for (let life = 0; life < 2; life += 1) {
    const main = spawnMain(env);
    const reader = main.stdout.getReader();
    const { value } = await reader.read();
    const line = new TextDecoder().decode(value);
    expect(line).toEndWith("\n");
    const { url } = JSON.parse(line) as { url: string };
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    const gateway = new HttpPaymentGateway({ url });
    expect((await gateway.inquire("ord_kept")).kind).toBe(life === 0 ? "not_found" : "declined");
    await gateway.charge({ ...chargeOf("ord_kept"), token: "tok_declined" });
    main.kill("SIGTERM");
    expect(await main.exited).toBe(0);
  }
});

test("B3: a second process on the same book exits 2 and says why", async () => {
  const first = await startSimulator();
  const second = spawnMain({ DOORBUSTER_SIMULATOR_DATA_DIR: first.dataDir });
  const message = await new Response(second.stderr).text();
  expect(await second.exited).toBe(2);
  expect(message).toContain("another process has this book open");
  await first.stop();
});

function chargeOf(orderId: string): Charge {
  const payUntilMs = Date.now() + 600_000;
  return {
    orderId,
    amountMinor: 100 + (orderId.length % 7),
    currency: "INR",
    token: "tok_ok",
    payUntilMs,
  };
}

type Question = { readonly call: keyof PaymentGateway; readonly charge: Charge };

function put(gateway: PaymentGateway, { call, charge }: Question): Promise<ChargeState> {
  return call === "charge" ? gateway.charge(charge) : gateway[call](charge.orderId);
}

/** What the last answer about an order was, and questions that were cut off. */
type Heard = {
  readonly answers: Map<string, ChargeState>;
  readonly unanswered: Question[];
  readonly charges: Map<string, Charge>;
};

/** One shopper after another, until the gateway is gone. */
async function load(gateway: PaymentGateway, heard: Heard, name: string): Promise<void> {
  for (let order = 0; ; order += 1) {
    const charge = chargeOf(`ord_${name}_${order}`);
    const tokens = ["tok_ok", "tok_event_twice", "tok_declined"];
    const asked = { ...charge, token: tokens[order % 8] ?? "tok_ok" };
    const calls = (
      [["charge"], ["charge", "refund"], ["void", "charge"], ["charge", "charge"]] as const
    )[order % 4];
    heard.charges.set(charge.orderId, asked);
    for (const call of calls ?? []) {
      const question = { call, charge: asked };
      try {
        heard.answers.set(charge.orderId, await put(gateway, question));
      } catch (cause) {
        if (!(cause instanceof Fault)) throw cause;
        heard.unanswered.push(question);
        return;
      }
    }
  }
}

async function readBook(url: string): Promise<Map<string, BookEntry>> {
  const book = new Map<string, BookEntry>();
  for (let after: number | null = 0; after !== null;) {
    const response = await fetch(`${url}/v1/book?limit=1000&after=${after}`);
    const page = (await response.json()) as { items: BookEntry[]; next: number | null };
    for (const entry of page.items) book.set(entry.orderId, entry);
    after = page.next;
  }
  return book;
}

async function totalsOf(url: string): Promise<BookTotals> {
  return (await fetch(`${url}/v1/book/totals`)).json() as Promise<BookTotals>;
}

test("kill -9 ten times under load: each answer is in the book, asked again the same", async () => {
  const secret = generateWebhookSecret();
  const receiver = startEventReceiver({ secret });
  const simulator = await startSimulator({
    env: {
      DOORBUSTER_SIMULATOR_WEBHOOK_URL: receiver.url,
      DOORBUSTER_PAYMENT_WEBHOOK_SECRET: secret,
    },
  });
  const gateway = new HttpPaymentGateway({ url: simulator.url });
  const heard: Heard = { answers: new Map(), unanswered: [], charges: new Map() };

  for (let kill = 0; kill < 10; kill += 1) {
    const shoppers = Array.from({ length: 32 }, (_, index) =>
      load(gateway, heard, `k${kill}_${index}`),
    );
    // The load is what is under test here; the moment of the kill is to be any.
    await Bun.sleep(60 + Math.random() * 60);
    await simulator.kill();
    await Promise.all(shoppers);
    await simulator.restart();

    const book = await readBook(simulator.url);
    for (const [orderId, state] of heard.answers) {
      const entry = book.get(orderId);
      expect<string | undefined>(entry?.state).toBe(state.kind);
      // A refund may have been done without its answer getting through; never the other way.
      if (state.kind !== "paid") continue;
      expect(entry?.amountMinor).toBe(state.amountMinor);
      expect(entry?.refundedMinor).toBeGreaterThanOrEqual(state.refundedMinor);
    }
    for (const question of heard.unanswered.splice(0)) {
      heard.answers.set(question.charge.orderId, await put(gateway, question));
    }
  }

  expect(heard.answers.size).toBeGreaterThan(500);
  let chargedMinor = 0;
  let refundedMinor = 0;
  const eventIds = new Set<string>();
  for (const [orderId, charge] of heard.charges) {
    const state = heard.answers.get(orderId);
    expect(await gateway.charge(charge)).toEqual(state as ChargeState);
    if (state?.kind === "declined") eventIds.add(`evt_declined_${orderId}`);
    if (state?.kind !== "paid") continue;
    eventIds.add(`evt_paid_${orderId}`);
    if (state.refundedMinor > 0) eventIds.add(`evt_refunded_${orderId}`);
    chargedMinor += state.amountMinor;
    refundedMinor += state.refundedMinor;
  }
  expect((await totalsOf(simulator.url)).currencies).toEqual({
    INR: { chargedMinor, refundedMinor },
  });

  while ((await totalsOf(simulator.url)).undeliveredEvents > 0) await Bun.sleep(10);
  expect(new Set(receiver.events.map(({ eventId }) => eventId))).toEqual(eventIds);
  expect(receiver.refusedCount).toBe(0);
  expect(await simulator.stop()).toBe(0);
  await receiver.stop();
}, 60_000);
