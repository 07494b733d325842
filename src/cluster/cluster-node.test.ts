import { describe, expect, test } from "bun:test";

import { type BedNode, ClusterBed } from "../../test/support/cluster-bed.ts";
import type { MemberList } from "../core/ports/members.ts";

function viewsGrow(before: number, bed: ClusterBed): void {
  expect(bed.list.view).toBeGreaterThan(before);
}

function edited(bed: ClusterBed, edit: (list: MemberList) => unknown): void {
  bed.table.list = edit(structuredClone(bed.list)) as MemberList;
  bed.table.revision++;
  for (const { process, handler } of bed.table.hints) bed.world.after(1, process, handler);
}

function claimsOf(nodes: readonly BedNode[]): number {
  return nodes.reduce((sum, { local }) => sum + local.serving.length, 0);
}

describe("joining", () => {
  test("the first owns all; each that comes gets its share, partition by partition", () => {
    const bed = new ClusterBed(16);
    const a = bed.start("a");
    bed.until("a owns all", () => bed.isWhole([a]), 2_000);
    const b = bed.start("b");
    bed.until("b has its share", () => b.local.serving.length === 8, 3_000);
    expect(bed.isWhole([a, b])).toBe(true);
    expect(b.cluster.handOffCount).toBe(8);
    expect(a.local.given).toHaveLength(8);
    expect(bed.list.view).toBe(2);
  });

  test("what is not asked for yet is served on: at most 8 are on their way", () => {
    const bed = new ClusterBed(64);
    const a = bed.start("a");
    bed.until("a owns all", () => bed.isWhole([a]), 3_000);
    const b = bed.start("b");
    let least = 64;
    bed.until(
      "b has its share",
      () => {
        least = Math.min(least, claimsOf([a, b]));
        return b.local.serving.length === 32;
      },
      3_000,
    );
    expect(least).toBeGreaterThanOrEqual(64 - 8);
  });

  test("the busiest come first", () => {
    const bed = new ClusterBed(64);
    const a = bed.start("a");
    bed.until("a owns all", () => bed.isWhole([a]), 3_000);
    const b = bed.start("b");
    b.mayServe = false;
    bed.run(1_000);
    b.mayServe = true;
    bed.until("b is up", () => bed.list.members[1]?.state === "up", 1_000);
    const moved = bed.list.placement.flatMap((owner, partition) =>
      owner === "b" ? [partition] : [],
    );
    bed.until("b has them", () => b.local.serving.length === moved.length, 3_000);
    const first = a.local.given.slice(0, 8).sort((left, right) => left - right);
    expect(first).toEqual(moved.slice(0, 8));

    const busy = moved.slice(-3);
    for (const partition of busy) b.local.setDepth(partition, 100);
    bed.run(500);
    a.mayServe = true;
    b.mayServe = false;
    bed.until("a has them back", () => a.local.serving.length === 64, 4_000);
    expect(b.local.given.slice(0, 8)).toEqual(expect.arrayContaining(busy));
  });

  test("a living node of the same id is found: the second does not join", () => {
    const bed = new ClusterBed();
    const a = bed.start("a");
    bed.until("a owns all", () => bed.isWhole([a]), 2_000);
    const view = bed.list.view;
    // Two programs cannot share a simulated socket: the answer of the first is played by hand.
    const { incarnation } = bed.list.members[0]!;
    const twin = bed.start("a");
    bed.world.after(0, twin.process, () => {
      twin.bus.onMessage((payload) => {
        const [letter, , asking, number] = payload.split("\t");
        if (letter !== "p") return;
        twin.bus.send("a", `o\ta\t${incarnation}\t${asking}\t${number}`);
      });
    });
    bed.until("the twin gives up", () => twin.joined !== null, 5_000);
    expect(String(twin.joined)).toContain("another node with DOORBUSTER_NODE_ID=a is alive");
    expect(bed.list.view).toBe(view);
  });

  test("a dead one of the same id is replaced at once, under a new incarnation", () => {
    const bed = new ClusterBed();
    const [a, b] = bed.startAll("a", "b") as [BedNode, BedNode];
    bed.kill(b);
    const before = bed.list;
    const again = bed.start("b");
    bed.until("all is owned", () => bed.isWhole([a, again]), 2_500);
    expect(bed.ids).toEqual(["a", "b"]);
    expect(bed.list.placement).toEqual(before.placement);
    expect(bed.list.members[1]?.incarnation).not.toBe(before.members[1]?.incarnation);
    viewsGrow(before.view, bed);
  });

  test.each([
    ["another partition count", { partitions: 9 }, "the cluster has 8 partitions, this node has 9"],
    ["formats two apart", { formats: { oldest: 2, newest: 3 } }, "upgrade one version at a time"],
  ])("%s is refused with a clear message", (_, options, message) => {
    const bed = new ClusterBed();
    bed.startAll("a");
    const view = bed.list.view;
    const other = bed.start("b", options);
    bed.until("it gives up", () => other.joined !== null, 3_000);
    expect(String(other.joined)).toContain(message);
    expect(bed.list.view).toBe(view);
  });

  test("formats one apart meet: the lower is written until the last has been upgraded", () => {
    const bed = new ClusterBed();
    const [a] = bed.startAll("a") as [BedNode];
    const b = bed.start("b", { formats: { oldest: 1, newest: 2 } });
    bed.until("b is in", () => b.joined === "in", 3_000);
    expect(b.cluster.writtenFormat).toBe(1);
    bed.kill(a);
    bed.until("a is evicted", () => bed.ids.length === 1, 5_000);
    expect(b.cluster.writtenFormat).toBe(2);
    const late = bed.start("a");
    bed.until("it gives up", () => late.joined !== null, 3_000);
    expect(String(late.joined)).toContain("the cluster writes format 2, this node reads 1 to 1");
    expect(b.cluster.writtenFormat).toBe(2);
  });

  test("a node whose clock is off is a member that owns nothing, until it is right", () => {
    const bed = new ClusterBed();
    const [a] = bed.startAll("a") as [BedNode];
    const b = bed.start("b", { mayServe: false });
    bed.run(3_000);
    expect(b.joined).toBe("in");
    expect(bed.list.members[1]?.state).toBe("joining");
    expect(b.local.serving).toEqual([]);
    b.mayServe = true;
    bed.until("it has its share", () => b.local.serving.length === 4, 2_000);
    expect(bed.isWhole([a, b])).toBe(true);
  });
});

describe("dying, pausing, being cut off", () => {
  test("a killed node's partitions are served elsewhere within 2 s", () => {
    const bed = new ClusterBed(16);
    const [a, b, c] = bed.startAll("a", "b", "c") as [BedNode, BedNode, BedNode];
    bed.kill(b);
    const tookMs = bed.until("whole again", () => bed.isWhole([a, c]), 5_000);
    expect(tookMs).toBeLessThan(1_500);
    expect(bed.ids).toEqual(["a", "c"]);
  });

  test("a paused node is evicted after 3 s, evicts nobody, and comes back as another", () => {
    const bed = new ClusterBed(16);
    const [a, b, c] = bed.startAll("a", "b", "c") as [BedNode, BedNode, BedNode];
    const { incarnation } = b.cluster.membership;
    bed.world.pause(b.process);
    bed.run(2_500);
    expect(bed.ids).toEqual(["a", "b", "c"]);
    bed.run(8_000);
    expect(bed.ids).toEqual(["a", "c"]);
    expect(bed.isWhole([a, c])).toBe(true);
    bed.world.resume(b.process, "timer");
    bed.run(4_500);
    expect(bed.ids).toEqual(["a", "c"]);
    bed.until("b is back", () => bed.ids.length === 3, 2_000);
    bed.until("whole", () => bed.isWhole([a, b, c]), 2_000);
    expect(b.cluster.membership.incarnation).not.toBe(incarnation);
    expect(b.cluster.membership.evictionCount).toBe(0);
    expect(b.local.owner).toBe(`b/${b.cluster.membership.incarnation}`);
  });

  test("who is evicted again comes back after 30 s only", () => {
    const bed = new ClusterBed();
    const [, b] = bed.startAll("a", "b") as [BedNode, BedNode];
    for (const [lowMs, highMs] of [
      [4_500, 7_000],
      [29_000, 32_000],
    ] as const) {
      bed.world.pause(b.process);
      bed.until("it is evicted", () => bed.ids.length === 1, 8_000);
      bed.world.resume(b.process, "timer");
      const tookMs = bed.until("it is back", () => bed.ids.length === 2, 40_000);
      expect(tookMs).toBeGreaterThan(lowMs);
      expect(tookMs).toBeLessThan(highMs);
      bed.run(5_000);
    }
  });

  test("NATS away for 60 s: nobody is evicted by its return, nothing changes hands", () => {
    const bed = new ClusterBed(16);
    const nodes = bed.startAll("a", "b", "c");
    const { view } = bed.list;
    const claims = nodes.map(({ local }) => local.serving);
    bed.network.stopServer();
    bed.run(60_000);
    bed.network.startServer();
    bed.run(20_000);
    expect(bed.list.view).toBe(view);
    expect(nodes.map(({ local }) => local.serving)).toEqual(claims);
  });

  test("a node that died while NATS was away is evicted afterwards", () => {
    const bed = new ClusterBed(16);
    const [a, b, c] = bed.startAll("a", "b", "c") as [BedNode, BedNode, BedNode];
    bed.network.stopServer();
    bed.run(10_000);
    bed.kill(c);
    bed.network.startServer();
    bed.until("whole", () => bed.isWhole([a, b]), 6_000);
  });

  test("cut off, a node serves on and claims nothing; back, it learns that it was evicted", () => {
    const bed = new ClusterBed(16);
    const [a, b] = bed.startAll("a", "b") as [BedNode, BedNode];
    const mine = b.local.serving;
    bed.network.cutOff("b");
    bed.run(9_000);
    expect(bed.ids).toEqual(["a"]);
    expect(a.local.serving).toHaveLength(16);
    expect(b.local.serving).toEqual(mine);
    bed.network.reconnect("b");
    bed.until("b is back", () => bed.ids.length === 2, 12_000);
    bed.until("whole", () => bed.isWhole([a, b]), 2_000);
  });
});

describe("handing over", () => {
  test("one that does not give is not waited for: after 500 ms the new owner claims", () => {
    const bed = new ClusterBed();
    const [a] = bed.startAll("a") as [BedNode];
    a.local.givesAtAll = false;
    const b = bed.start("b");
    bed.until("b has its share", () => b.local.serving.length === 4, 3_000);
    expect(b.cluster.handOffCount).toBe(4);
  });

  test("fenced: not claimed again under that view; the view is raised when nothing newer comes", () => {
    const bed = new ClusterBed();
    const [a] = bed.startAll("a") as [BedNode];
    const { view } = bed.list;
    bed.fences.claim(3, view + 5, "stranger/1");
    a.local.commit(3);
    bed.run(500);
    expect(bed.list.view).toBe(view);
    bed.until("raised", () => bed.list.view > view, 2_000);
    expect(bed.list.view).toBe(view + 6);
    bed.until("whole", () => bed.isWhole([a]), 1_000);
  });

  test("a drained node gives all, leaves, and is not missed", () => {
    const bed = new ClusterBed(16);
    const [a, b, c] = bed.startAll("a", "b", "c") as [BedNode, BedNode, BedNode];
    void a.cluster.drain("b");
    bed.until("b has left", () => !bed.ids.includes("b"), 3_000);
    expect(b.local.serving).toEqual([]);
    expect(bed.isWhole([a, c])).toBe(true);
    expect(b.cluster.status).toBe("left");
    bed.run(40_000);
    expect(bed.ids).toEqual(["a", "c"]);
  });

  test("a drained node that cannot say so leaves as soon as it can", () => {
    const bed = new ClusterBed(16);
    const [a, b] = bed.startAll("a", "b") as [BedNode, BedNode];
    void a.cluster.drain("b");
    bed.until("b gives", () => b.local.given.length > 0, 2_000);
    bed.table.lostReplies = 1;
    bed.run(10_000);
    expect(b.cluster.status).not.toBe("left");
    bed.table.lostReplies = 0;
    bed.until("b has left", () => b.cluster.status === "left", 15_000);
    expect(bed.ids).toEqual(["a"]);
    bed.until("a owns all", () => bed.isWhole([a]), 15_000);
  });

  test("the last node that is drained keeps its partitions until another comes", () => {
    const bed = new ClusterBed();
    const [a] = bed.startAll("a") as [BedNode];
    void a.cluster.drain("a");
    bed.run(3_000);
    expect(bed.isWhole([a])).toBe(true);
    const b = bed.start("b");
    bed.until("b owns all", () => bed.isWhole([b]), 3_000);
    bed.until("a has left", () => bed.ids.length === 1, 2_000);
  });

  test("draining what is no member is not found", async () => {
    const bed = new ClusterBed();
    const [a] = bed.startAll("a") as [BedNode];
    const drained = a.cluster.drain("z");
    bed.run(1_000);
    expect(await drained).toBe("not_found");
  });
});

describe("a member list that was edited by hand", () => {
  test.each<[string, (list: MemberList) => unknown]>([
    ["garbage", () => null],
    ["another cluster's", (list) => ({ ...list, clusterId: "other", view: list.view + 9 })],
    ["another partition count", (list) => ({ ...list, partitions: 9, view: list.view + 9 })],
    ["an older view", (list) => ({ ...list, view: list.view - 1, members: [] })],
    ["the same view, other members", (list) => ({ ...list, members: list.members.slice(1) })],
  ])("%s is ignored, said aloud and replaced; nothing moves", (_, edit) => {
    const bed = new ClusterBed(16);
    const nodes = bed.startAll("a", "b");
    const before = bed.list;
    const claims = nodes.map(({ local }) => local.serving);
    if (edit(before) === null) {
      // The table cannot hold garbage; a list of nothing is as good.
      edited(bed, () => ({ ...before, view: 0, members: [], clusterId: "" }));
    } else edited(bed, edit);
    bed.run(3_000);
    expect(bed.list.members).toEqual(before.members);
    expect(bed.list.clusterId).toBe(before.clusterId);
    viewsGrow(before.view, bed);
    expect(nodes.map(({ local }) => local.serving)).toEqual(claims);
    expect(nodes.flatMap(({ lines }) => lines).join("\n")).toContain("member list is ignored");
  });

  test("a list that is gone is written again", () => {
    const bed = new ClusterBed(16);
    const nodes = bed.startAll("a", "b");
    const before = bed.list;
    edited(bed, () => null);
    bed.run(3_000);
    expect(bed.list.members).toEqual(before.members);
    viewsGrow(before.view, bed);
    expect(bed.isWhole(nodes)).toBe(true);
  });

  test("a store that lost its end: the next view is above every fence", () => {
    const bed = new ClusterBed();
    bed.fences.claim(0, 41, "older/1");
    const [a] = bed.startAll("a") as [BedNode];
    expect(bed.list.view).toBe(42);
    expect(bed.isWhole([a])).toBe(true);
  });
});
