// What nodes tell each other about themselves, as text between tabs, format 1. Other parts of a node
// that speak on the same subjects begin with another letter (wire-message.ts).
//
//   h <from> <incarnation> <view> <sales> <partition:claim:depth,…>   heartbeat, to all
//   p <from> <incarnation> <number>                                   are you there?
//   o <from> <incarnation> <to> <number>                              I am
//   g <from> <incarnation> <partition> <view> <number>                give me the partition
//   r <from> <incarnation> <to> <partition> <number> <given|kept>     it is released, or mine

import { Garbled, integer, textOf } from "./wire-message.ts";

/** A partition that a node serves. `depth`: commands that wait there. */
export type AnnouncedClaim = {
  readonly partition: number;
  readonly claim: number;
  readonly depth: number;
};

type From = { readonly from: string; readonly incarnation: string };

export type Heartbeat = From & {
  readonly kind: "heartbeat";
  readonly view: number;
  /** Sum of the versions of all sales that it knows: a lower one has missed something. */
  readonly sales: number;
  /** The claims as they were sent: equal text is equal claims. */
  readonly claimsText: string;
};

export type ControlMessage =
  | Heartbeat
  | (From & { readonly kind: "ping"; readonly number: number })
  /** `to`: the incarnation that asked. */
  | (From & { readonly kind: "pong"; readonly to: string; readonly number: number })
  | (From & {
      readonly kind: "give";
      readonly partition: number;
      readonly view: number;
      readonly number: number;
    })
  | (From & {
      readonly kind: "reply";
      readonly to: string;
      readonly partition: number;
      readonly number: number;
      readonly isGiven: boolean;
    });

const LETTERS: Readonly<Record<ControlMessage["kind"], string>> = {
  heartbeat: "h",
  ping: "p",
  pong: "o",
  give: "g",
  reply: "r",
};

export function encodeControl(message: ControlMessage): string {
  const head = `${LETTERS[message.kind]}\t${message.from}\t${message.incarnation}`;
  switch (message.kind) {
    case "heartbeat":
      return `${head}\t${message.view}\t${message.sales}\t${message.claimsText}`;
    case "ping":
      return `${head}\t${message.number}`;
    case "pong":
      return `${head}\t${message.to}\t${message.number}`;
    case "give":
      return `${head}\t${message.partition}\t${message.view}\t${message.number}`;
    default: {
      const { to, partition, number, isGiven } = message;
      return `${head}\t${to}\t${partition}\t${number}\t${isGiven ? "given" : "kept"}`;
    }
  }
}

/** Null: not one of ours, or garbage. Never throws. */
export function decodeControl(payload: string): ControlMessage | null {
  const fields = payload.split("\t");
  if (!/^[hpogr]$/.test(fields[0] ?? "")) return null;
  try {
    return decode(fields);
  } catch (cause) {
    if (cause instanceof Garbled) return null;
    throw cause;
  }
}

function decode(fields: readonly string[]): ControlMessage {
  const [letter, fromField, incarnationField, third, fourth, fifth, sixth] = fields;
  const from = textOf(fromField);
  const incarnation = textOf(incarnationField);
  switch (letter) {
    case "h": {
      const [view, sales] = [integer(third), integer(fourth)];
      return { kind: "heartbeat", from, incarnation, view, sales, claimsText: fifth ?? "" };
    }
    case "p":
      return { kind: "ping", from, incarnation, number: integer(third) };
    case "o":
      return { kind: "pong", from, incarnation, to: textOf(third), number: integer(fourth) };
    case "g": {
      const [partition, view, number] = [integer(third), integer(fourth), integer(fifth)];
      return { kind: "give", from, incarnation, partition, view, number };
    }
    default: {
      const [partition, number] = [integer(fourth), integer(fifth)];
      const isGiven = sixth === "given";
      const to = textOf(third);
      return { kind: "reply", from, incarnation, to, partition, number, isGiven };
    }
  }
}

/** In base 36; the depth only where something waits. */
export function encodeClaims(claims: readonly AnnouncedClaim[]): string {
  return claims
    .map(({ partition, claim, depth }) => {
      const text = `${partition.toString(36)}:${claim.toString(36)}`;
      return depth === 0 ? text : `${text}:${depth.toString(36)}`;
    })
    .join(",");
}

/** What is not understood is left out: a claim that is not announced only costs a detour. */
export function decodeClaims(text: string, partitions: number): readonly AnnouncedClaim[] {
  if (text === "") return [];
  const claims: AnnouncedClaim[] = [];
  for (const item of text.split(",", partitions)) {
    const [partition = -1, claim = 0, depth = 0] = item.split(":").map((part) => {
      return /^[0-9a-z]{1,10}$/.test(part) ? Number.parseInt(part, 36) : -1;
    });
    if (partition < 0 || partition >= partitions || claim <= 0) continue;
    claims.push({ partition, claim, depth: Math.max(0, depth) });
  }
  return claims;
}
