// What the wire does to the journal: cut replies and servers that hang.

import { describe, expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";

import {
  batch,
  DEADLINE_MS,
  faultOfCall,
  P,
  redisTestbed,
  SLACK_MS,
  whenServed,
  WRITTEN,
} from "../../../test/support/redis-testbed.ts";
import { Fault } from "../../core/errors.ts";
import type { CommitResult, Term } from "../../core/ports/journal.ts";
import { keysOf } from "./keys.ts";

const bed = await redisTestbed();

/** Every kind of call once, each settled as the partition would settle it. */
async function oneLife(): Promise<void> {
  await settle(() => bed.journal.create(P, "generation-1"));
  const commit = async (seq: number): Promise<CommitResult> =>
    settle(async () => bed.journal.commit(batch(await bed.claimOf(), seq)));
  expect(await commit(1)).toMatchObject({ kind: "committed" });
  expect(await commit(2)).toMatchObject({ kind: "committed" });
  const term = await settle(() => bed.claimOf());
  expect(await settle(() => bed.journal.check(term))).toMatchObject({
    kind: "confirmed",
    seq: 2,
  });
  const snapshot = { seq: 1, pieces: ["one", "two", "three"] };
  await settle(() => bed.journal.writeSnapshot(term, snapshot));
  expect(await settle(() => bed.journal.snapshotOf(P))).toEqual(snapshot);
  expect(await settle(() => bed.journal.trim(term, 2))).toEqual({ kind: "done" });
  expect(await settle(() => bed.journal.release(term))).toEqual({ kind: "done" });
  expect(await settle(() => bed.journal.stockOf(P))).toEqual(new Map([["s/a", 20]]));
  expect(await bed.stateOf()).toEqual(["2", "20", ["2-0"]]);
  expect(await bed.admin.exists(keysOf(P).staging)).toBe(0);
}

/** As a partition settles it: until the answer is definite. */
async function settle<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await whenServed(call);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== "unknown") throw error;
    }
  }
}

const calls = (term: Term): readonly [string, () => Promise<unknown>][] => [
  ["claim", () => bed.journal.claim(term)],
  ["commit", () => bed.journal.commit(batch(term, 1))],
  ["check", () => bed.journal.check(term)],
  ["release", () => bed.journal.release(term)],
  ["timeMs", () => bed.journal.timeMs()],
  ["create", () => bed.journal.create(8, "generation-1")],
  ["writeSnapshot", () => bed.journal.writeSnapshot(term, { seq: 1, pieces: ["a", "b"] })],
  ["trim", () => bed.journal.trim(term, 0)],
  ["read", () => bed.journal.read(P, 1, 1_000)],
  ["snapshotOf", () => bed.journal.snapshotOf(P)],
  ["stockOf", () => bed.journal.stockOf(P)],
  ["highestView", () => bed.journal.highestView(64)],
];

/** Inodes of the sockets that this process has open. */
function ownSockets(): ReadonlySet<string> {
  const sockets = new Set<string>();
  for (const name of readdirSync("/proc/self/fd")) {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`);
      if (target.startsWith("socket:")) sockets.add(target);
    } catch (error) {
      // The folder's own descriptor is gone when its entry is read.
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  return sockets;
}

describe("a cut reply", () => {
  test.each([0, 1, 20])("of a commit (%d bytes pass): unknown, one effect", async (bytesPassed) => {
    const term = await bed.created();
    const cut = bed.proxy.cutReply(1, bytesPassed);
    const fault = await faultOfCall(bed.journal.commit(batch(term, 1)));
    await cut;
    expect(fault.code).toBe("unknown");
    expect(await bed.stateOf()).toEqual(WRITTEN);

    const next = await bed.claimOf();
    const again = await bed.journal.commit(batch(next, 1));
    expect(again).toMatchObject({ kind: "committed", duplicate: true });
    expect(await bed.stateOf()).toEqual(WRITTEN);
  });

  test("after which the request never arrived: the same batch is written once", async () => {
    const term = await bed.created();
    bed.proxy.pause();
    const lost = faultOfCall(bed.journal.commit(batch(term, 1)));
    bed.proxy.cutAll();
    bed.proxy.resume();
    expect((await lost).code).toBe("unknown");
    const next = await bed.claimOf();
    const again = await bed.journal.commit(batch(next, 1));
    expect(again).toMatchObject({ kind: "committed", duplicate: false });
    expect(await bed.stateOf()).toEqual(WRITTEN);
  });

  test("anywhere in a life, opening included: all calls settle and each has one effect", async () => {
    let cuts = 0;
    for (let nth = 1; ; nth++) {
      await bed.admin.flushall();
      await bed.journal.close();
      let isCut = false;
      void bed.proxy.cutReply(nth).then(() => (isCut = true));
      bed.journal = bed.journalAt(bed.proxy.port);
      await oneLife();
      if (!isCut) break;
      cuts += 1;
    }
    bed.proxy.cutNothing();
    // Two connections are opened and ten calls made, so there are at least that many replies.
    expect(cuts).toBeGreaterThanOrEqual(12);
  }, 60_000);

  test("all commits in flight on the connection are unknown, none hangs", async () => {
    const terms = [];
    for (let partition = 0; partition < 8; partition++) terms.push(await bed.created(partition));
    const cut = bed.proxy.cutReply(1);
    const faults = await Promise.all(
      terms.map((term) => faultOfCall(bed.journal.commit(batch(term, 1)))),
    );
    await cut;
    expect(faults.map(({ code }) => code)).toEqual(Array(8).fill("unknown"));
  });

  test("between two pieces of a snapshot leaves the old one, and nothing later", async () => {
    const term = await bed.created();
    await bed.journal.commit(batch(term, 1));
    await bed.journal.commit(batch(term, 2));
    await bed.journal.writeSnapshot(term, { seq: 1, pieces: ["old"] });
    const cut = bed.proxy.cutReply(2);
    const half = { seq: 2, pieces: ["a", "b", "c"] };
    expect((await faultOfCall(bed.journal.writeSnapshot(term, half))).code).toBe("unknown");
    await cut;
    expect(await whenServed(() => bed.journal.snapshotOf(P))).toEqual({ seq: 1, pieces: ["old"] });
    expect(await bed.admin.exists(keysOf(P).staging)).toBe(1);

    const whole = { seq: 2, pieces: ["d"] };
    expect(await bed.journal.writeSnapshot(term, whole)).toEqual({ kind: "done" });
    expect(await bed.journal.snapshotOf(P)).toEqual(whole);
    expect(await bed.admin.exists(keysOf(P).staging)).toBe(0);
  });
});

describe("a server that hangs", () => {
  test("every call settles within its deadline, later ones at once, and then it goes on", async () => {
    const term = await bed.created();
    bed.redis.pause();
    try {
      const fromMs = performance.now();
      const faults = await Promise.all(calls(term).map(([, call]) => faultOfCall(call())));
      expect(performance.now() - fromMs).toBeLessThan(2 * DEADLINE_MS + SLACK_MS);
      expect(new Set(faults.map(({ code }) => code))).toEqual(new Set(["unknown"]));

      const laterFromMs = performance.now();
      const later = await Promise.all(calls(term).map(([, call]) => faultOfCall(call())));
      expect(performance.now() - laterFromMs).toBeLessThan(DEADLINE_MS / 2);
      expect(new Set(later.map(({ code }) => code))).toEqual(new Set(["store_unavailable"]));
    } finally {
      bed.redis.resume();
    }
    // The frozen server had the commit in its socket buffer: it may or may not run it now.
    const next = await bed.claimOf();
    expect(await bed.journal.commit(batch(next, 1))).toMatchObject({ kind: "committed" });
    expect(await bed.stateOf()).toEqual(WRITTEN);
  });

  test("its sockets are given up, not left to send what was buffered", async () => {
    // The testbed's own connections are there then.
    await bed.created();
    const before = ownSockets();
    const direct = bed.journalAt(bed.redis.port);
    await direct.timeMs();
    await direct.highestView(1);
    const opened = [...ownSockets()].filter((socket) => !before.has(socket));
    expect(opened).toHaveLength(2);
    bed.redis.pause();
    try {
      await Promise.all([faultOfCall(direct.timeMs()), faultOfCall(direct.highestView(1))]);
      // A socket is closed at the end of the turn in which it was destroyed.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const after = ownSockets();
      expect(opened.filter((socket) => after.has(socket))).toEqual([]);
    } finally {
      bed.redis.resume();
      await direct.close();
    }
  });

  test("opening a connection to it fails within its deadline too", async () => {
    bed.redis.pause();
    const fresh = bed.journalAt(bed.redis.port);
    try {
      const fromMs = performance.now();
      const fault = await faultOfCall(fresh.timeMs());
      expect(fault.code).toBe("store_unavailable");
      expect(performance.now() - fromMs).toBeLessThan(2 * DEADLINE_MS + SLACK_MS);
    } finally {
      bed.redis.resume();
      await fresh.close();
    }
  });

  test("close settles what is in flight", async () => {
    const term = await bed.created();
    bed.proxy.pause();
    const fault = faultOfCall(bed.journal.commit(batch(term, 1)));
    // The commit is sent in the microtasks of this turn.
    await new Promise<void>((resolve) => setImmediate(resolve));
    await bed.journal.close();
    expect((await fault).code).toBe("unknown");
  });
});
