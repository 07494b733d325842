import { expect, test } from "bun:test";

import { Fault } from "../core/errors.ts";
import { CallLane } from "./call-lane.ts";

function laneOf(options: { deadlineMs?: number; atOnceMax?: number; waitingMax?: number } = {}) {
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
