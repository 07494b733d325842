// What raw sockets see: bodies in pieces, too large, stalled, garbage; and the end of a server.

import { afterAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";

import { fakeApp, MERCHANT_KEY, SHOPPER, systemClock } from "../../test/support/http-fakes.ts";
import type { HoldOutcome } from "../core/stock/command.ts";
import { serve } from "./serve.ts";

const HOST = "127.0.0.1";
const HELD: HoldOutcome = {
  kind: "held",
  isNew: true,
  hold: { number: 1, quantity: 1, priceMinor: 1, deadlineMs: 1_790_000_000_000, paying: false },
};

let skipMs = 0;
const clock = { ...systemClock, monotonicMs: () => performance.now() + skipMs };
const fakes = fakeApp({ clock });
fakes.stock.answer = () => HELD;
const served = serve(fakes.app, { host: HOST, port: 0 });
afterAll(() => served.stop({ graceMs: 1_000 }));
const { accessToken } = await fakes.tokens.sign(SHOPPER);

/** A connection that keeps what it hears. */
class Client {
  heard = "";
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  #wake: () => void = () => undefined;

  constructor(port = served.port) {
    this.#socket = connect(port, HOST);
    this.#socket.on("data", (data) => {
      this.heard += data.toString("latin1");
      this.#wake();
    });
    // A reset is an end like any other here.
    this.#socket.on("error", () => this.#wake());
    this.closed = new Promise((resolve) => {
      this.#socket.on("close", () => {
        this.#wake();
        resolve();
      });
    });
  }

  send(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.write(text, () => resolve());
    });
  }

  async hears(part: string): Promise<void> {
    while (!this.heard.includes(part)) {
      if (this.#socket.destroyed) throw new Error(`closed, having heard: ${this.heard}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  end(): void {
    this.#socket.destroy();
  }
}

function head(method: string, path: string, headers: Record<string, string | number>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\n${lines.join("")}\r\n`;
}

const HOLD = "/v1/sales/drop/skus/phone/hold";
const SHOPPERS = { Authorization: `Bearer ${accessToken}`, "Content-Type": "application/json" };
const CHUNKED = { ...SHOPPERS, "Transfer-Encoding": "chunked" };

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

describe("bodies in pieces", () => {
  test("a chunked body, byte by byte, is read whole", async () => {
    const client = new Client();
    await client.send(head("PUT", HOLD, CHUNKED));
    for (const byte of '{"quantity":1}') await client.send(chunk(byte));
    await client.send("0\r\n\r\n");
    await client.hears('"state":"open"}');
    expect(client.heard).toStartWith("HTTP/1.1 201");
    client.end();
  });

  const paths: [string, string, Record<string, string>, number][] = [
    ["PUT", HOLD, SHOPPERS, 64 * 1_024],
    ["POST", "/v1/accounts", SHOPPERS, 64 * 1_024],
    ["POST", "/v1/payments/events", SHOPPERS, 64 * 1_024],
    [
      "PUT",
      "/v1/admin/sales/drop",
      { ...SHOPPERS, Authorization: `Bearer ${MERCHANT_KEY}` },
      16 * 1_024 * 1_024,
    ],
  ];
  test.each(paths)(
    "%s %s counts what a chunked body brings",
    async (method, path, headers, max) => {
      const client = new Client();
      await client.send(head(method, path, { ...headers, "Transfer-Encoding": "chunked" }));
      const piece = chunk("x".repeat(Math.min(max / 4, 1_024 * 1_024)));
      const count = max / Math.min(max / 4, 1_024 * 1_024) + 1;
      for (let index = 0; index < count; index += 1) void client.send(piece);
      await client.hears("body_too_large");
      expect(client.heard).toStartWith("HTTP/1.1 413");
      expect(client.heard.toLowerCase()).toContain("content-type: application/problem+json");
      await client.closed;
    },
  );

  test.each(paths)(
    "%s %s refuses a declared length before it reads",
    async (method, path, headers, max) => {
      const client = new Client();
      await client.send(head(method, path, { ...headers, "Content-Length": max + 1 }));
      await client.hears("body_too_large");
      expect(client.heard).toStartWith("HTTP/1.1 413");
      await client.closed;
    },
  );

  test("after a refusal at the edge the unread body is not the next request", async () => {
    fakes.stock.early = { kind: "sold_out" };
    const client = new Client();
    const body = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    await client.send(head("PUT", HOLD, { ...SHOPPERS, "Content-Length": body.length }) + body);
    await client.hears("sold_out");
    fakes.stock.early = null;
    const good = '{"quantity":1}';
    await client.send(head("PUT", HOLD, { ...SHOPPERS, "Content-Length": good.length }) + good);
    await client.hears('"state":"open"}');
    expect(client.heard).not.toContain('"status":"ok"');
    client.end();
  });

  test("a body that never comes is 504 at its deadline", async () => {
    for (const path of [HOLD, "/v1/admin/sales/drop"]) {
      const key = path === HOLD ? accessToken : MERCHANT_KEY;
      const client = new Client();
      const headers = { ...SHOPPERS, Authorization: `Bearer ${key}`, "Content-Length": 14 };
      await client.send(`${head("PUT", path, headers)}{"qu`);
      // A second request on its own connection is answered after the first was taken in.
      await fetch(`${served.url}/livez`);
      skipMs += 60_000;
      await client.hears('"code":"deadline"');
      expect(client.heard).toStartWith("HTTP/1.1 504");
      client.end();
    }
  });
});

describe("garbage", () => {
  const rows: [string, string][] = [
    ["no HTTP", "\u0000\u0001\u0002\r\n\r\n"],
    [
      "two lengths",
      head("PUT", HOLD, { "Content-Length": 1 }).replace(
        "\r\n\r\n",
        "\r\nContent-Length: 2\r\n\r\nxx",
      ),
    ],
    [
      "a length and chunks",
      `${head("PUT", HOLD, { "Content-Length": 1, "Transfer-Encoding": "chunked" })}0\r\n\r\n`,
    ],
    ["a bad chunk", `${head("PUT", HOLD, CHUNKED)}zz\r\n`],
  ];
  test.each(rows)("%s ends its own connection and no other", async (_, text) => {
    const bad = new Client();
    await bad.send(text);
    await bad.closed;
    expect(bad.heard === "" || bad.heard.startsWith("HTTP/1.1 4")).toBe(true);
    expect((await fetch(`${served.url}/livez`)).status).toBe(200);
  });

  test("HTTP/1.0 without Host is answered", async () => {
    for (const [path, status] of [
      ["/livez", "200"],
      ["/v1/sales", "200"],
      ["/nothing", "404"],
    ]) {
      const client = new Client();
      await client.send(`GET ${path} HTTP/1.0\r\n\r\n`);
      await client.closed;
      expect(client.heard).toStartWith(`HTTP/1.1 ${status}`);
    }
  });

  test("a client that goes away in the middle of its body is no bug of ours", async () => {
    const before = fakes.log.lines.length;
    const client = new Client();
    await client.send(`${head("PUT", HOLD, { ...SHOPPERS, "Content-Length": 14 })}{"qu`);
    await fetch(`${served.url}/livez`);
    client.end();
    await client.closed;
    await fetch(`${served.url}/livez`);
    expect(fakes.log.lines.slice(before)).toEqual([]);
  });
});

describe("the server", () => {
  test("a port that is taken is an error, not a share", () => {
    expect(() => serve(fakes.app, { host: HOST, port: served.port })).toThrow();
  });

  test("a stop finishes what was accepted, refuses what comes, and closes", async () => {
    const own = fakeApp();
    const decided = Promise.withResolvers<HoldOutcome>();
    const asked = Promise.withResolvers<void>();
    own.stock.answer = () => {
      asked.resolve();
      return decided.promise;
    };
    const stopping = serve(own.app, { host: HOST, port: 0 });
    const idle = new Client(stopping.port);
    const busy = new Client(stopping.port);
    await idle.send(head("GET", "/livez", {}));
    await idle.hears('"status":"ok"');
    const body = '{"quantity":1}';
    await busy.send(head("PUT", HOLD, { ...SHOPPERS, "Content-Length": body.length }) + body);
    await asked.promise;

    const stopped = stopping.stop({ graceMs: 10_000 });
    for (const [method, path] of [
      ["GET", "/v1/sales"],
      ["PUT", HOLD],
      ["GET", "/readyz"],
    ]) {
      const refused = new Client(stopping.port);
      await refused.send(head(method ?? "", path ?? "", {}));
      await refused.hears('"code":"busy"');
      expect(refused.heard).toStartWith("HTTP/1.1 503");
      expect(refused.heard.toLowerCase()).toContain("connection: close");
      expect(refused.heard.toLowerCase()).toContain("retry-after: 1");
      await refused.closed;
    }
    const live = new Client(stopping.port);
    await live.send(head("GET", "/livez", {}));
    await live.hears('"status":"ok"');
    live.end();

    decided.resolve(HELD);
    await busy.hears('"state":"open"}');
    expect(busy.heard).toStartWith("HTTP/1.1 201");
    await stopped;
    await Promise.all([idle.closed, busy.closed]);
    const late = new Client(stopping.port);
    await late.closed;
    expect(late.heard).toBe("");
  });

  test("a stop ends within its grace, whatever hangs", async () => {
    const own = fakeApp();
    const asked = Promise.withResolvers<void>();
    own.stock.answer = () => {
      asked.resolve();
      return new Promise(() => undefined);
    };
    const stopping = serve(own.app, { host: HOST, port: 0 });
    const client = new Client(stopping.port);
    const body = '{"quantity":1}';
    await client.send(head("PUT", HOLD, { ...SHOPPERS, "Content-Length": body.length }) + body);
    await asked.promise;
    await stopping.stop({ graceMs: 100 });
    await client.closed;
    // At its own deadline it would have heard 504.
    expect(client.heard).toBe("");
  });
});
