// GET /v1/sales/:sale/events over real sockets, on a whole embedded shop.

import { afterEach, expect, test } from "bun:test";
import { createConnection, type Socket } from "node:net";

import { fakeApp, LogLines } from "../../test/support/http-fakes.ts";
import {
  hold,
  openSale,
  skuOf,
  startTestShop,
  type TestShop,
} from "../../test/support/test-shop.ts";
import { Levels } from "../cluster/levels.ts";
import { serve, type Served } from "./serve.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type World = { readonly shop: TestShop; readonly served: Served; readonly url: string };

async function start(): Promise<World> {
  const shop = await startTestShop();
  const { runtime } = shop.ports;
  const levels = new Levels({
    self: "node-1",
    incarnation: "first",
    local: shop.stock,
    runtime,
    log: new LogLines(),
    bus: null,
  });
  await openSale(shop, "drop", [skuOf("phone", { stock: 20 }), skuOf("case", { stock: 1 })]);
  const { app } = fakeApp({ shop: shop.shop, stock: shop.stock, clock: runtime.clock, levels });
  const served = serve(app, { host: "127.0.0.1", port: 0 });
  closers.push(async () => {
    await served.stop({ graceMs: 1_000 });
    levels.close();
    await shop.close();
  });
  return { shop, served, url: `${served.url}/v1/sales/drop/events` };
}

type SaleEvent = { readonly id: string; readonly levels: Record<string, string>; state: string };

class Watcher {
  readonly response: Response;
  readonly #reader: { read(): Promise<{ done: boolean; value?: Uint8Array }> };
  #text = "";

  constructor(response: Response) {
    this.response = response;
    this.#reader = response.body!.getReader();
  }

  static async open(url: string, lastEventId?: string): Promise<Watcher> {
    const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
    return new Watcher(await fetch(url, { headers }));
  }

  /** The next event, or null at the end of the stream. */
  async next(): Promise<SaleEvent | null> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end !== -1) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        const event = parseEvent(block);
        if (event !== null) return event;
        continue;
      }
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#text += new TextDecoder().decode(value);
    }
  }
}

function parseEvent(block: string): SaleEvent | null {
  const fields = new Map(
    block.split("\n").map((line) => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)] as const;
    }),
  );
  if (fields.get("event") !== "levels") return null;
  const data = JSON.parse(fields.get("data")!) as Omit<SaleEvent, "id">;
  expect(data).toMatchObject({ sale: "drop" });
  return { id: fields.get("id")!, ...data };
}

test("the whole first, then what changed", async () => {
  const { shop, url } = await start();
  const watcher = await Watcher.open(url);
  expect(watcher.response.headers.get("content-type")).toBe("text/event-stream");
  const whole = await watcher.next();
  expect(whole).toMatchObject({ state: "open", levels: { phone: "available", case: "low" } });
  await hold(shop, "drop", { shopper: "s1", sku: "case", quantity: 1 });
  expect((await watcher.next())?.levels).toEqual({ case: "all_held" });
});

test("a change of the sale's state is an event of its own", async () => {
  const { shop, url } = await start();
  const watcher = await Watcher.open(url);
  await watcher.next();
  shop.pass(7_200_000);
  expect(await watcher.next()).toMatchObject({ state: "ended", levels: {} });
});

test("Last-Event-ID goes on where it ended; an unknown one begins with the whole", async () => {
  const { shop, url } = await start();
  const watcher = await Watcher.open(url);
  const whole = await watcher.next();
  await hold(shop, "drop", { shopper: "s1", sku: "case", quantity: 1 });
  const change = await watcher.next();
  const resumed = await Watcher.open(url, whole!.id);
  expect(await resumed.next()).toEqual(change);
  for (const id of ["nonsense", "00000000-1", `${whole!.id.split("-")[0]}-99`, ""]) {
    const anew = await Watcher.open(url, id);
    expect((await anew.next())?.levels).toEqual({ phone: "available", case: "all_held" });
  }
});

test("a graceful stop ends the streams and is not held up by them", async () => {
  const { served, url } = await start();
  const watchers = await Promise.all(Array.from({ length: 20 }, () => Watcher.open(url)));
  await Promise.all(watchers.map((watcher) => watcher.next()));
  const startedMs = performance.now();
  await served.stop({ graceMs: 20_000 });
  expect(performance.now() - startedMs).toBeLessThan(10_000);
  expect(await Promise.all(watchers.map((watcher) => watcher.next()))).toEqual(
    watchers.map(() => null),
  );
}, 30_000);

test("a sale that is not there is 404, HEAD has no stream", async () => {
  const { served, url } = await start();
  expect((await fetch(`${served.url}/v1/sales/never/events`)).status).toBe(404);
  const head = await fetch(url, { method: "HEAD" });
  expect([head.status, head.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  expect(await head.text()).toBe("");
});

test("it is in the description, as text/event-stream", async () => {
  const { served } = await start();
  const described = (await (await fetch(`${served.url}/openapi/json`)).json()) as {
    paths: Record<string, { get: { responses: Record<string, { content: object }> } }>;
  };
  const { responses } = described.paths["/v1/sales/{sale}/events"]!.get;
  expect(Object.keys(responses["200"]!.content)).toEqual(["text/event-stream"]);
});

test("two thousand streams hear a change, and cost little", async () => {
  const { shop, served, url } = await start();
  const path = new URL(url).pathname;
  const sockets: Socket[] = [];
  let wholes = 0;
  let changes = 0;
  const { promise: allWhole, resolve: onWhole } = Promise.withResolvers<void>();
  const { promise: allChanged, resolve: onChanged } = Promise.withResolvers<void>();
  const COUNT = 2_000;
  for (let index = 0; index < COUNT; index++) {
    const socket = createConnection({ port: served.port, host: "127.0.0.1" });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    socket.on("data", (bytes) => {
      const text = bytes.toString();
      if (text.includes('"phone":')) if (++wholes === COUNT) onWhole();
      if (text.includes('"levels":{"case":"all_held"}')) if (++changes === COUNT) onChanged();
    });
    socket.on("error", () => undefined);
    sockets.push(socket);
  }
  await allWhole;
  const before = process.memoryUsage.rss();
  await hold(shop, "drop", { shopper: "s1", sku: "case", quantity: 1 });
  await allChanged;
  expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1_024 * 1_024);
  for (const socket of sockets) socket.destroy();
}, 20_000);
