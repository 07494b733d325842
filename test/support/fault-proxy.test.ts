// The proxy does what its faults are called: else tests behind it prove nothing.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { connect, createServer, type Server, type Socket } from "node:net";

import { type FaultProxy, startProxy } from "./fault-proxy.ts";

let server: Server;
let proxy: FaultProxy;
const clients: Socket[] = [];

beforeEach(async () => {
  server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => socket.write(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a server has a port");
  proxy = await startProxy({ port: address.port });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy.close();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

/** A client of the echo: what it has heard, and whether it was cut. */
async function opened() {
  const socket = connect({ port: proxy.port, host: proxy.host });
  clients.push(socket);
  const waits: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];
  const state = { heard: "", isCut: false };
  const changed = (): void => {
    for (const wait of waits) if (wait.isMet()) wait.resolve();
  };
  const until = (isMet: () => boolean): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waits.push({ isMet, resolve });
    changed();
    return promise;
  };
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    state.heard += bytes.toString();
    changed();
  });
  socket.on("close", () => {
    state.isCut = true;
    changed();
  });
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return {
    state,
    send: (text: string) => void socket.write(text),
    heard: (text: string) => until(() => state.heard === text),
    cut: () => until(() => state.isCut),
  };
}

test("passes what is said, and late when it is told so, in order", async () => {
  const one = await opened();
  one.send("a");
  await one.heard("a");
  proxy.latencyMs = 20;
  proxy.jitterMs = 20;
  const startedMs = performance.now();
  for (const letter of "bcdefgh") one.send(letter);
  await one.heard("abcdefgh");
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(40);
});

test("drops the nth reply and keeps the connection", async () => {
  const one = await opened();
  const dropped = proxy.dropReply(2);
  one.send("a");
  await one.heard("a");
  one.send("b");
  await dropped;
  one.send("c");
  await one.heard("ac");
  expect(proxy.cutCount).toBe(1);
});

test("resets a connection after so many bytes, in either direction", async () => {
  const one = await opened();
  proxy.resetAfter(3, "to_client");
  one.send("abcdef");
  await one.cut();
  expect(one.state.heard).toBe("abc");
  proxy.heal();
  proxy.resetAfter(2, "to_server");
  const other = await opened();
  other.send("xyz");
  await other.cut();
  expect(other.state.heard.length).toBeLessThanOrEqual(2);
});

test("cut off, connections end, also new ones, until it is healed", async () => {
  const one = await opened();
  proxy.cut();
  await one.cut();
  await (await opened()).cut();
  proxy.heal();
  const back = await opened();
  back.send("a");
  await back.heard("a");
});

test("half-open, clients stay connected and hear nothing; healed, they are cut", async () => {
  const one = await opened();
  proxy.halfOpen();
  one.send("a");
  const other = await opened();
  other.send("b");
  expect([one.state, other.state]).toEqual([
    { heard: "", isCut: false },
    { heard: "", isCut: false },
  ]);
  proxy.heal();
  await Promise.all([one.cut(), other.cut()]);
  expect(one.state.heard + other.state.heard).toBe("");
});

test("paused, nothing passes; resumed, all that waited does", async () => {
  const one = await opened();
  proxy.pause();
  one.send("a");
  const answered = one.heard("a");
  proxy.resume();
  await answered;
});
