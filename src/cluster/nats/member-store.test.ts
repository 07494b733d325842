import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import type { NatsConnection } from "nats";

import { freePort, startNats, type TestNats } from "../../../test/support/servers.ts";
import { Fault } from "../../core/errors.ts";
import type { Logger } from "../../core/ports/logger.ts";
import type { MemberList } from "../../core/ports/members.ts";
import { connectNats } from "./connect.ts";
import { NatsMemberStore } from "./member-store.ts";

const log: Logger = { info: () => {}, warn: () => {}, error: () => {} };
let nats: TestNats;
let connection: NatsConnection;

beforeAll(async () => {
  nats = await startNats();
  connection = await connectNats({ url: nats.url, name: "test", log });
});
afterAll(async () => {
  await connection.close();
  await nats.stop();
});

function storeOf(clusterId: string): NatsMemberStore {
  return new NatsMemberStore({ connection, clusterId, log });
}

function listOf(clusterId: string, view: number): MemberList {
  const formats = { oldest: 1, newest: 1 };
  const member = { id: "a", incarnation: "i-1", address: "", state: "joining", formats } as const;
  return { view, clusterId, partitions: 8, format: 1, members: [member], placement: [] };
}

/** Repeats while the store says that it does not know, as a node does. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + 10_000;
  for (;;) {
    try {
      return await work();
    } catch (cause) {
      if (!(cause instanceof Fault) || performance.now() > untilMs) throw cause;
      await Bun.sleep(50);
    }
  }
}

describe("the member list in JetStream", () => {
  test("there is none at first; what was written is read, with a revision to change it by", async () => {
    const store = storeOf("first");
    expect(await store.read()).toBeNull();
    expect(await store.write(listOf("first", 1), null)).toBe(true);
    const stored = await store.read();
    expect(stored?.list).toEqual(listOf("first", 1));
    expect(await store.write(listOf("first", 2), stored?.revision ?? 0)).toBe(true);
    expect((await store.read())?.list?.view).toBe(2);
  });

  test("a write on an old revision, and a second first list, are refused", async () => {
    const store = storeOf("races");
    expect(await store.write(listOf("races", 1), null)).toBe(true);
    expect(await store.write(listOf("races", 1), null)).toBe(false);
    const revision = (await store.read())?.revision ?? 0;
    expect(await store.write(listOf("races", 2), revision)).toBe(true);
    expect(await store.write(listOf("races", 2), revision)).toBe(false);
  });

  test("of 50 writers of one revision one wins, again and again", async () => {
    const store = storeOf("fifty");
    await store.write(listOf("fifty", 1), null);
    for (let view = 2; view < 6; view++) {
      const revision = (await store.read())?.revision ?? 0;
      const writers = Array.from({ length: 50 }, () =>
        store.write(listOf("fifty", view), revision),
      );
      const won = (await Promise.all(writers)).filter((isDone) => isDone);
      expect(won).toHaveLength(1);
      expect((await store.read())?.list?.view).toBe(view);
    }
  });

  test("two clusters on one server never meet", async () => {
    await storeOf("one").write(listOf("one", 7), null);
    expect(await storeOf("other").read()).toBeNull();
  });

  test("garbage written by hand is said to be no list, and can be replaced", async () => {
    const store = storeOf("by-hand");
    await store.write(listOf("by-hand", 1), null);
    const kv = await connection.jetstream().views.kv("doorbuster_by-hand");
    for (const garbage of ["", "{", "[]", '{"view":"x"}', `{"view":1e99}`]) {
      await kv.put("members", garbage);
      const stored = await store.read();
      expect(stored?.list).toBeNull();
      expect(await store.write(listOf("by-hand", 9), stored?.revision ?? 0)).toBe(true);
    }
    await kv.delete("members");
    const deleted = await store.read();
    expect(deleted?.list).toBeNull();
    expect(await store.write(listOf("by-hand", 10), deleted?.revision ?? null)).toBe(true);
  });

  test("a change is hinted at", async () => {
    const store = storeOf("hints");
    await store.write(listOf("hints", 1), null);
    const heard = { count: 0 };
    store.onChange(() => heard.count++);
    // The watch begins some time after: a write before it is not hinted at.
    for (let view = 2; view < 100 && heard.count === 0; view++) {
      await store.write(listOf("hints", view), (await store.read())?.revision ?? 0);
      await Bun.sleep(20);
    }
    expect(heard.count).toBeGreaterThan(0);
  });

  test("while the server is away calls are faults in time; its restart brings the list back", async () => {
    const store = storeOf("restart");
    await store.write(listOf("restart", 3), null);
    await nats.kill();
    const startedMs = performance.now();
    const fault = await store.read().catch((cause: unknown) => cause);
    expect(fault).toBeInstanceOf(Fault);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    await nats.restart();
    const stored = await patiently(() => store.read());
    expect(stored?.list).toEqual(listOf("restart", 3));
    const revision = stored?.revision ?? 0;
    expect(await patiently(() => store.write(listOf("restart", 4), revision))).toBe(true);
  }, 20_000);

  test("a bucket that is gone is made anew", async () => {
    const store = storeOf("gone");
    await store.write(listOf("gone", 1), null);
    const manager = await connection.jetstreamManager();
    await manager.streams.delete("KV_doorbuster_gone");
    expect(await patiently(() => store.read())).toBeNull();
    expect(await patiently(() => store.write(listOf("gone", 5), null))).toBe(true);
  });
});

describe("the member list on three servers", () => {
  test("it is kept three times and outlives the server that we spoke to", async () => {
    const routes = await Promise.all([freePort(), freePort(), freePort()]);
    const urls = routes.map((port) => `nats://127.0.0.1:${port}`);
    const servers = await Promise.all(
      urls.map((url, index) => {
        const name = ["--name", `server-${index}`, "--cluster_name", "three"];
        return startNats({ args: [...name, "--cluster", url, "--routes", urls.join(",")] });
      }),
    );
    const url = servers.map((server) => server.url).join(",");
    const clustered = await connectNats({ url, name: "test", log });
    try {
      const store = new NatsMemberStore({ connection: clustered, clusterId: "three", log });
      expect(await patiently(() => store.write(listOf("three", 1), null))).toBe(true);
      const manager = await clustered.jetstreamManager();
      const { config } = await manager.streams.info("KV_doorbuster_three");
      expect(config.num_replicas).toBe(3);
      const spokenTo = servers.find(({ port }) => clustered.getServer().endsWith(`:${port}`));
      await spokenTo?.kill();
      const stored = await patiently(() => store.read());
      expect(stored?.list).toEqual(listOf("three", 1));
      const revision = stored?.revision ?? 0;
      expect(await patiently(() => store.write(listOf("three", 2), revision))).toBe(true);
    } finally {
      await clustered.close();
      await Promise.all(servers.map((server) => server.stop()));
    }
  }, 40_000);
});
