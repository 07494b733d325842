import { afterAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";

import Redis from "ioredis";
import { connect } from "nats";
import postgres from "postgres";

import { isListening } from "./ports.ts";
import {
  startEngine,
  StartFailure,
  startNats,
  startPostgres,
  startRedis,
  startSimulator,
} from "./servers.ts";

const stops: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const stop of stops) await stop();
});

function stopAtEnd<T extends { stop(): Promise<void> }>(server: T): T {
  stops.push(() => server.stop());
  return server;
}

test("redis keeps an acknowledged write through SIGKILL and runs with the durable settings", async () => {
  const server = stopAtEnd(await startRedis());
  const before = new Redis(server.url);
  expect(await before.config("GET", "appendfsync")).toEqual(["appendfsync", "always"]);
  expect(await before.config("GET", "save")).toEqual(["save", ""]);
  await before.set("key", "kept");
  before.disconnect();
  const firstPid = server.pid;

  await server.kill();
  expect(await isListening(server.port)).toBe(false);
  await server.restart();
  expect(server.pid).not.toBe(firstPid);
  const after = new Redis(server.url);
  expect(await after.get("key")).toBe("kept");
  after.disconnect();

  await server.restart({ config: { appendfsync: "everysec" } });
  const changed = new Redis(server.url);
  expect(await changed.config("GET", "appendfsync")).toEqual(["appendfsync", "everysec"]);
  changed.disconnect();
});

test("a paused redis holds a request until it is resumed", async () => {
  const server = stopAtEnd(await startRedis());
  const client = new Redis(server.url);
  await client.ping();
  server.pause();
  const answer = client.ping();
  expect(await Promise.race([answer, Bun.sleep(50).then(() => "silence")])).toBe("silence");
  server.resume();
  expect(await answer).toBe("PONG");
  client.disconnect();
});

test("a database of postgres is dropped under its clients' hands", async () => {
  const server = await startPostgres();
  stopAtEnd(server);
  const client = postgres(await server.createDatabase("shop"), { max: 1, onnotice: () => {} });
  await client`select 1`;
  await server.dropDatabase("shop");
  await expect(client`select 1`.execute()).rejects.toThrow();
  await client.end({ timeout: 0 });
  const admin = postgres(server.url("postgres"), { max: 1 });
  expect([...(await admin`select 1 from pg_database where datname = 'shop'`)]).toEqual([]);
  await admin.end({ timeout: 0 });
});

test("postgres keeps a committed row through SIGKILL, two servers at once", async () => {
  const servers = [await startPostgres(), await startPostgres()];
  servers.forEach(stopAtEnd);
  for (const server of servers) {
    const url = await server.createDatabase("shop");
    const before = postgres(url, { max: 1 });
    await before`create table kept (n int)`;
    await before`insert into kept values (7)`;
    expect([...(await before`show fsync`)]).toEqual([{ fsync: "on" }]);
    await before.end({ timeout: 0 });

    await server.kill();
    await server.restart();
    const after = postgres(url, { max: 1 });
    expect([...(await after`select n from kept`)]).toEqual([{ n: 7 }]);
    await after.end({ timeout: 0 });
  }
});

test("nats keeps a JetStream message through SIGKILL", async () => {
  const server = stopAtEnd(await startNats());
  const before = await connect({ servers: server.url });
  const manager = await before.jetstreamManager();
  await manager.streams.add({ name: "KEPT", subjects: ["kept"] });
  await before.jetstream().publish("kept", "payload");
  await before.close();

  await server.kill();
  await server.restart();
  const after = await connect({ servers: server.url });
  const info = await (await after.jetstreamManager()).streams.info("KEPT");
  expect(info.state.messages).toBe(1);
  await after.close();
});

test("a stopped server leaves neither its port nor its files", async () => {
  for (const server of [await startRedis(), await startNats(), await startPostgres()]) {
    expect(await isListening(server.port)).toBe(true);
    await server.stop();
    expect(await isListening(server.port)).toBe(false);
    expect(existsSync(server.dataDir)).toBe(false);
  }
});

test("a server that cannot start says why", async () => {
  const failure = startRedis({ config: { appendfsync: "sometimes" } });
  await expect(failure).rejects.toThrow(/sometimes|appendfsync/);
  await expect(failure).rejects.toBeInstanceOf(StartFailure);
});

test("the engine and the simulator start as processes and end in good order", async () => {
  const simulator = await startSimulator();
  const engine = await startEngine();
  expect((await fetch(`${simulator.url}/livez`)).status).toBe(200);
  await engine.kill();
  await engine.restart();
  expect((await fetch(`${engine.url}/readyz`)).status).toBe(200);
  expect(await engine.stop()).toBe(0);
  expect(await simulator.stop()).toBe(0);
  expect(existsSync(engine.dataDir) || existsSync(simulator.dataDir)).toBe(false);
});

test("an engine with a bad environment says so and ends with 2", async () => {
  const failure: unknown = await startEngine({ env: { DOORBUSTER_PORT: "door" } }).catch(
    (cause: unknown) => cause,
  );
  expect(failure).toBeInstanceOf(StartFailure);
  expect((failure as StartFailure).exitCode).toBe(2);
  expect((failure as StartFailure).output).toContain("DOORBUSTER_PORT");
});
