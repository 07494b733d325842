import { expect, test } from "bun:test";

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
