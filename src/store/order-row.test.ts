import { expect, test } from "bun:test";

import { sampleOrder, stepOf } from "../../test/support/order-samples.ts";
import { assertStep, mayReopen } from "./order-row.ts";

const order = sampleOrder();

test("a step to a status in which something is left to do does not settle", () => {
  const step = stepOf(order, { from: ["created"], to: "awaiting_payment" });
  expect(() => assertStep(step)).not.toThrow();
  expect(() => assertStep({ ...step, settled: true })).toThrow("awaiting_payment is not settled");
});

test("only a step that leaves a status which may be settled can reopen an order", () => {
  const mayIt = (from: Parameters<typeof stepOf>[1]["from"], to: "refunding" | "failed" | "paid") =>
    mayReopen(stepOf(order, { from, to }));
  expect(mayIt(["paid"], "refunding")).toBe(true);
  expect(mayIt(["awaiting_payment", "paid"], "refunding")).toBe(true);
  expect(mayIt(["awaiting_payment"], "refunding")).toBe(false);
  expect(mayIt(["created"], "failed")).toBe(false);
  // It settles.
  expect(mayIt(["awaiting_payment"], "paid")).toBe(false);
});
