// A Redis journal behind a proxy for each test, and ways to call it as a partition would.

import { afterAll, afterEach, beforeEach } from "bun:test";

import { Redis } from "ioredis";

import { Fault } from "../../src/core/errors.ts";
import type { Commit, Term } from "../../src/core/ports/journal.ts";
import { keysOf } from "../../src/store/redis/keys.ts";
import { RedisJournal } from "../../src/store/redis/redis-journal.ts";
import { type FaultProxy, startProxy } from "./fault-proxy.ts";
import { startRedis, type TestRedis } from "./servers.ts";

export const DEADLINE_MS = 300;

/** What the event loop and a loaded machine may add to a deadline. */
export const SLACK_MS = 400;

export const P = 7;

/** What Redis holds after one batch on P, see `stateOf`. */
export const WRITTEN = ["1", "10", ["1-0"]];

export type RedisTestbed = {
  readonly redis: TestRedis;
  /** Straight to the server, past the proxy. */
  readonly admin: Redis;
  readonly proxy: FaultProxy;
  journal: RedisJournal;
  journalAt(port: number): RedisJournal;
  claimOf(partition?: number): Promise<Term>;
  /** Creates and claims. */
  created(partition?: number): Promise<Term>;
  /** seq, available, ids of the entries: straight from the keys. */
  stateOf(partition?: number): Promise<unknown>;
};

/** To be called at the top of a test file: one server for the file, a journal for each test. */
export async function redisTestbed(): Promise<RedisTestbed> {
  const redis = await startRedis();
  const admin = new Redis(redis.url, { retryStrategy: () => 20 });
  admin.on("error", () => {});
  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
  });

  let proxy: FaultProxy | null = null;
  let journal: RedisJournal | null = null;
  beforeEach(async () => {
    await admin.flushall();
    proxy = await startProxy({ port: redis.port });
    journal = journalAt(proxy.port);
  });
  afterEach(async () => {
    await journal?.close();
    await proxy?.close();
  });

  const bed: RedisTestbed = {
    redis,
    admin,
    get proxy() {
      if (proxy === null) throw new Error("no test is running");
      return proxy;
    },
    get journal() {
      if (journal === null) throw new Error("no test is running");
      return journal;
    },
    set journal(next: RedisJournal) {
      journal = next;
    },
    journalAt,
    claimOf: async (partition = P) => {
      const request = { partition, view: 1, owner: "node-1" };
      const answer = await whenServed(() => bed.journal.claim(request));
      if (answer.kind !== "claimed") throw new Error(answer.kind);
      return { ...request, claim: answer.claim };
    },
    created: async (partition = P) => {
      await whenServed(() => bed.journal.create(partition, "generation-1"));
      return bed.claimOf(partition);
    },
    stateOf: async (partition = P) => {
      const { fence, stock, journal: stream } = keysOf(partition);
      const entries = (await admin.xrange(stream, "-", "+")).map(([id]) => id);
      return [await admin.hget(fence, "seq"), await admin.hget(stock, "s/a"), entries];
    },
  };
  return bed;
}

function journalAt(port: number): RedisJournal {
  return new RedisJournal({
    url: `redis://127.0.0.1:${port}`,
    durability: "strict",
    deadlineMs: DEADLINE_MS,
  });
}

export async function faultOfCall(call: Promise<unknown>): Promise<Fault> {
  const error: unknown = await call.then(
    (value) => new Error(`answered ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (error instanceof Fault) return error;
  throw error;
}

/** Calls until there is a connection again; what is surely not written may be sent again. */
export async function whenServed<T>(call: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + 10_000;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const isAway = error instanceof Fault && error.code === "store_unavailable";
      if (!isAway || performance.now() > untilMs) throw error;
      await Bun.sleep(5);
    }
  }
}

/** +10 on "s/a". */
export function batch(term: Term, seq: number): Commit {
  const deltas = [{ skuKey: "s/a", delta: 10 }];
  return { term, seq, batchId: `batch-${seq}`, bytes: `bytes ${seq}`, deltas };
}
