// A message between routers as text, format 1. Fields between tabs, lines between newlines; no id of
// ours may contain either, so nothing is escaped.
//
//   q <from> <incarnation> <number> <sentAtMs>          requests
//   <partition> <skuKey> <partition> <skuKey> …         what they are about
//   <id> <leftMs> <tag> <field> …                       see wire-request.ts
//
//   a <from> <incarnation> <number> <sentAtMs> <to>     answers; `to`: the asking incarnation
//                                                       (an empty line)
//   <id> <tag> <field> …                                see wire-answer.ts
//
// Other parts of a node that speak on the same subject begin with another letter.

/** Thrown while reading: the whole message is dropped, nothing of it was done. */
export class Garbled extends Error {
  override readonly name = "Garbled";
}

export type MessageKind = "q" | "a";

export type MessageHeader = {
  readonly kind: MessageKind;
  readonly from: string;
  readonly incarnation: string;
  /** Counts the sender's messages, so that a double is known. */
  readonly number: number;
  /** The sender's monotonic clock: only its differences mean something to others. */
  readonly sentAtMs: number;
  /** Of answers: the incarnation that asked. "" for requests. */
  readonly to: string;
};

export type Message = {
  readonly header: MessageHeader;
  readonly keys: readonly string[];
  /** The fields of each line. */
  readonly lines: readonly (readonly string[])[];
};

/** Does this text begin as one of ours does? */
export function isRouterMessage(payload: string): boolean {
  return payload.startsWith("q\t") || payload.startsWith("a\t");
}

/** `lines` begin with a newline each. */
export function encodeMessage(header: MessageHeader, keys: string, lines: string): string {
  const { kind, from, incarnation, number, sentAtMs, to } = header;
  const tail = kind === "a" ? `\t${to}` : "";
  const head = `${kind}\t${from}\t${incarnation}\t${number}\t${Math.round(sentAtMs)}${tail}`;
  return `${head}\n${keys}${lines}`;
}

/** Throws Garbled. */
export function decodeMessage(payload: string): Message {
  const rows = payload.split("\n");
  const head = fieldsOf(rows[0]);
  const [kind, from, incarnation, number, sentAtMs, to] = head;
  if (kind !== "q" && kind !== "a") throw new Garbled("no such kind of message");
  const header: MessageHeader = {
    kind,
    from: textOf(from),
    incarnation: textOf(incarnation),
    number: integer(number),
    sentAtMs: integer(sentAtMs),
    to: kind === "a" ? textOf(to) : "",
  };
  const keyRow = rows[1];
  const keys = keyRow === undefined || keyRow === "" ? [] : keyRow.split("\t");
  const lines: string[][] = [];
  for (let row = 2; row < rows.length; row++) lines.push(rows[row]!.split("\t"));
  return { header, keys, lines };
}

export function fieldsOf(row: string | undefined): string[] {
  if (row === undefined) throw new Garbled("a line is missing");
  return row.split("\t");
}

export function textOf(field: string | undefined): string {
  if (field === undefined || field === "") throw new Garbled("a field is missing");
  return field;
}

export function integer(field: string | undefined): number {
  const value = field === undefined || field === "" ? Number.NaN : Number(field);
  if (!Number.isSafeInteger(value)) throw new Garbled("a field is no integer");
  return value;
}

/** Text of ours for operators: made to fit a field. */
export function fieldText(text: string): string {
  return text.replaceAll(/[\t\n\r]+/g, " ").slice(0, 300);
}
