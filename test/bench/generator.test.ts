import { afterAll, describe, expect, test } from "bun:test";

import { HoldLoad } from "../../bench/generator/hold-load.ts";
import { type Job, OUTCOME } from "../../bench/generator/job.ts";
import { Requests } from "../../bench/generator/requests.ts";
import { parseHead } from "../../bench/generator/response-parser.ts";
import { indexOfShopper, shopperOf, TokenMint } from "../../bench/generator/tokens.ts";
import { Histogram } from "../../bench/stats/histogram.ts";
import { createTokens } from "../../src/http/tokens/tokens.ts";

const SECRET = "a secret of at least thirty-two bytes, for tests";
const nowS = Math.floor(Date.now() / 1_000);

function mint(capacity = 1_000): TokenMint {
  return new TokenMint({ secret: SECRET, nowS, capacity });
}

function tokensOf(secret: string) {
  const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
  return createTokens({ secret, clock });
}

describe("tokens in bulk", () => {
  test("each is believed by the engine's own check, as its own shopper", () => {
    const minted = mint(100_000);
    const tokens = tokensOf(SECRET);
    for (const index of [0, 1, 9, 10, 12_345, 99_999]) {
      expect(tokens.shopperOf(minted.tokenOf(index))).toBe(shopperOf(index));
      expect(indexOfShopper(shopperOf(index))).toBe(index);
    }
  });

  test("another secret's are not", () => {
    expect(tokensOf(`${SECRET}!`).shopperOf(mint().tokenOf(5))).toBeNull();
  });

  test("a name that is none of ours has no index", () => {
    expect(indexOfShopper("shopper-1")).toBe(-1);
  });
});

describe("requests", () => {
  test("differ in token and SKU alone, and keep their length", () => {
    const minted = mint();
    minted.prepare(100);
    const choice = { kind: "catalogue", size: 500, seed: 1 } as const;
    const requests = Requests.holds({ sale: "bench", choice, mint: minted, count: 100 });
    const texts = [0, 1, 99].map((index) => requests.fill(index, index).toString());
    expect(new Set(texts).size).toBe(3);
    expect(new Set(texts.map((text) => text.length)).size).toBe(1);
    for (const [index, text] of [0, 1, 99].map(
      (number, at) => [number, texts[at] ?? ""] as const,
    )) {
      expect(text).toStartWith("PUT /v1/sales/bench/skus/sku-00");
      expect(text).toContain(`Authorization: Bearer ${minted.tokenOf(index)}\r\n`);
      expect(text).toEndWith('Content-Length: 14\r\n\r\n{"quantity":1}');
    }
  });

  test("a checkout carries its shopper as idempotency key", () => {
    const minted = mint();
    minted.prepare(10);
    const of = { sale: "bench", sku: "hot", card: "tok_ok", mint: minted };
    const text = Requests.checkouts(of).fill(7, 0).toString();
    expect(text).toContain(`Idempotency-Key: ${shopperOf(7)}\r\n`);
  });
});

describe("the response parser", () => {
  const head = { status: 0, totalBytes: 0 };
  const answer = "HTTP/1.1 409 Conflict\r\nX-A: b\r\ncontent-LENGTH: 5\r\n\r\n12345";

  test("finds the status and the end of an answer", () => {
    parseHead(Buffer.from(answer), 0, head);
    expect(head).toEqual({ status: 409, totalBytes: answer.length });
  });

  test("says of every cut-off head that it is not complete yet", () => {
    const bodyAt = answer.indexOf("\r\n\r\n") + 4;
    for (let end = 0; end < bodyAt; end += 1) {
      parseHead(Buffer.from(answer.slice(0, end)), 0, head);
      expect(head.totalBytes).toBe(-1);
    }
  });

  test("needs no length of a 204, and does not guess one of anything else", () => {
    parseHead(Buffer.from("HTTP/1.1 204 No Content\r\nA: b\r\n\r\n"), 0, head);
    expect(head.totalBytes).toBe(33);
    parseHead(Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, head);
    expect(head.totalBytes).toBe(-2);
    parseHead(Buffer.from("SSH-2.0-OpenSSH_9.2 and more"), 0, head);
    expect(head.totalBytes).toBe(-2);
  });
});

describe("a load on a real socket", () => {
  /** Answers each request by its own count: 201, but every tenth 409 and every hundredth 503. */
  let asked = 0;
  const askedOn = new Map<number | undefined, number>();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request, self) {
      asked += 1;
      const from = self.requestIP(request)?.port;
      askedOn.set(from, (askedOn.get(from) ?? 0) + 1);
      const status = asked % 100 === 0 ? 503 : asked % 10 === 0 ? 409 : 201;
      return new Response("{}", { status });
    },
  });
  /** Answers nothing for 150 ms at a time, four times a second. */
  const stalling = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response("{}"),
  });
  afterAll(async () => {
    await server.stop(true);
    await stalling.stop(true);
  });

  function job(port: number | undefined, pace: Job["pace"], count: number): Job {
    return {
      ports: [port ?? 0],
      connections: 16,
      firstShopper: 0,
      shopperStep: 1,
      count,
      sale: "bench",
      choice: { kind: "one", sku: "hot" },
      pace,
      journey: "hold",
    };
  }

  test("an open loop sends every request once and notes each answer under its shopper", async () => {
    const pace = {
      kind: "open",
      schedule: {
        ratePerSecond: 4_000,
        durationMs: 250,
        arrivals: "constant",
        seed: 1,
        rampMs: 0,
      },
    } as const;
    asked = 0;
    askedOn.clear();
    const load = new HoldLoad(job(server.port, pace, 10_000), mint(10_000));
    await load.connect();
    const result = await load.run();
    expect(asked).toBe(1_000);
    // By turns: one that is left alone for ten seconds would be closed.
    expect(askedOn.size).toBe(16);
    expect(Math.min(...askedOn.values())).toBeGreaterThan(30);
    expect(result.outcomes.length).toBe(1_000);
    const count = (outcome: number): number => result.outcomes.filter((o) => o === outcome).length;
    expect(count(OUTCOME.accepted)).toBe(900);
    expect(count(OUTCOME.refused)).toBe(90);
    expect(count(OUTCOME.busy)).toBe(10);
    expect(Histogram.of(result.latency).count).toBe(1_000);
  });

  test("a closed loop ends on time, and what it sent was all answered", async () => {
    asked = 0;
    const pace = { kind: "closed", durationMs: 100 } as const;
    const load = new HoldLoad(job(server.port, pace, 50_000), mint(50_000));
    await load.connect();
    const result = await load.run();
    const sent = result.outcomes.filter((outcome) => outcome !== OUTCOME.none).length;
    expect(sent).toBe(asked);
    expect(result.outcomes.includes(OUTCOME.unanswered)).toBe(false);
    expect(result.measuredMs).toBeLessThanOrEqual(100);
  });

  test("a stall delays all that was due meanwhile, not the one request that met it", async () => {
    const schedule = {
      ratePerSecond: 1_000,
      durationMs: 500,
      arrivals: "constant",
      seed: 1,
      rampMs: 0,
    } as const;
    const minted = mint(1_000);
    const load = new HoldLoad(job(stalling.port, { kind: "open", schedule }, 1_000), minted);
    await load.connect();
    const running = load.run();
    // The same process serves and loads, so this stops both: what was due then is late all the same.
    setTimeout(() => Bun.sleepSync(200), 100);
    const latency = Histogram.of((await running).latency);
    const late = 1 - shareUnder(latency, 50_000);
    expect(late).toBeGreaterThan(0.25);
    expect(latency.quantileUs(0.99)).toBeGreaterThan(150_000);
  });
});

function shareUnder(histogram: Histogram, limitUs: number): number {
  for (let share = 100; share > 0; share -= 1) {
    if (histogram.quantileUs(share / 100) <= limitUs) return share / 100;
  }
  return 0;
}
