import { expect, test } from "bun:test";

import { A, hear, holdOf, nodeBed } from "../../test/support/actors.ts";
import { REFUSAL_FRESH_MS, REQUEST_DEADLINE_MS } from "../core/limits.ts";
import { type Reading, Readings } from "./readings.ts";

const reading: Reading = {
  arrivedMs: 0,
  deadlineMs: 1,
  isStrict: true,
  answer: () => {},
  reject: () => {},
};

test("a question that comes after a turn took nothing is the next turn's, and only its", () => {
  const readings = new Readings();
  const first = readings.takeAll();
  readings.push(reading);
  expect(first).toEqual([]);
  expect(readings.takeAll()).toEqual([reading]);
  expect(readings.takeAll()).toEqual([]);
});

test("I9: a store that hangs makes a cart incomplete and counts null, before the request's end", async () => {
  const bed = await nodeBed();
  await bed.open();
  await bed.told(holdOf("s1"));
  await bed.runtime.advance(REFUSAL_FRESH_MS);
  bed.hand.hold("check");
  const cart = hear(bed.node.cart("s1"));
  const counts = hear(bed.node.counts([A]));
  await bed.runtime.advance(REQUEST_DEADLINE_MS - 200);
  expect(cart.value).toEqual({ holds: [], complete: false });
  expect(counts.value).toEqual([null]);
});
