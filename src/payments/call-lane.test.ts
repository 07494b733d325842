import { expect, test } from "bun:test";

import { Fault } from "../core/errors.ts";
import { CallLane, type CallLaneOptions } from "./call-lane.ts";

function laneOf(options: Partial<CallLaneOptions> = {}) {
  return new CallLane({ name: "test", deadlineMs: 60, atOnceMax: 2, waitingMax: 3, ...options });
}

const never = () => new Promise<never>(() => {});

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "settled";
  } catch (cause) {
    return cause instanceof Fault ? cause.code : "another error";
  }
}

test("L1: a call that ignores its signal still settles at its deadline", async () => {
  const startedMs = performance.now();
  let signal: AbortSignal | undefined;
  const call = laneOf().run((given) => {
    signal = given;
    return never();
  });
  expect(await codeOf(call)).toBe("payment_unavailable");
  const elapsedMs = performance.now() - startedMs;
  expect(elapsedMs).toBeGreaterThanOrEqual(59);
  expect(elapsedMs).toBeLessThan(1_000);
  expect(signal?.aborted).toBe(true);
});

test("L2: so many run, so many wait, one more is refused at once", async () => {
  const lane = laneOf();
  let running = 0;
  const calls = Array.from({ length: 5 }, () =>
    lane.run(() => {
      running += 1;
      return never();
    }),
  );
  expect(running).toBe(2);
  expect(await codeOf(lane.run(() => Promise.resolve(1)))).toBe("payment_unavailable");
  expect(running).toBe(2);
  await Promise.all(calls.map(codeOf));
  expect(await lane.run(() => Promise.resolve(7))).toBe(7);
});

test("L3: a call that expired while it waited is never sent", async () => {
  const lane = laneOf({ atOnceMax: 1 });
  const first = lane.run(never);
  let wasSent = false;
  const second = lane.run(async () => {
    wasSent = true;
  });
  expect(await codeOf(first)).toBe("payment_unavailable");
  expect(await codeOf(second)).toBe("payment_unavailable");
  expect(wasSent).toBe(false);
});

test("10,000 calls through two places all settle, in order, each with its own answer", async () => {
  const lane = laneOf({ deadlineMs: 20_000, waitingMax: 10_000 });
  const started: number[] = [];
  let running = 0;
  let mostRunning = 0;
  const calls = Array.from({ length: 10_000 }, (_, index) =>
    lane.run(async () => {
      started.push(index);
      mostRunning = Math.max(mostRunning, ++running);
      await Promise.resolve();
      running -= 1;
      return index;
    }),
  );
  expect(await Promise.all(calls)).toEqual(started);
  expect(started).toEqual([...started].sort((a, b) => a - b));
  expect(mostRunning).toBe(2);
});

test("L4: above promptMax calls wait for a prompt server, and run all the same at a slow one", async () => {
  const lane = laneOf({ promptMax: 2, atOnceMax: 4, waitingMax: 4, deadlineMs: 5_000 });
  const ends: (() => void)[] = [];
  const calls = Array.from({ length: 6 }, () =>
    lane.run(() => new Promise<number>((resolve) => ends.push(() => resolve(1)))),
  );
  expect(ends.length).toBe(2);
  ends[0]?.();
  await calls[0];
  // A place was free, so the next took it at once.
  expect(ends.length).toBe(3);
  while (ends.length < 5) await Bun.sleep(1);
  // Four run now; the sixth has to wait for a place, for however long.
  await Bun.sleep(30);
  expect(ends.length).toBe(5);
  ends[1]?.();
  ends[2]?.();
  while (ends.length < 6) await Bun.sleep(1);
  for (const end of ends) end();
  expect(await Promise.all(calls)).toEqual(Array(6).fill(1));
});

test("what the work throws is a fault with its cause", async () => {
  const cause = new TypeError("connection refused");
  const fault = await laneOf()
    .run(() => Promise.reject(cause))
    .catch((thrown: unknown) => thrown);
  expect(fault).toBeInstanceOf(Fault);
  expect((fault as Fault).cause).toBe(cause);
  expect((fault as Fault).retry).toBe("same_request");
});

test("a call that settles late changes nothing: its place was freed once", async () => {
  const lane = laneOf({ atOnceMax: 1, deadlineMs: 30 });
  const held = Promise.withResolvers<string>();
  expect(await codeOf(lane.run(() => held.promise))).toBe("payment_unavailable");
  held.resolve("late");
  await held.promise;
  let running = 0;
  const calls = [1, 2].map(() =>
    lane.run(() => {
      running += 1;
      return never();
    }),
  );
  expect(running).toBe(1);
  await Promise.all(calls.map(codeOf));
});

test("expireAll ends every call, sent or waiting, without waiting for the deadline", async () => {
  const lane = laneOf({ deadlineMs: 60_000 });
  const calls = Array.from({ length: 5 }, () => lane.run(never));
  lane.expireAll();
  expect(await Promise.all(calls.map(codeOf))).toEqual(Array(5).fill("payment_unavailable"));
});
