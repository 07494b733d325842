import { describe, expect, test } from "bun:test";

import {
  CLUSTER_TICK_MS,
  EVICT_AFTER_MS,
  HEARTBEAT_MS,
  WELL_CONNECTED_MS,
} from "../core/limits.ts";
import { FailureDetector, type Findings } from "./failure-detector.ts";

const B = { id: "b", incarnation: "b1" };
const C = { id: "c", incarnation: "c1" };

/** An observer with a clock of its own; it hears its own heartbeats unless it is told not to. */
class Observer {
  readonly detector = new FailureDetector();
  nowMs = 0;
  connectedAtMs = 0;
  isEchoed = true;
  readonly hears = new Set<{ id: string; incarnation: string }>();
  #beatAtMs = 0;

  constructor() {
    this.detector.watch([B, C]);
  }

  look(afterMs = CLUSTER_TICK_MS): Findings {
    this.nowMs += afterMs;
    if (this.nowMs - this.#beatAtMs >= HEARTBEAT_MS) {
      this.#beatAtMs = this.nowMs;
      if (this.isEchoed) this.detector.echoed(this.nowMs);
      for (const peer of this.hears) this.detector.heard(peer);
    }
    const { nowMs, connectedAtMs } = this;
    return this.detector.look({ nowMs, connectedAtMs });
  }

  /** Looks on time for so long; returns what it found, with when. */
  run(forMs: number, lateMs = 0): { asked: Map<string, number>; evicted: Map<string, number> } {
    const asked = new Map<string, number>();
    const evicted = new Map<string, number>();
    const untilMs = this.nowMs + forMs;
    const fromMs = this.nowMs;
    while (this.nowMs < untilMs) {
      const { ask, evict } = this.look(CLUSTER_TICK_MS + lateMs);
      for (const { id } of ask) if (!asked.has(id)) asked.set(id, this.nowMs - fromMs);
      for (const { id } of evict) if (!evicted.has(id)) evicted.set(id, this.nowMs - fromMs);
    }
    return { asked, evicted };
  }
}

/** Connected for long, having heard both for long. */
function wellObserver(): Observer {
  const observer = new Observer();
  observer.hears.add(B);
  observer.hears.add(C);
  observer.run(WELL_CONNECTED_MS + 1_000);
  return observer;
}

describe("who lives", () => {
  test("who is heard is neither asked nor evicted", () => {
    const { asked, evicted } = wellObserver().run(60_000);
    expect(asked.size + evicted.size).toBe(0);
  });

  test("two missed heartbeats: asked; silent for 3 s: evicted; nobody else is", () => {
    const observer = wellObserver();
    observer.hears.delete(C);
    const { asked, evicted } = observer.run(5_000);
    expect([...asked.keys()]).toEqual(["c"]);
    expect(asked.get("c")).toBeLessThanOrEqual(2 * HEARTBEAT_MS + 2 * CLUSTER_TICK_MS);
    expect([...evicted.keys()]).toEqual(["c"]);
    expect(evicted.get("c")).toBeGreaterThan(EVICT_AFTER_MS - HEARTBEAT_MS);
    expect(evicted.get("c")).toBeLessThan(EVICT_AFTER_MS + 2 * CLUSTER_TICK_MS);
  });

  test("no responders after two missed heartbeats: evicted at the next look", () => {
    const observer = wellObserver();
    observer.hears.delete(C);
    while (observer.look().ask.length === 0);
    observer.detector.noResponder(C);
    expect(observer.look().evict).toEqual([{ ...C, reason: "no_responders" }]);
  });

  test("no responders, then a heartbeat: it had only connected again", () => {
    const observer = wellObserver();
    observer.hears.delete(C);
    while (observer.look().ask.length === 0);
    observer.detector.noResponder(C);
    observer.detector.heard(C);
    expect(observer.run(500).evicted.size).toBe(0);
  });

  test("no responders of a node that was heard a moment ago does not count", () => {
    const observer = wellObserver();
    observer.detector.noResponder(C);
    observer.hears.delete(C);
    expect(observer.run(400).evicted.size).toBe(0);
  });

  test("a new incarnation begins as just heard; the old one's heartbeat is not its own", () => {
    const observer = wellObserver();
    observer.hears.delete(C);
    observer.run(2_500);
    observer.detector.watch([B, { id: "c", incarnation: "c2" }]);
    observer.hears.add(C);
    const { evicted } = observer.run(2_500);
    expect(evicted.size).toBe(0);
    expect([...observer.run(1_000).evicted.keys()]).toEqual(["c"]);
  });
});

describe("a sick observer evicts nobody", () => {
  test("late looks, as of a starved process", () => {
    const observer = wellObserver();
    observer.hears.clear();
    expect(observer.run(20_000, 150).evicted.size).toBe(0);
  });

  test("a pause of 10 s: silence begins anew", () => {
    const observer = wellObserver();
    observer.hears.clear();
    expect(observer.look(10_000).evict).toEqual([]);
    expect(observer.run(EVICT_AFTER_MS - 200).evicted.size).toBe(0);
    expect(observer.run(400).evicted.size).toBe(2);
  });

  test("no responders found in a late look waits for one on time", () => {
    const observer = wellObserver();
    observer.hears.clear();
    while (observer.look().ask.length === 0);
    observer.detector.noResponder(C);
    expect(observer.look(5_000).evict).toEqual([]);
    expect(observer.look().evict).toEqual([{ ...C, reason: "no_responders" }]);
  });

  test("a connection of less than 3 s; each reconnect restarts the timers", () => {
    const observer = wellObserver();
    observer.hears.clear();
    observer.connectedAtMs = observer.nowMs + 60_000;
    expect(observer.run(60_000).evicted.size).toBe(0);
    expect(observer.run(WELL_CONNECTED_MS + EVICT_AFTER_MS - 300).evicted.size).toBe(0);
    expect(observer.run(600).evicted.size).toBe(2);
  });

  test("one that does not hear itself: its link is dead and nobody has noticed", () => {
    const observer = wellObserver();
    observer.hears.clear();
    observer.isEchoed = false;
    expect(observer.run(20_000).evicted.size).toBe(0);
  });
});
