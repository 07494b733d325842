// Commits of one turn: one script, and to each batch the answer that it would have had alone.

import { describe, expect, test } from "bun:test";

import { Redis } from "ioredis";

import { type Reply, startLyingRedis } from "../../../test/support/lying-redis.ts";
import { freePort } from "../../../test/support/ports.ts";
import {
  batch,
  faultOfCall,
  redisTestbed,
  whenServed,
  WRITTEN,
} from "../../../test/support/redis-testbed.ts";
import { startRedis } from "../../../test/support/servers.ts";
import { BATCH_BYTES_MAX } from "../../core/limits.ts";
import type { Commit, CommitResult, Term } from "../../core/ports/journal.ts";
import { GROUP_BATCHES_MAX, GROUP_BYTES_MAX } from "./gathered-commits.ts";
import { keysOf } from "./keys.ts";
import { RedisJournal } from "./redis-journal.ts";

const bed = await redisTestbed();

async function createdUpTo(count: number): Promise<readonly Term[]> {
  const terms: Term[] = [];
  for (let partition = 0; partition < count; partition++) terms.push(await bed.created(partition));
  return terms;
}

/** How many scripts Redis was asked for by `act`. */
async function scriptsOf(admin: Redis, act: () => Promise<unknown>): Promise<number> {
  await admin.config("RESETSTAT");
  await act();
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await admin.info("commandstats"))?.[1] ?? 0);
}

describe("commits of one turn", () => {
  test("are one script, those included that its promises make", async () => {
    const terms = await createdUpTo(12);
    const commit = async (term: Term, laterBy: number) => {
      for (let tick = 0; tick < laterBy; tick++) await Promise.resolve();
      return bed.journal.commit(batch(term, 1));
    };
    const scripts = await scriptsOf(bed.admin, async () => {
      const { promise, resolve } = Promise.withResolvers<readonly CommitResult[]>();
      setImmediate(() => resolve(Promise.all(terms.map(commit))));
      for (const result of await promise) {
        expect(result).toMatchObject({ kind: "committed", duplicate: false });
      }
    });
    expect(scripts).toBe(1);
    for (const { partition } of terms) expect(await bed.stateOf(partition)).toEqual(WRITTEN);
  });

  test.each([false, true])("hear each its own answer (reversed: %p)", async (isReversed) => {
    const granted = await bed.created(0);
    const withoutStock = await bed.created(1);
    const repeated = await bed.created(2);
    await bed.journal.commit(batch(repeated, 1));
    const stale = await bed.created(3);
    await bed.claimOf(3);
    const gap = await bed.created(4);
    const below = await bed.created(5);
    const ahead = await bed.created(6);
    await bed.admin.xadd(keysOf(6).journal, "5-0", "claim", "1", "bytes", "ahead");
    const lost = await bed.created(7);
    await bed.admin.del(keysOf(7).fence);

    const tooMany = [
      { skuKey: "s/b", delta: 2 },
      { skuKey: "s/a", delta: -1 },
    ];
    const calls: [Commit, object][] = [
      [batch(granted, 1), { kind: "committed", duplicate: false }],
      [
        { ...batch(withoutStock, 1), deltas: [] },
        { kind: "committed", duplicate: false },
      ],
      [batch(repeated, 1), { kind: "committed", duplicate: true }],
      [batch(stale, 1), { kind: "fenced", view: 1, claim: 2, owner: "node-1" }],
      [batch(gap, 3), { kind: "out_of_sequence", seq: 0 }],
      [
        { ...batch(below, 1), deltas: tooMany },
        { kind: "below_zero", skuKey: "s/a", available: 0 },
      ],
      [batch(ahead, 1), { code: "journal_corrupt" }],
      [batch(lost, 1), { kind: "no_state" }],
    ];
    if (isReversed) calls.reverse();
    const scripts = await scriptsOf(bed.admin, async () => {
      const answers = calls.map(([request]) =>
        bed.journal.commit(request).catch((cause: unknown) => cause),
      );
      for (const [index, answer] of (await Promise.all(answers)).entries()) {
        expect(answer).toMatchObject(calls[index]![1]);
      }
    });
    expect(scripts).toBe(1);

    const states = await Promise.all(
      [...Array(8).keys()].map((partition) => bed.stateOf(partition)),
    );
    const nothing = ["0", null, []];
    expect(states).toEqual([
      WRITTEN,
      ["1", null, ["1-0"]],
      WRITTEN,
      nothing,
      nothing,
      nothing,
      ["0", null, ["5-0"]],
      [null, null, []],
    ]);
  });

  test("leave in several scripts when they are large, and the largest alone", async () => {
    const terms = await createdUpTo(6);
    const half = GROUP_BYTES_MAX / 2;
    const sizes = [half, half, 1, BATCH_BYTES_MAX, 1, half];
    const scripts = await scriptsOf(bed.admin, async () => {
      const commits = terms.map((term, index) =>
        bed.journal.commit({ ...batch(term, 1), bytes: "x".repeat(sizes[index]!) }),
      );
      for (const { kind } of await Promise.all(commits)) expect(kind).toBe("committed");
    });
    expect(scripts).toBe(4);
    for (const { partition } of terms) expect(await bed.stateOf(partition)).toEqual(WRITTEN);
  });

  test("leave in several scripts when they are many", async () => {
    const terms = await createdUpTo(GROUP_BATCHES_MAX + 1);
    const scripts = await scriptsOf(bed.admin, async () => {
      const commits = terms.map((term) => bed.journal.commit(batch(term, 1)));
      for (const { kind } of await Promise.all(commits)) expect(kind).toBe("committed");
    });
    expect(scripts).toBe(2);
  });

  test("are all written once when Redis had lost its scripts", async () => {
    const terms = await createdUpTo(3);
    await bed.admin.script("FLUSH");
    const results = await Promise.all(terms.map((term) => bed.journal.commit(batch(term, 1))));
    for (const result of results) expect(result).toMatchObject({ duplicate: false });
    for (const { partition } of terms) expect(await bed.stateOf(partition)).toEqual(WRITTEN);
  });

  test("harm no other when what is stored of one is damaged, and the connection stays", async () => {
    const terms = await createdUpTo(5);
    await bed.admin.hset(keysOf(0).stock, "s/a", "many");
    await bed.admin.hset(keysOf(1).fence, "seq", "one");
    await bed.admin.hdel(keysOf(2).fence, "view", "owner");
    await bed.admin.set(keysOf(3).journal, "no stream");
    const accepted = bed.proxy.accepted;
    const results = await Promise.all(
      terms.map((term) => bed.journal.commit(batch(term, 1)).catch((cause: unknown) => cause)),
    );
    expect(results).toMatchObject([
      { code: "journal_corrupt" },
      { code: "journal_corrupt" },
      { kind: "no_state" },
      { code: "journal_corrupt" },
      { kind: "committed" },
    ]);
    expect(await bed.admin.hget(keysOf(0).stock, "s/a")).toBe("many");
    expect(await bed.admin.exists(keysOf(0).journal, keysOf(1).journal, keysOf(2).journal)).toBe(0);
    expect(await bed.journal.check(terms[4]!)).toMatchObject({ kind: "confirmed", seq: 1 });
    expect(bed.proxy.accepted).toBe(accepted);
  });

  test("whose reply is cut are all unknown, and each is written once", async () => {
    const terms = await createdUpTo(8);
    const cut = bed.proxy.cutReply(1, 100);
    const faults = await Promise.all(
      terms.map((term) => faultOfCall(bed.journal.commit(batch(term, 1)))),
    );
    await cut;
    expect(faults.map(({ code }) => code)).toEqual(Array(8).fill("unknown"));
    for (const { partition } of terms) {
      expect(await bed.stateOf(partition)).toEqual(WRITTEN);
      const again = await bed.journal.commit(batch(await bed.claimOf(partition), 1));
      expect(again).toMatchObject({ kind: "committed", duplicate: true });
      expect(await bed.stateOf(partition)).toEqual(WRITTEN);
    }
  });

  test("are all surely not written when there is no connection", async () => {
    const terms = await createdUpTo(3);
    await bed.journal.close();
    const faults = await Promise.all(
      terms.map((term) => faultOfCall(bed.journal.commit(batch(term, 1)))),
    );
    expect(faults.map(({ code }) => code)).toEqual(Array(3).fill("store_unavailable"));
  });

  test("that still wait when the journal is closed are surely not written", async () => {
    const term = await bed.created();
    const fault = faultOfCall(bed.journal.commit(batch(term, 1)));
    const closed = bed.journal.close();
    expect((await fault).code).toBe("store_unavailable");
    await closed;
    expect(await bed.stateOf()).toEqual(["0", null, []]);
  });
});

describe("a reply that is not right", () => {
  const term = (partition: number): Term => ({ partition, view: 1, owner: "node-1", claim: 1 });
  const right = ["OK", "1", "1", "batch-1", "1000"];

  /** What two commits hear when Redis answers the first call so. */
  async function heard(reply: Reply): Promise<readonly unknown[]> {
    const liar = startLyingRedis(reply);
    const journal = bed.journalAt(liar.port);
    try {
      const commits = [0, 1].map((partition) => journal.commit(batch(term(partition), 1)));
      const settled = await Promise.allSettled(commits);
      // The connection has served: nothing else may go over it.
      const later = await faultOfCall(journal.commit(batch(term(2), 1)));
      return [...settled.map(kindOf), later.code];
    } finally {
      await journal.close();
      liar.stop();
    }
  }

  function kindOf(settled: PromiseSettledResult<{ readonly kind: string }>): unknown {
    if (settled.status === "fulfilled") return settled.value.kind;
    return (settled.reason as { readonly code: unknown }).code;
  }

  test.each<[string, Reply]>([
    ["to another call", ["9", right, right]],
    ["of too few answers", ["1", right]],
    ["of too many answers", ["1", right, right, right]],
    ["without answers", ["1", "OK", "OK"]],
  ])("%s is unknown to all", async (_, reply) => {
    expect(await heard(reply)).toEqual(["unknown", "unknown", "store_unavailable"]);
  });

  test.each<[string, Reply]>([
    ["another batch", ["OK", "1", "1", "batch-2", "1000"]],
    ["another seq", ["OK", "1", "2", "batch-1", "1000"]],
    ["another claim", ["DUP", "2", "1", "batch-1", "1000"]],
    ["nothing", []],
    ["something else", ["OK", ["1"]]],
  ])("about %s is unknown to that one, and ends the connection", async (_, wrong) => {
    const codes = ["committed", "unknown", "store_unavailable"];
    expect(await heard(["1", right, wrong])).toEqual(codes);
  });

  test.each<[string, Reply, string]>([
    ["an error of which nothing is known", ["ERROR", "ERR something"], "unknown"],
    ["a script that was killed", ["ERROR", "user_script:9: Script killed by user"], "unknown"],
    ["a value that is none", ["ERROR", "user_script:9: attempt to compare nil"], "journal_corrupt"],
    ["an error before the first write", ["ERROR", "OOM command not allowed"], "store_unavailable"],
    ["a kind that nobody knows", ["NEW"], "unknown"],
  ])("about %s is for that one alone", async (_, answer, code) => {
    expect((await heard(["1", right, answer])).slice(0, 2)).toEqual(["committed", code]);
  });
});

test("a server that does not tell whether it has hash slots gets each batch alone", async () => {
  const terms = await createdUpTo(3);
  await bed.admin.call("ACL", "SETUSER", "plain", "on", ">word", "~*", "+@all", "-config");
  const url = `redis://plain:word@127.0.0.1:${bed.redis.port}`;
  const journal = new RedisJournal({ url, durability: "relaxed" });
  try {
    const scripts = await scriptsOf(bed.admin, async () => {
      const commits = terms.map((term) => journal.commit(batch(term, 1)));
      for (const { kind } of await Promise.all(commits)) expect(kind).toBe("committed");
    });
    expect(scripts).toBe(3);
  } finally {
    await journal.close();
    await bed.admin.call("ACL", "DELUSER", "plain");
  }
});

test("a server with hash slots gets each batch alone, since its keys are in one slot", async () => {
  const redis = await startRedis({
    config: { "cluster-enabled": "yes", "cluster-port": String(await freePort()) },
  });
  const admin = new Redis(redis.url);
  const journal = new RedisJournal({ url: redis.url, durability: "strict" });
  try {
    await admin.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    const terms: Term[] = [];
    for (let partition = 0; partition < 4; partition++) {
      await whenServed(() => journal.create(partition, "generation-1"));
      const claim = await journal.claim({ partition, view: 1, owner: "node-1" });
      if (claim.kind !== "claimed") throw new Error(claim.kind);
      terms.push({ partition, view: 1, owner: "node-1", claim: claim.claim });
    }
    const scripts = await scriptsOf(admin, async () => {
      const commits = terms.map((term) => journal.commit(batch(term, 1)));
      for (const { kind } of await Promise.all(commits)) expect(kind).toBe("committed");
    });
    expect(scripts).toBe(4);
  } finally {
    await journal.close();
    admin.disconnect();
    await redis.stop();
  }
}, 20_000);
