import { expect, test } from "bun:test";

import { type EventLog, EventStream } from "./event-stream.ts";

const BYTES = 10_000;

/** Event n is BYTES of the digit n mod 10; the whole is a W. */
function logOf(): EventLog & { latest: number; isGone: boolean; wholes: number } {
  const log = {
    latest: 0,
    isGone: false,
    wholes: 0,
    after(seen: number | null) {
      if (seen === log.latest) return null;
      if (seen === null) {
        log.wholes++;
        return { number: log.latest, bytes: new TextEncoder().encode("W") };
      }
      const bytes = new Uint8Array(BYTES).fill(48 + ((seen + 1) % 10));
      return { number: seen + 1, bytes };
    },
    gone() {
      log.isGone = true;
    },
  };
  return log;
}

async function textOf(chunk: Promise<{ value?: Uint8Array | undefined }>): Promise<string> {
  return new TextDecoder().decode((await chunk).value);
}

test("a reader that stalls is not sent what it missed, but the whole once it reads again", async () => {
  const log = logOf();
  const stream = new EventStream(log, 0, 0);
  for (let event = 1; event <= 1_000; event++) {
    log.latest = event;
    stream.catchUp(event);
  }
  expect(log.wholes).toBe(0);
  const reader = stream.readable.getReader();
  expect(await textOf(reader.read())).toStartWith("retry:");
  const read: string[] = [];
  for (let event = 1; event <= 7; event++) read.push((await textOf(reader.read()))[0]!);
  expect(read).toEqual(["1", "2", "3", "4", "5", "6", "7"]);
  stream.catchUp(1_001);
  expect(await textOf(reader.read())).toBe("W");
  log.latest++;
  stream.catchUp(1_002);
  expect((await textOf(reader.read()))[0]).toBe("1");
});

test("one that reads nothing for half a minute is dropped", () => {
  const log = logOf();
  const stream = new EventStream(log, 0, 0);
  log.latest = 100;
  stream.catchUp(0);
  for (let nowMs = 1_000; nowMs <= 30_000; nowMs += 1_000) stream.beat(nowMs);
  expect(log.isGone).toBe(false);
  stream.beat(31_000);
  expect(log.isGone).toBe(true);
});

test("an idle stream hears a comment within 10 s", async () => {
  const stream = new EventStream(logOf(), 0, 0);
  const reader = stream.readable.getReader();
  await reader.read();
  const comment = textOf(reader.read());
  for (let nowMs = 1_000; nowMs <= 10_000; nowMs += 1_000) stream.beat(nowMs);
  expect(await comment).toBe(": \n\n");
});

test("a reader that goes away is forgotten", async () => {
  const log = logOf();
  const stream = new EventStream(log, 0, 0);
  await stream.readable.cancel();
  expect(log.isGone).toBe(true);
  log.latest = 5;
  stream.catchUp(1);
  stream.beat(60_000);
  stream.end();
});
