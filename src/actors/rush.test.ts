import { expect, test } from "bun:test";

import { A, holdOf, nodeBed } from "../../test/support/actors.ts";
import { Rush } from "./rush.ts";

/** Ticks of a tenth of a second, each with so many commands. */
function ticks(rush: Rush, count: number, commands: number): void {
  for (let tick = 0; tick < count; tick++) {
    for (let command = 0; command < commands; command++) rush.asked();
    rush.tick();
  }
}

test("on at 5,000 a second, off a while after the last of them", () => {
  const rush = new Rush();
  ticks(rush, 100, 490);
  expect(rush.isOn).toBe(false);
  ticks(rush, 1, 600);
  expect(rush.isOn).toBe(true);
  ticks(rush, 100, 6_000);
  ticks(rush, 23, 0);
  expect(rush.isOn).toBe(true);
  ticks(rush, 4, 0);
  expect(rush.isOn).toBe(false);
});

test("a stampede is a rush from its first tenth of a second on", () => {
  const rush = new Rush();
  ticks(rush, 1, 6_000);
  expect(rush.isOn).toBe(true);
});

test("a node counts its commands and its early refusals", async () => {
  const bed = await nodeBed();
  await bed.open({ released: 0 });
  expect(bed.node.refuseEarly(A)).toEqual({ kind: "sold_out" });
  for (let one = 0; one < 2_600; one++) bed.node.refuseEarly(A);
  for (let one = 0; one < 2_400; one++) void bed.ask(holdOf("s1"));
  expect(bed.node.isInRush()).toBe(false);
  await bed.runtime.advance(100);
  expect(bed.node.isInRush()).toBe(true);
  await bed.runtime.advance(1_000);
  expect(bed.node.isInRush()).toBe(false);
});
