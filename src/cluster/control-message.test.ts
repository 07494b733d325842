import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import {
  type ControlMessage,
  decodeClaims,
  decodeControl,
  encodeClaims,
  encodeControl,
} from "./control-message.ts";

const FROM = { from: "node-1", incarnation: "i-1" };
const CLAIMS = [
  { partition: 0, claim: 1, depth: 0 },
  { partition: 63, claim: 123_456, depth: 4_000 },
];
const MESSAGES: readonly (readonly [ControlMessage, string])[] = [
  [
    { kind: "heartbeat", ...FROM, view: 7, sales: 12, claimsText: encodeClaims(CLAIMS) },
    "h\tnode-1\ti-1\t7\t12\t0:1,1r:2n9c:334",
  ],
  [{ kind: "heartbeat", ...FROM, view: 1, sales: 0, claimsText: "" }, "h\tnode-1\ti-1\t1\t0\t"],
  [{ kind: "ping", ...FROM, number: 3 }, "p\tnode-1\ti-1\t3"],
  [{ kind: "pong", ...FROM, to: "i-2", number: 3 }, "o\tnode-1\ti-1\ti-2\t3"],
  [{ kind: "give", ...FROM, partition: 5, view: 9, number: 2 }, "g\tnode-1\ti-1\t5\t9\t2"],
  [
    { kind: "reply", ...FROM, to: "i-2", partition: 5, number: 2, isGiven: false },
    "r\tnode-1\ti-1\ti-2\t5\t2\tkept",
  ],
];

describe("control messages", () => {
  test.each(MESSAGES)("format 1 of %o", (message, text) => {
    expect(encodeControl(message)).toBe(text);
    expect(decodeControl(text)).toEqual(message);
  });

  test("claims are read as they were written; what is no claim is left out", () => {
    expect(decodeClaims(encodeClaims(CLAIMS), 64)).toEqual(CLAIMS);
    expect(decodeClaims("0:1,zz:1,-1:3,x,:,1:0,2:!,2:5", 64)).toEqual([
      { partition: 0, claim: 1, depth: 0 },
      { partition: 2, claim: 5, depth: 0 },
    ]);
  });

  test("no text makes it throw, and a router's message is not one", () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom("h", "p", "o", "g", "r", ""), (text, letter) => {
        decodeControl(text);
        decodeControl(`${letter}\t${text}`);
        decodeControl(`${letter}\tnode\ti\t${text}`);
        decodeClaims(text, 8);
      }),
    );
    expect(decodeControl("q\tnode-1\ti-1\t1\t2\n\n")).toBeNull();
    expect(decodeControl("")).toBeNull();
  });
});
