// What nodes say to each other, against files that are kept: a changed byte is a new format. Nodes of
// two builds understand each other during an upgrade, so the older format's file stays.

import { expect, test } from "bun:test";
import { join } from "node:path";

import { Envelope } from "../../src/cluster/envelope.ts";
import { decodeLevels, encodeLevels, type LevelMessage } from "../../src/cluster/level-message.ts";
import { type Answer, answerText, decodeAnswer } from "../../src/cluster/wire-answer.ts";
import { decodeMessage, encodeMessage } from "../../src/cluster/wire-message.ts";
import { decodeRequests, type Question, RequestLines } from "../../src/cluster/wire-request.ts";
import { FORMAT, FORMAT_OLDEST_READ } from "../../src/core/formats.ts";
import type { Command, Outcome } from "../../src/core/stock/command.ts";

const kept = (name: string): Promise<string> => Bun.file(join(import.meta.dir, name)).text();

const FROM = { from: "node-1", incarnation: "life-1", number: 7, sentAtMs: 12_345 };
const X = { key: "drop/phone-x_128", partition: 63 };
const Y = { key: "drop/case.red", partition: 0 };
const OF = { shopper: "a.b:c|d@e-f", orderId: `ord_${"0f".repeat(17)}` };

const COMMANDS: readonly Command[] = [
  { kind: "hold", shopper: OF.shopper, quantity: 100 },
  { kind: "give_back", shopper: OF.shopper },
  { kind: "pin", ...OF, quantity: 2, priceMinor: 1_999_900 },
  { kind: "unpin", ...OF },
  { kind: "confirm", ...OF, quantity: 2 },
  { kind: "return", ...OF, quantity: 2 },
  configure("shoe"),
  configure(null),
];

function configure(group: string | null): Command {
  return {
    kind: "configure",
    version: 3,
    phase: "paused",
    startsAtMs: 1_800_000_000_000,
    endsAtMs: 1_800_007_200_000,
    holdMs: 300_000,
    payMs: 600_000,
    limit: 2,
    priceMinor: 1_999_900,
    released: 1_000_000_000,
    group,
    groupLimit: group === null ? 0 : 2,
  };
}

const HOLD = { number: 41, quantity: 2, priceMinor: 100, deadlineMs: 1_800_000_300_000 };

/** One of each kind: a new one does not compile until it is here. */
const OUTCOMES: { readonly [K in Outcome["kind"]]: Extract<Outcome, { kind: K }> } = {
  held: { kind: "held", isNew: true, hold: { ...HOLD, paying: false } },
  unknown_sku: { kind: "unknown_sku" },
  in_checkout: { kind: "in_checkout" },
  not_open: { kind: "not_open" },
  paused: { kind: "paused" },
  ended: { kind: "ended" },
  cancelled: { kind: "cancelled" },
  limit_reached: { kind: "limit_reached", limit: 3, held: 2, bought: 1 },
  sold_out: { kind: "sold_out" },
  all_held: { kind: "all_held" },
  too_few: { kind: "too_few", available: 4 },
  hold_lapsed: { kind: "hold_lapsed" },
  hold_changed: { kind: "hold_changed" },
  given_back: { kind: "given_back" },
  pinned: { kind: "pinned", deadlineMs: 1_800_000_600_000 },
  unpinned: { kind: "unpinned" },
  sold: { kind: "sold" },
  refused: { kind: "refused" },
  returned: { kind: "returned" },
  configured: { kind: "configured" },
  unchanged: { kind: "unchanged", version: 9 },
  below_committed: { kind: "below_committed", minimum: 12 },
};

const ANSWERS: readonly Answer[] = [
  ...Object.values(OUTCOMES).map((outcome): Answer => ({ kind: "outcome", outcome })),
  { kind: "fault", code: "busy", detail: "the mailbox is full" },
  { kind: "moved", owner: "node-2", claim: 8 },
  { kind: "moved", owner: "", claim: 0 },
  { kind: "cart", isComplete: false, holds: [{ skuKey: X.key, hold: { ...HOLD, paying: true } }] },
  { kind: "cart", isComplete: true, holds: [] },
  {
    kind: "counts",
    counts: [null, { released: 9, available: 5, held: 3, paying: 1, sold: 1 }, null],
  },
];

const QUESTIONS: readonly Question[] = [
  ...COMMANDS.map((command, index): Question => {
    return { kind: "ask", sku: index % 2 === 0 ? X : Y, command };
  }),
  { kind: "cart", shopper: OF.shopper, partitions: [0, 63] },
  { kind: "counts", skus: [Y, X, Y] },
];

const LEVELS: LevelMessage = {
  ...FROM,
  lines: [
    {
      kind: "changed",
      partition: 63,
      claim: 5,
      seq: 99,
      changes: [
        { skuKey: X.key, level: "low" },
        { skuKey: Y.key, level: "all_held" },
      ],
    },
    { kind: "sold_out", partition: 0, claim: 4, seq: 7, keys: [Y.key, X.key] },
  ],
};

function written(): string {
  const lines = new RequestLines();
  QUESTIONS.forEach((question, index) => lines.add(index * 16 + 1, 2_999.4, question));
  const requests = encodeMessage({ kind: "q", ...FROM, to: "" }, lines.keys, lines.lines);
  const answerLines = ANSWERS.map((answer, index) => `\n${index}\t${answerText(answer)}`).join("");
  const answers = encodeMessage({ kind: "a", ...FROM, to: "life-2" }, "", answerLines);
  const envelope = new Envelope("cluster-1");
  const sealed = [requests, answers, encodeLevels(LEVELS)].map((text) => envelope.seal(text));
  return `${sealed.join("\n====\n")}\n`;
}

test("messages are written byte for byte as the file of this format", async () => {
  expect(written()).toBe(await kept(`wire-${FORMAT}.txt`));
});

for (let format = FORMAT_OLDEST_READ; format <= FORMAT; format++) {
  test(`format ${format}: messages are read back field for field`, async () => {
    const texts = (await kept(`wire-${format}.txt`)).trimEnd().split("\n====\n");
    const envelope = new Envelope("cluster-1");
    const payloads = texts.map((text) => {
      const unsealed = envelope.unseal(text);
      return unsealed.kind === "ours" ? unsealed.payload : unsealed.reason;
    });
    const requests = decodeMessage(payloads[0]!);
    expect(requests.header).toEqual({ kind: "q", ...FROM, to: "" });
    expect(decodeRequests(requests)).toEqual(
      QUESTIONS.map((question, index) => ({ id: index * 16 + 1, leftMs: 3_000, question })),
    );
    const answers = decodeMessage(payloads[1]!);
    expect(answers.header).toEqual({ kind: "a", ...FROM, to: "life-2" });
    expect(answers.lines.map((fields) => decodeAnswer(fields))).toEqual([...ANSWERS]);
    expect(decodeLevels(payloads[2]!)).toEqual(LEVELS);
  });
}

test("a format more than one apart and another cluster are not read", () => {
  const envelope = new Envelope("cluster-1");
  const text = envelope.seal("payload");
  expect(envelope.unseal(text)).toEqual({ kind: "ours", payload: "payload" });
  expect(envelope.unseal(text.replace(/^\d+/, String(FORMAT + 1)))).toMatchObject({
    reason: "other_format",
  });
  expect(new Envelope("cluster-2").unseal(text)).toMatchObject({ reason: "other_cluster" });
});

test("a node writes what all members read", () => {
  let format = 1;
  const envelope = new Envelope("cluster-1", () => format);
  expect(envelope.seal("x")).toBe("1\tcluster-1\nx");
  format = 2;
  expect(envelope.seal("x")).toBe("2\tcluster-1\nx");
});
