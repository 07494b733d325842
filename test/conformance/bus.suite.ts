// What everybody who speaks on the `Bus` port may rely on. Order is not promised, and so not tested.

import { afterEach, describe, expect, test } from "bun:test";

import type { Bus } from "../../src/core/ports/bus.ts";

export type BusWorld = {
  /** Another node of the cluster, or of another one on the same servers. */
  connect(nodeId: string, clusterId?: string): Promise<Bus>;
  /** Text on a node's subject as a stranger sends it. */
  inject(nodeId: string, text: string): void;
  /** Cuts this node's line; `mend` plugs it in again. */
  cut(nodeId: string): Promise<void>;
  mend(nodeId: string): Promise<void>;
  close(): Promise<void>;
};

/** What came in, with a way to wait for it: the wait is armed before its cause. */
export class Inbox {
  readonly texts: string[] = [];
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  readonly take = (text: string): void => {
    this.texts.push(text);
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (this.texts.length < count) return true;
      resolve();
      return false;
    });
  };

  has(count: number): Promise<void> {
    if (this.texts.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }
}

export function connected(bus: Bus, isConnected: boolean): Promise<void> {
  return new Promise((resolve) => {
    if (bus.isConnected === isConnected) return resolve();
    bus.onConnection((now) => {
      if (now === isConnected) resolve();
    });
  });
}

/**
 * What was sent before it has arrived, or never will. Sent again until it is heard: a server does
 * not know yet what a node that has just come back listens to, and drops what comes for it.
 */
export async function roundTrip(from: Bus, inbox: Inbox, nodeId: string): Promise<void> {
  const marker = `marker ${crypto.randomUUID()}`;
  while (!inbox.texts.includes(marker)) {
    const before = inbox.texts.length;
    from.send(nodeId, marker);
    await Promise.race([inbox.has(before + 1), Bun.sleep(100)]);
  }
}

export function busSuite(name: string, start: () => Promise<BusWorld>): void {
  const worlds: BusWorld[] = [];
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.close();
  });
  async function begin(): Promise<BusWorld> {
    const world = await start();
    worlds.push(world);
    return world;
  }
  function listen(bus: Bus): Inbox {
    const inbox = new Inbox();
    bus.onMessage(inbox.take);
    return inbox;
  }
  describe(`Bus on ${name}`, () => {
    test("a message reaches its node, whole, and no other", async () => {
      const world = await begin();
      const [a, b, c] = await Promise.all(["a", "b", "c"].map((id) => world.connect(id)));
      const [atB, atC] = [listen(b!), listen(c!)];
      const text = `ünïcode\ttabs\nlines ${"x".repeat(300_000)}`;
      a!.send("b", text);
      await atB.has(1);
      await roundTrip(a!, atC, "c");
      expect(atB.texts).toEqual([text]);
      expect(atC.texts).not.toContain(text);
    });

    test("a broadcast reaches every node, the sender too, by topic", async () => {
      const world = await begin();
      const a = await world.connect("a");
      const b = await world.connect("b");
      const [levelsA, levelsB, beatsB] = [new Inbox(), new Inbox(), new Inbox()];
      a.onBroadcast("levels", levelsA.take);
      b.onBroadcast("levels", levelsB.take);
      b.onBroadcast("heartbeat", beatsB.take);
      const at = listen(b);
      await roundTrip(a, at, "b");
      a.broadcast("levels", "one");
      await Promise.all([levelsA.has(1), levelsB.has(1)]);
      a.broadcast("heartbeat", "two");
      await beatsB.has(1);
      expect([levelsA.texts, levelsB.texts, beatsB.texts]).toEqual([["one"], ["one"], ["two"]]);
    });

    test("nobody listens: said at once, and not to those whose message arrived", async () => {
      const world = await begin();
      const a = await world.connect("a");
      const b = await world.connect("b");
      const at = listen(b);
      await roundTrip(a, at, "b");
      let wrong = 0;
      a.send("b", "there", () => {
        wrong++;
      });
      const startedMs = performance.now();
      await new Promise<void>((resolve) => a.send("nobody", "gone", resolve));
      expect(performance.now() - startedMs).toBeLessThan(500);
      await roundTrip(a, at, "b");
      expect(at.texts).toContain("there");
      expect(wrong).toBe(0);
    });

    test("a node that has closed is nobody", async () => {
      const world = await begin();
      const a = await world.connect("a");
      const b = await world.connect("b");
      await b.close();
      // What is on its way while the server notices is lost, as with any crash.
      const heard: string[] = [];
      while (heard.length === 0) {
        a.send("b", "gone", () => heard.push("nobody listens"));
        await new Promise<void>((resolve) => a.send("nobody", "after it", resolve));
      }
      expect(b.isConnected).toBe(false);
      expect(b.connectedAtMs).toBe(Number.POSITIVE_INFINITY);
    });

    test("cut off: it knows, and what is sent meanwhile never arrives", async () => {
      const world = await begin();
      const a = await world.connect("a");
      const b = await world.connect("b");
      const at = listen(b);
      await roundTrip(a, at, "b");
      const heard: boolean[] = [];
      a.onConnection((isConnected) => heard.push(isConnected));
      const beforeMs = a.connectedAtMs;
      await world.cut("a");
      await connected(a, false);
      expect(a.connectedAtMs).toBe(Number.POSITIVE_INFINITY);
      let answers = 0;
      for (let count = 0; count < 20; count++) a.send("b", "lost", () => answers++);
      a.broadcast("levels", "lost");
      await world.mend("a");
      await connected(a, true);
      expect(a.connectedAtMs).toBeGreaterThan(beforeMs);
      await roundTrip(a, at, "b");
      expect(at.texts).not.toContain("lost");
      expect(answers).toBe(0);
      expect(heard).toEqual([false, true]);
    });

    test("after a cut a node hears again what is sent to it", async () => {
      const world = await begin();
      const a = await world.connect("a");
      const b = await world.connect("b");
      const at = listen(b);
      const levels = new Inbox();
      b.onBroadcast("levels", levels.take);
      await world.cut("b");
      await connected(b, false);
      await world.mend("b");
      await connected(b, true);
      await roundTrip(a, at, "b");
      a.broadcast("levels", "back");
      await levels.has(1);
    });

    test("two clusters on one server never hear each other, equal ids or not", async () => {
      const world = await begin();
      const a = await world.connect("a", "red");
      const red = await world.connect("b", "red");
      const blue = await world.connect("b", "blue");
      const [atRed, atBlue] = [listen(red), listen(blue)];
      const levels = new Inbox();
      blue.onBroadcast("levels", levels.take);
      a.send("b", "for red");
      a.broadcast("levels", "for red");
      await atRed.has(1);
      const other = await world.connect("c", "blue");
      await roundTrip(other, atBlue, "b");
      expect(atBlue.texts).not.toContain("for red");
      expect(levels.texts).toEqual([]);
    });

    test("garbage and other formats are ignored, and a handler that throws stops no other", async () => {
      const world = await begin();
      const a = await world.connect("a");
      const b = await world.connect("b");
      const at = listen(b);
      b.onMessage((text) => {
        if (text === "boom") throw new Error("a bug of ours");
      });
      const after = listen(b);
      for (const text of ["", "\n", "\u0000\uffff", "7\tcluster-1\nq", "-1\t\n", "1\tcluster-1"]) {
        world.inject("b", text);
      }
      a.send("b", "boom");
      await after.has(1);
      await roundTrip(a, after, "b");
      expect(at.texts.filter((text) => !text.startsWith("marker"))).toEqual(["boom"]);
    });
  });
}
