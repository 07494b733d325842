// The checker is proven: true histories pass, and each way of breaking one is caught.

import { describe, expect, test } from "bun:test";

import { randomFrom } from "./buyers.ts";
import { opsOf } from "./checker-ops.ts";
import { randomStory, SKU_KEY, Story } from "./checker-story.ts";
import { searchWindow } from "./checker-window.ts";
import { check, type Evidence } from "./checker.ts";
import type { HistoryLine } from "./history.ts";

const SEEDS = Array.from({ length: 30 }, (_, seed) => seed + 1);
const SHOP = { stock: 5, limit: 3 };

describe("true stories", () => {
  test.each(SEEDS)("pass (seed %i)", (seed) => {
    const story = randomStory(randomFrom(seed), 180);
    expect(check(story)).toEqual([]);
    expect(searchWindow(opsOf(story.history, []).skus, SHOP)).toBe("linearizable");
  });
});

/** Two shoppers take all five; ann buys hers, bob asks for more, cem hears that all is held. */
function told(): Story {
  const story = new Story(SHOP);
  story.hold({ shopper: "ann", atMs: 100 }, 3);
  story.hold({ shopper: "bob", atMs: 2_000 }, 2);
  story.hold({ shopper: "cem", atMs: 4_000 }, 1);
  story.buy({ shopper: "ann", atMs: 6_000 }, 3, "key-1");
  story.giveBack({ shopper: "bob", atMs: 8_000 });
  story.hold({ shopper: "cem", atMs: 10_000 }, 1);
  return story;
}

function changedLine(
  { history, ...rest }: Evidence,
  index: number,
  change: Partial<HistoryLine>,
): Evidence {
  const lines = history.map((line, at) => (at === index ? { ...line, ...change } : line));
  return { ...rest, history: lines };
}

const refused = (code: string, more = {}): Partial<HistoryLine> => {
  return { status: 409, answer: JSON.stringify({ code, ...more }) };
};

/** Renumbered, so that only what is missing is wrong. */
function withoutRow({ ledger, ...rest }: Evidence, seq: number): Evidence {
  const rows = ledger.filter((row) => row.seq !== seq);
  return { ...rest, ledger: rows.map((row, index) => ({ ...row, seq: index + 1 })) };
}

function withRows({ ledger, ...rest }: Evidence, lines: readonly string[]): Evidence {
  const [last] = ledger.slice(-1);
  const rows = lines.map((line, index) => {
    const [seq, atMs] = [last!.seq + index + 1, last!.atMs + 1];
    return { ...last!, seq, atMs, bytes: `1\t${atMs}\n${SKU_KEY}\n${line}` };
  });
  return { ...rest, ledger: [...ledger, ...rows] };
}

const BROKEN: readonly (readonly [what: string, breaks: () => Evidence, says: string])[] = [
  ["an acknowledged hold is lost", () => withoutRow(told(), 3), "which was never so (C1)"],
  ["a hold given back comes back", () => withoutRow(told(), 6), "which was never so (C1)"],
  [
    "an answer names another hold",
    () => changedLine(told(), 1, { answer: '{"holdId":"hold_x_7","quantity":2}' }),
    "(C1)",
  ],
  [
    "the SKU is oversold",
    () => withRows(told(), ["h\t0\tdot\t4\t2\t1000\t9000000"]),
    "oversold by 1",
  ],
  ["nobody asked for a hold", () => withRows(told(), ["h\t0\tdot\t4\t1\t1000\t9000000"]), "(C2)"],
  [
    "a refused request had an effect",
    () => changedLine(told(), 5, refused("sold_out")),
    "nobody asked for",
  ],
  [
    "one request has two effects",
    () => withRows(told(), ["g\t0\tcem", "h\t0\tcem\t4\t1\t1000\t9000000"]),
    "nobody asked for",
  ],
  ["a refusal was never true", () => changedLine(told(), 2, refused("sold_out")), "(C3)"],
  [
    "a refusal was true too long ago",
    () => changedLine(told(), 5, { ...refused("too_few", { available: 2 }), startedMs: 0 }),
    "nobody asked for",
  ],
  [
    "a refusal names a number that was not so",
    () => changedLine(told(), 2, refused("too_few", { available: 1 })),
    "(C3)",
  ],
  [
    "a shopper is above the limit",
    () => withRows(told(), ["g\t0\tcem", "h\t0\tann\t4\t1\t1000\t9000000"]),
    "ann has 4",
  ],
  ["a hold lapses early", () => withRows(told(), ["l\t0\tcem"]), "it is early"],
  [
    "a key has two orders",
    () => {
      const story = told();
      story.orders.push({ ...story.orders[0]!, orderId: `ord_${"f".repeat(34)}` });
      return story;
    },
    "has 2 orders",
  ],
  ["an order is sold twice", () => withRows(told(), [confirmAgain()]), "was here before"],
  ["an acknowledged order is lost", () => ({ ...parts(told()), orders: [] }), "lost (C5)"],
  ["a paid order has no units", () => withoutRow(told(), 5), "is paid and not sold"],
  [
    "a term that was over goes on",
    () => ({ ...parts(told()), ledger: told().ledger.map(claimBack) }),
    "claim 1 after 2",
  ],
  [
    "a batch is missing",
    () => ({ ...parts(told()), ledger: told().ledger.filter(({ seq }) => seq !== 2) }),
    "follows 1",
  ],
];

function parts({ history, ledger, orders }: Evidence): Evidence {
  return { history, ledger, orders };
}

function claimBack(row: Evidence["ledger"][number]): Evidence["ledger"][number] {
  return { ...row, claim: row.seq === 3 ? 2 : 1 };
}

function confirmAgain(): string {
  return `f\t0\tann\t${told().orders[0]!.orderId}\t1`;
}

test("the story that is broken below is a true one", () => {
  expect(check(told())).toEqual([]);
});

test.each(BROKEN)("caught: %s", (_, breaks, says) => {
  expect(check(breaks()).join("\n")).toContain(says);
});

describe("the exact search", () => {
  const window = (break_: (story: Story) => readonly HistoryLine[]) => {
    const story = new Story(SHOP);
    story.hold({ shopper: "ann", atMs: 0 }, 3);
    story.hold({ shopper: "bob", atMs: 5 }, 2);
    story.hold({ shopper: "cem", atMs: 10 }, 1);
    story.giveBack({ shopper: "ann", atMs: 2_000 });
    story.hold({ shopper: "cem", atMs: 2_005 }, 2);
    return searchWindow(opsOf(break_(story), []).skus, SHOP);
  };
  const changed = (index: number, change: Partial<HistoryLine>) => (story: Story) =>
    changedLine(story, index, change).history;

  test("finds an order where there is one", () => {
    expect(window(({ history }) => history)).toBe("linearizable");
  });

  test("lets what was never answered take effect, early, late or never", () => {
    const open = { status: null, answer: "", endedMs: 0 };
    expect(window(changed(3, open))).toBe("linearizable");
    expect(window(changed(2, open))).toBe("linearizable");
  });

  test.each([
    ["an oversell", changed(2, { status: 201, answer: '{"holdId":"hold_x_3","quantity":1}' })],
    ["one hold number for two", changed(1, { answer: '{"holdId":"hold_x_1","quantity":2}' })],
    ["a lost hold", changed(3, refused("in_checkout"))],
    ["a grant before the units came back", (story: Story) => story.history.toSpliced(3, 1)],
    ["a refusal that was never true", changed(4, refused("sold_out"))],
    ["a repeat that is new again", ({ history }: Story) => [...history, again(history[4]!)]],
  ])("finds none for %s", (_, break_) => {
    expect(window(break_)).toBe("impossible");
  });

  function again(line: HistoryLine): HistoryLine {
    const [startedMs, endedMs] = [line.startedMs + 100, line.endedMs + 100];
    return { ...line, startedMs, endedMs, answer: '{"holdId":"hold_x_4","quantity":2}' };
  }
});
