// Stock levels on the broadcast topic, format 1.
//
//   l <from> <incarnation> <number> <sentAtMs>
//   L <partition> <claim> <seq> <key> <level> <key> <level> …   levels that changed
//   X <partition> <claim> <seq> <key> …                         sold out with nothing held, as
//                                                               confirmed when this was sent

import type { LevelChange } from "../core/ports/level-feed.ts";
import type { Level } from "../core/sale/level.ts";
import { fieldsOf, Garbled, integer, textOf } from "./wire-message.ts";

export type LevelLine = {
  readonly partition: number;
  readonly claim: number;
  readonly seq: number;
} & (
  | { readonly kind: "changed"; readonly changes: readonly LevelChange[] }
  | { readonly kind: "sold_out"; readonly keys: readonly string[] }
);

export type LevelMessage = {
  readonly from: string;
  readonly incarnation: string;
  readonly number: number;
  readonly sentAtMs: number;
  readonly lines: readonly LevelLine[];
};

const WORDS: ReadonlySet<string> = new Set<Level>(["available", "low", "all_held", "sold_out"]);

export function encodeLevels(message: LevelMessage): string {
  const { from, incarnation, number, sentAtMs } = message;
  const head = `l\t${from}\t${incarnation}\t${number}\t${Math.round(sentAtMs)}`;
  return head + message.lines.map(lineText).join("");
}

function lineText(line: LevelLine): string {
  const where = `${line.partition}\t${line.claim}\t${line.seq}`;
  if (line.kind === "sold_out") return `\nX\t${where}\t${line.keys.join("\t")}`;
  const pairs = line.changes.map(({ skuKey, level }) => `${skuKey}\t${level}`);
  return `\nL\t${where}\t${pairs.join("\t")}`;
}

/** Throws Garbled. */
export function decodeLevels(payload: string): LevelMessage {
  const rows = payload.split("\n");
  const [letter, from, incarnation, number, sentAtMs] = fieldsOf(rows[0]);
  if (letter !== "l") throw new Garbled("no message of levels");
  return {
    from: textOf(from),
    incarnation: textOf(incarnation),
    number: integer(number),
    sentAtMs: integer(sentAtMs),
    lines: rows.slice(1).map((row) => lineOf(row.split("\t"))),
  };
}

function lineOf(fields: readonly string[]): LevelLine {
  const where = {
    partition: integer(fields[1]),
    claim: integer(fields[2]),
    seq: integer(fields[3]),
  };
  if (fields[0] === "X") {
    return { ...where, kind: "sold_out", keys: fields.slice(4).map((field) => textOf(field)) };
  }
  if (fields[0] !== "L") throw new Garbled("no line has this tag");
  const changes: LevelChange[] = [];
  for (let at = 4; at < fields.length; at += 2) {
    changes.push({ skuKey: textOf(fields[at]), level: wordOf(fields[at + 1]) });
  }
  return { ...where, kind: "changed", changes };
}

function wordOf(field: string | undefined): Level {
  if (field === undefined || !WORDS.has(field)) throw new Garbled("no level has this name");
  return field as Level;
}
