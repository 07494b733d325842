// What the server itself may be: set wrongly, away, flushed, out of memory, a replica, damaged.

import { describe, expect, test } from "bun:test";

import { startLyingRedis } from "../../../test/support/lying-redis.ts";
import {
  batch,
  DEADLINE_MS,
  faultOfCall,
  P,
  redisTestbed,
  whenServed,
  WRITTEN,
} from "../../../test/support/redis-testbed.ts";
import { Fault } from "../../core/errors.ts";
import { keysOf } from "./keys.ts";
import { RedisJournal } from "./redis-journal.ts";

const bed = await redisTestbed();

/** Past the moments without a connection, to what the server itself says. */
async function whenConnected<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (error instanceof Fault && /READONLY|MASTERDOWN/.test(error.message)) throw error;
      await Bun.sleep(5);
    }
  }
}

describe("durability settings", () => {
  const cases = [
    { setting: "appendonly", wrong: "no", right: "yes" },
    { setting: "appendfsync", wrong: "everysec", right: "always" },
    { setting: "no-appendfsync-on-rewrite", wrong: "yes", right: "no" },
    { setting: "maxmemory-policy", wrong: "allkeys-lru", right: "noeviction" },
  ];

  test.each(cases)("$setting $wrong serves nothing and says why", async (one) => {
    await bed.admin.config("SET", one.setting, one.wrong);
    const strict = bed.journalAt(bed.redis.port);
    try {
      const fault = await faultOfCall(strict.create(1, "generation-1"));
      expect(fault.code).toBe("store_unavailable");
      expect(fault.message).toContain(`${one.setting} ${one.wrong}`);
      expect(fault.message).toContain(`required is ${one.setting} ${one.right}`);
      expect((await faultOfCall(strict.timeMs())).message).toContain(one.setting);
      expect(await bed.admin.exists(keysOf(1).fence)).toBe(0);
    } finally {
      await strict.close();
      await bed.admin.config("SET", one.setting, one.right);
    }
  });

  test("set right again, the same journal serves", async () => {
    await bed.admin.config("SET", "appendfsync", "everysec");
    const strict = bed.journalAt(bed.redis.port);
    try {
      await faultOfCall(strict.timeMs());
      await bed.admin.config("SET", "appendfsync", "always");
      expect(await whenServed(() => strict.create(1, "generation-1"))).toBe(true);
    } finally {
      await strict.close();
    }
  });

  test("changed behind a cut, the next connection serves nothing", async () => {
    const term = await bed.created();
    await bed.admin.config("SET", "appendfsync", "everysec");
    try {
      const cut = bed.proxy.cutReply(1);
      await faultOfCall(bed.journal.check(term));
      await cut;
      const untilRefused = async (): Promise<string> => {
        for (;;) {
          const { message } = await faultOfCall(bed.journal.check(term));
          if (message.includes("appendfsync")) return message;
          await Bun.sleep(5);
        }
      };
      expect(await untilRefused()).toContain("required is appendfsync always");
    } finally {
      await bed.admin.config("SET", "appendfsync", "always");
    }
  });

  test("relaxed serves and warns", async () => {
    await bed.admin.config("SET", "appendfsync", "everysec");
    const logged: string[] = [];
    const url = bed.redis.url;
    const log = (level: string, _: unknown, message: string): number =>
      logged.push(`${level} ${message}`);
    const relaxed = new RedisJournal({ url, durability: "relaxed", log });
    try {
      expect(await relaxed.create(1, "generation-1")).toBe(true);
      expect(relaxed.warnings()).toHaveLength(1);
      expect(relaxed.warnings()[0]).toContain("appendfsync everysec");
      expect(logged.filter((line) => line === "warn durability is relaxed")).toHaveLength(1);
    } finally {
      await relaxed.close();
      await bed.admin.config("SET", "appendfsync", "always");
    }
  });

  test("a server that does not tell them serves nothing, relaxed it serves and warns", async () => {
    await bed.admin.call("ACL", "SETUSER", "plain", "on", ">word", "~*", "+@all", "-config");
    const url = `redis://plain:word@127.0.0.1:${bed.redis.port}`;
    const strict = new RedisJournal({ url, durability: "strict" });
    const relaxed = new RedisJournal({ url, durability: "relaxed" });
    try {
      const fault = await faultOfCall(strict.timeMs());
      expect(fault.code).toBe("store_unavailable");
      expect(fault.message).toContain("does not tell appendfsync; required is appendfsync always");
      expect(fault.message).not.toContain("word@");
      expect(await relaxed.create(1, "generation-1")).toBe(true);
      expect(relaxed.warnings()).toHaveLength(4);
    } finally {
      await Promise.all([strict.close(), relaxed.close()]);
      await bed.admin.call("ACL", "DELUSER", "plain");
    }
  });

  test("all as required, nothing is warned of", async () => {
    await bed.journal.timeMs();
    expect(bed.journal.warnings()).toEqual([]);
  });
});

describe("Redis away and back", () => {
  test("killed and started again: calls fail fast, then the same journal goes on", async () => {
    const term = await bed.created();
    await bed.journal.commit(batch(term, 1));
    await bed.redis.kill();
    await faultOfCall(bed.journal.check(term));
    const fromMs = performance.now();
    for (let call = 0; call < 20; call++) {
      expect((await faultOfCall(bed.journal.check(term))).code).toBe("store_unavailable");
    }
    expect(performance.now() - fromMs).toBeLessThan(DEADLINE_MS / 2);
    await bed.redis.restart();
    const check = await whenServed(() => bed.journal.check(term));
    expect(check).toMatchObject({ kind: "confirmed", seq: 1 });
    expect(await bed.stateOf()).toEqual(WRITTEN);
  });

  test("a journal made before there is a server fails, then serves", async () => {
    await bed.redis.kill();
    const early = bed.journalAt(bed.redis.port);
    try {
      expect((await faultOfCall(early.timeMs())).code).toBe("store_unavailable");
      await bed.redis.restart();
      expect(await whenServed(() => early.create(3, "generation-1"))).toBe(true);
    } finally {
      await early.close();
    }
  });

  test("a server that accepts and closes is tried again with pauses", async () => {
    const term = await bed.created();
    bed.proxy.acceptThenClose = true;
    const before = bed.proxy.accepted;
    bed.proxy.cutAll();
    await Bun.sleep(350);
    expect((await faultOfCall(bed.journal.check(term))).code).toBe("store_unavailable");
    // Two connections, at once and then every 100 ms.
    expect(bed.proxy.accepted - before).toBeLessThanOrEqual(10);
    bed.proxy.acceptThenClose = false;
    expect(await whenServed(() => bed.journal.check(term))).toMatchObject({ kind: "confirmed" });
  });

  test("SCRIPT FLUSH between two commits is not noticed", async () => {
    const term = await bed.created();
    await bed.journal.commit(batch(term, 1));
    await bed.admin.script("FLUSH");
    expect(await bed.journal.commit(batch(term, 2))).toMatchObject({ duplicate: false });
    expect(await bed.stateOf()).toEqual(["2", "20", ["1-0", "2-0"]]);
    expect(bed.proxy.accepted).toBe(2);
  });

  test("out of memory is a definite no, and trimming still works", async () => {
    const term = await bed.created();
    await bed.journal.commit(batch(term, 1));
    await bed.journal.writeSnapshot(term, { seq: 1, pieces: ["x"] });
    await bed.admin.config("SET", "maxmemory", "1");
    try {
      expect((await faultOfCall(bed.journal.commit(batch(term, 2)))).code).toBe(
        "store_unavailable",
      );
      expect(await bed.journal.check(term)).toMatchObject({ kind: "confirmed", seq: 1 });
      expect(await bed.journal.trim(term, 1)).toEqual({ kind: "done" });
    } finally {
      await bed.admin.config("SET", "maxmemory", "0");
    }
    expect(await bed.stateOf()).toEqual(["1", "10", []]);
    expect(await bed.journal.commit(batch(term, 2))).toMatchObject({ duplicate: false });
  });

  test("a replica confirms and commits nothing", async () => {
    const term = await bed.created();
    await bed.admin.call("REPLICAOF", "127.0.0.1", "1");
    try {
      const calls: (() => Promise<unknown>)[] = [
        () => bed.journal.check(term),
        () => bed.journal.commit(batch(term, 1)),
      ];
      for (const call of calls) {
        const fault = await faultOfCall(whenConnected(call));
        expect(fault.code).toBe("store_unavailable");
        expect(fault.message).toMatch(/READONLY|MASTERDOWN/);
      }
    } finally {
      await bed.admin.call("REPLICAOF", "NO", "ONE");
    }
  });
});

describe("what should never be", () => {
  test("a fence that was lost beside its journal is not made again", async () => {
    const term = await bed.created();
    await bed.journal.commit(batch(term, 1));
    await bed.admin.del(keysOf(P).fence);
    expect(await bed.journal.commit(batch(term, 2))).toEqual({ kind: "no_state" });
    expect((await faultOfCall(bed.journal.create(P, "generation-1"))).code).toBe("journal_corrupt");
    expect(await bed.admin.exists(keysOf(P).fence)).toBe(0);
  });

  test("a damaged fence halts its partition, and the connection stays for the others", async () => {
    const other = await bed.created(P + 1);
    const fields = ["view", "claim", "owner", "seq", "batch", "generation"];
    const term = { partition: P, view: 1, owner: "node-1" };
    for (const field of fields) {
      await bed.admin.del(keysOf(P).fence);
      await bed.created();
      await bed.admin.hdel(keysOf(P).fence, field);
      expect(await bed.journal.claim(term)).toEqual({ kind: "no_state" });
    }
    for (const field of ["view", "claim", "seq"]) {
      await bed.admin.del(keysOf(P).fence);
      await bed.created();
      await bed.admin.hset(keysOf(P).fence, field, "many");
      expect((await faultOfCall(bed.journal.claim(term))).code).toBe("journal_corrupt");
    }
    expect(await bed.journal.commit(batch(other, 1))).toMatchObject({ kind: "committed" });
    expect(bed.proxy.accepted).toBe(2);
  });

  test("a journal that is ahead of its fence takes no batch, and no stock moves", async () => {
    const term = await bed.created();
    await bed.admin.xadd(keysOf(P).journal, "5-0", "claim", "1", "bytes", "ahead");
    expect((await faultOfCall(bed.journal.commit(batch(term, 1)))).code).toBe("journal_corrupt");
    expect(await bed.stateOf()).toEqual(["0", null, ["5-0"]]);
  });

  test("a reply to another call ends the connection and is unknown", async () => {
    const term = await bed.created();
    // What check.lua would say, but to call 99.
    const liar = startLyingRedis(["99", "OK", String(term.claim), "0", "1000"]);
    const journal = bed.journalAt(liar.port);
    try {
      const fault = await faultOfCall(journal.check(term));
      expect(fault.code).toBe("unknown");
      expect(fault.message).toContain("does not answer the call");
    } finally {
      await journal.close();
      liar.stop();
    }
  });
});

test("a long backlog is trimmed in several calls, all of it and no more", async () => {
  const term = await bed.created();
  await bed.journal.commit(batch(term, 1));
  const pipeline = bed.admin.pipeline();
  for (let seq = 2; seq <= 2_500; seq++) {
    pipeline.xadd(keysOf(P).journal, `${seq}-0`, "claim", "1", "bytes", "x");
  }
  pipeline.hset(keysOf(P).fence, "seq", "2500");
  await pipeline.exec();
  await bed.journal.writeSnapshot(term, { seq: 2_450, pieces: ["x"] });
  const before = bed.proxy.replies;
  expect(await bed.journal.trim(term, 2_400)).toEqual({ kind: "done" });
  expect(bed.proxy.replies - before).toBe(3);
  const left = await bed.journal.read(P, 1, 1_000_000);
  expect([left.length, left[0]?.seq, left.at(-1)?.seq]).toEqual([100, 2_401, 2_500]);
});
