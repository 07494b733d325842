import { expect, test } from "bun:test";

import fc from "fast-check";

import type { Charge } from "../../core/ports/payments.ts";
import { type BookCharge, decide, type Decision, type Request } from "./decide.ts";

const orderId = "ord_1";
const payUntilMs = 10_000;
const lateMs = 5_000;

function chargeOf(token: string, amountMinor = 700): Request {
  const charge: Charge = { orderId, amountMinor, currency: "INR", token, payUntilMs };
  return { kind: "charge", charge };
}

const ask = (kind: "inquire" | "void" | "refund"): Request => ({ kind, orderId });

/** Runs requests, each at its time, from an empty book. */
function run(steps: readonly (readonly [atMs: number, request: Request])[]) {
  let row: BookCharge | null = null;
  const decisions: Decision[] = [];
  for (const [nowMs, request] of steps) {
    const decision = decide(row, request, { nowMs, lateMs });
    row = decision.write ?? row;
    decisions.push(decision);
  }
  return {
    row,
    answers: decisions.map(({ answer }) => answer?.kind ?? "mismatch"),
    events: decisions.flatMap(({ events }) => events),
  };
}

const LATE = chargeOf("tok_late_ok");
const OK = chargeOf("tok_ok");
const DUE_MS = payUntilMs + lateMs;

const TABLE: [string, [number, Request][], string[], string[]][] = [
  ["tok_ok pays", [[0, OK]], ["paid"], ["charge.paid"]],
  ["tok_slow pays", [[0, chargeOf("tok_slow")]], ["paid"], ["charge.paid"]],
  ["tok_timeout_then_ok pays", [[0, chargeOf("tok_timeout_then_ok")]], ["paid"], ["charge.paid"]],
  ["tok_event_twice pays", [[0, chargeOf("tok_event_twice")]], ["paid"], ["charge.paid"]],
  ["tok_declined declines", [[0, chargeOf("tok_declined")]], ["declined"], ["charge.declined"]],
  ["any other token declines", [[0, chargeOf("4242")]], ["declined"], ["charge.declined"]],
  [
    "a repeat hears the first answer",
    [
      [0, OK],
      [9e9, OK],
    ],
    ["paid", "paid"],
    ["charge.paid"],
  ],
  [
    "another token does not change the first answer",
    [
      [0, chargeOf("tok_declined")],
      [1, OK],
    ],
    ["declined", "declined"],
    ["charge.declined"],
  ],
  [
    "another amount is a mismatch",
    [
      [0, OK],
      [1, chargeOf("tok_ok", 701)],
    ],
    ["paid", "mismatch"],
    ["charge.paid"],
  ],
  ["nothing is known before a charge", [[0, ask("inquire")]], ["not_found"], []],
  ["nothing is refunded before a charge", [[0, ask("refund")]], ["not_found"], []],
  [
    "void before charge wins",
    [
      [0, ask("void")],
      [1, OK],
    ],
    ["voided", "voided"],
    [],
  ],
  [
    "void after charge is too late",
    [
      [0, OK],
      [1, ask("void")],
    ],
    ["paid", "paid"],
    ["charge.paid"],
  ],
  [
    "void after a decline changes nothing",
    [
      [0, chargeOf("no")],
      [1, ask("void")],
    ],
    ["declined", "declined"],
    ["charge.declined"],
  ],
  [
    "refund is whole and once",
    [
      [0, OK],
      [1, ask("refund")],
      [2, ask("refund")],
    ],
    ["paid", "paid", "paid"],
    ["charge.paid", "charge.refunded"],
  ],
  [
    "a declined charge is not refunded",
    [
      [0, chargeOf("no")],
      [1, ask("refund")],
    ],
    ["declined", "declined"],
    ["charge.declined"],
  ],
  [
    "tok_late_ok is pending, also repeated",
    [
      [0, LATE],
      [DUE_MS - 1, LATE],
    ],
    ["pending", "pending"],
    [],
  ],
  [
    "tok_late_ok pays when due",
    [
      [0, LATE],
      [DUE_MS, ask("inquire")],
    ],
    ["pending", "paid"],
    ["charge.paid"],
  ],
  [
    "a void before that wins",
    [
      [0, LATE],
      [DUE_MS - 1, ask("void")],
      [DUE_MS, LATE],
    ],
    ["pending", "voided", "voided"],
    [],
  ],
  [
    "a void at that moment is too late",
    [
      [0, LATE],
      [DUE_MS, ask("void")],
    ],
    ["pending", "paid"],
    ["charge.paid"],
  ],
  [
    "a clock that goes back takes no payment back",
    [
      [0, LATE],
      [DUE_MS, ask("inquire")],
      [0, ask("void")],
    ],
    ["pending", "paid", "paid"],
    ["charge.paid"],
  ],
  [
    "a refund of a charge that just became due",
    [
      [0, LATE],
      [DUE_MS, ask("refund")],
    ],
    ["pending", "paid"],
    ["charge.paid", "charge.refunded"],
  ],
  [
    "a pending charge is not refunded",
    [
      [0, LATE],
      [1, ask("refund")],
    ],
    ["pending", "pending"],
    [],
  ],
];

for (const [what, steps, answers, events] of TABLE) {
  test(what, () => {
    const ran = run(steps);
    expect(ran.answers as string[]).toEqual(answers);
    expect(ran.events as string[]).toEqual(events);
  });
}

test("D1 to D4 hold after every step of any history", () => {
  const request = fc.oneof(
    fc
      .tuple(fc.constantFrom("tok_ok", "tok_declined", "tok_late_ok"), fc.constantFrom(700, 701))
      .map(([token, amountMinor]) => chargeOf(token, amountMinor)),
    fc.constantFrom("inquire" as const, "void" as const, "refund" as const).map(ask),
  );
  const history = fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), request), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(history, (steps) => {
      const ends: (BookCharge | null)[] = [null];
      let paidEvents = 0;
      let refundedEvents = 0;
      for (const [nowMs, asked] of steps) {
        const before = ends.at(-1) ?? null;
        const decision = decide(before, asked, { nowMs, lateMs });
        const after = decision.write ?? before;
        ends.push(after);
        if (before !== null && after !== null) {
          const isFinal = before.state !== "pending";
          if (isFinal) expect(after.state).toBe(before.state);
          expect(after.amountMinor).toBe(before.amountMinor);
          expect(after.refundedMinor).toBeGreaterThanOrEqual(before.refundedMinor);
        }
        if (after !== null && decision.answer !== null) {
          expect<string>(decision.answer.kind).toBe(after.state);
        }
        paidEvents += decision.events.filter((type) => type === "charge.paid").length;
        refundedEvents += decision.events.filter((type) => type === "charge.refunded").length;
      }
      const isPaid = ends.at(-1)?.state === "paid";
      const isRefunded = (ends.at(-1)?.refundedMinor ?? 0) > 0;
      expect([paidEvents, refundedEvents]).toEqual([Number(isPaid), Number(isRefunded)]);
    }),
    { numRuns: 5_000 },
  );
});
