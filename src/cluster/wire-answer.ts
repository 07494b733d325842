// Answers on the wire, format 1.
//
//   <id> held <isNew> <number> <quantity> <price> <deadlineMs> <paying>
//   <id> <outcome's kind> <its numbers> …
//   <id> ! <fault code> <detail>
//   <id> > <owner> <claim>                     moved: not here; "" and 0 when nobody knows where
//   <id> C <complete> (<key> <number> <quantity> <price> <deadlineMs> <paying>) …
//   <id> N (<released> <available> <held> <paying> <sold> | -) …

import { unreachable } from "../core/assert.ts";
import { FAULT_RETRY, type FaultCode } from "../core/errors.ts";
import type { CartHold, SkuCounts, SkuRef } from "../core/ports/stock.ts";
import type { HoldView, Outcome } from "../core/stock/command.ts";
import { fieldText, Garbled, integer, textOf } from "./wire-message.ts";

export type Answer =
  | { readonly kind: "outcome"; readonly outcome: Outcome }
  | { readonly kind: "fault"; readonly code: FaultCode; readonly detail: string }
  | { readonly kind: "moved"; readonly owner: string; readonly claim: number }
  | { readonly kind: "cart"; readonly isComplete: boolean; readonly holds: readonly CartHold[] }
  /** In the order of the question; `skuKey` is filled in by whoever asked. */
  | { readonly kind: "counts"; readonly counts: readonly (Counted | null)[] };

export type Counted = Omit<SkuCounts, "skuKey">;

/** Outcomes that say all by their kind: read back without an object each. */
const BARE = {
  in_checkout: { kind: "in_checkout" },
  not_open: { kind: "not_open" },
  paused: { kind: "paused" },
  ended: { kind: "ended" },
  cancelled: { kind: "cancelled" },
  sold_out: { kind: "sold_out" },
  all_held: { kind: "all_held" },
  unknown_sku: { kind: "unknown_sku" },
  given_back: { kind: "given_back" },
  hold_lapsed: { kind: "hold_lapsed" },
  hold_changed: { kind: "hold_changed" },
  unpinned: { kind: "unpinned" },
  sold: { kind: "sold" },
  refused: { kind: "refused" },
  returned: { kind: "returned" },
  configured: { kind: "configured" },
} as const satisfies Partial<{ [K in Outcome["kind"]]: { readonly kind: K } }>;

const BARE_ANSWERS = new Map<string, Answer>(
  Object.values(BARE).map((outcome) => [outcome.kind, { kind: "outcome", outcome }]),
);

/** One line without its newline and its id. Hot path (bench/router.ts). */
export function answerText(answer: Answer): string {
  switch (answer.kind) {
    case "outcome":
      return outcomeText(answer.outcome);
    case "fault":
      return `!\t${answer.code}\t${fieldText(answer.detail)}`;
    case "moved":
      return `>\t${answer.owner}\t${answer.claim}`;
    case "cart": {
      const holds = answer.holds.map(({ skuKey, hold }) => `\t${skuKey}\t${holdText(hold)}`);
      return `C\t${answer.isComplete ? 1 : 0}${holds.join("")}`;
    }
    case "counts":
      return `N${answer.counts.map(countsText).join("")}`;
    default:
      return unreachable(answer);
  }
}

function outcomeText(outcome: Outcome): string {
  switch (outcome.kind) {
    case "held":
      return `held\t${outcome.isNew ? 1 : 0}\t${holdText(outcome.hold)}`;
    case "limit_reached":
      return `limit_reached\t${outcome.limit}\t${outcome.held}\t${outcome.bought}`;
    case "too_few":
      return `too_few\t${outcome.available}`;
    case "pinned":
      return `pinned\t${outcome.deadlineMs}`;
    case "unchanged":
      return `unchanged\t${outcome.version}`;
    case "below_committed":
      return `below_committed\t${outcome.minimum}`;
    default:
      return outcome.kind;
  }
}

function holdText(hold: HoldView): string {
  const { number, quantity, priceMinor, deadlineMs, paying } = hold;
  return `${number}\t${quantity}\t${priceMinor}\t${deadlineMs}\t${paying ? 1 : 0}`;
}

function countsText(counted: Counted | null): string {
  if (counted === null) return "\t-";
  const { released, available, held, paying, sold } = counted;
  return `\t${released}\t${available}\t${held}\t${paying}\t${sold}`;
}

/** Throws Garbled. `fields` are of one line; its id is field 0. */
export function decodeAnswer(fields: readonly string[]): Answer {
  const tag = textOf(fields[1]);
  if (tag === "held") {
    const hold = holdIn(fields, 3);
    return { kind: "outcome", outcome: { kind: "held", isNew: fields[2] === "1", hold } };
  }
  const bare = BARE_ANSWERS.get(tag);
  if (bare !== undefined) return bare;
  switch (tag) {
    case "!":
      return { kind: "fault", code: faultCodeOf(fields[2]), detail: fields[3] ?? "" };
    case ">":
      return { kind: "moved", owner: fields[2] ?? "", claim: integer(fields[3]) };
    case "C":
      return cartIn(fields);
    case "N":
      return { kind: "counts", counts: countsIn(fields) };
    default:
      return { kind: "outcome", outcome: outcomeIn(tag, fields) };
  }
}

function outcomeIn(tag: string, fields: readonly string[]): Outcome {
  const count = (index: number): number => integer(fields[index]);
  switch (tag) {
    case "limit_reached":
      return { kind: tag, limit: count(2), held: count(3), bought: count(4) };
    case "too_few":
      return { kind: tag, available: count(2) };
    case "pinned":
      return { kind: tag, deadlineMs: count(2) };
    case "unchanged":
      return { kind: tag, version: count(2) };
    case "below_committed":
      return { kind: tag, minimum: count(2) };
    default:
      throw new Garbled("no outcome has this name");
  }
}

function holdIn(fields: readonly string[], from: number): HoldView {
  return {
    number: integer(fields[from]),
    quantity: integer(fields[from + 1]),
    priceMinor: integer(fields[from + 2]),
    deadlineMs: integer(fields[from + 3]),
    paying: fields[from + 4] === "1",
  };
}

function cartIn(fields: readonly string[]): Answer {
  const holds: CartHold[] = [];
  for (let from = 3; from < fields.length; from += 6) {
    holds.push({ skuKey: textOf(fields[from]), hold: holdIn(fields, from + 1) });
  }
  return { kind: "cart", isComplete: fields[2] === "1", holds };
}

function countsIn(fields: readonly string[]): (Counted | null)[] {
  const counts: (Counted | null)[] = [];
  let from = 2;
  while (from < fields.length) {
    if (fields[from] === "-") {
      counts.push(null);
      from += 1;
      continue;
    }
    counts.push({
      released: integer(fields[from]),
      available: integer(fields[from + 1]),
      held: integer(fields[from + 2]),
      paying: integer(fields[from + 3]),
      sold: integer(fields[from + 4]),
    });
    from += 5;
  }
  return counts;
}

/** Counts as the port has them, for the SKUs that were asked. */
export function namedCounts(
  skus: readonly SkuRef[],
  counts: readonly (Counted | null)[],
): (SkuCounts | null)[] {
  return skus.map((sku, index) => {
    const counted = counts[index];
    return counted === undefined || counted === null ? null : { skuKey: sku.key, ...counted };
  });
}

/** A code that this build does not know is of unknown outcome. */
function faultCodeOf(field: string | undefined): FaultCode {
  return field !== undefined && Object.hasOwn(FAULT_RETRY, field)
    ? (field as FaultCode)
    : "unknown";
}
