// Script replies as the port's words.

import { Fault } from "../../core/errors.ts";
import type { Fenced, Term } from "../../core/ports/journal.ts";

export function termArgv(term: Term): readonly string[] {
  return [String(term.view), String(term.claim)];
}

export function fencedOf(fields: readonly string[]): Fenced {
  const [view, claim, owner] = fields;
  return { kind: "fenced", view: countOf(view), claim: countOf(claim), owner: owner ?? "" };
}

/** A decimal string as a count. Throws Fault("journal_corrupt") on anything else. */
export function countOf(text: string | undefined): number {
  const count = text === undefined || text === "" ? NaN : Number(text);
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new Fault("journal_corrupt", `Redis holds ${JSON.stringify(text)} where a count belongs`);
}

/** A script of another release answered: what it did is not known. */
export function unexpected(script: string, kind: string): Fault {
  return new Fault("unknown", `${script} answered ${kind}`);
}
