// How long the fault tests run, and which dice they throw.
//
//   FAULTS_LONG=1  as many rounds as the invariants ask for; else a few, for each change
//   FAULTS_SEED=n  the dice of a run that failed; printed by each run

import { randomFrom } from "../support/buyers.ts";

export const IS_LONG = process.env["FAULTS_LONG"] === "1";

/** A fact's rounds in each form. */
export function rounds(form: { readonly short: number; readonly long: number }): number {
  return IS_LONG ? form.long : form.short;
}

/** Time for a test of that many rounds, its servers' start and the audit at its end. */
export function timeoutMs(roundCount: number, roundMs: number): number {
  return 90_000 + roundCount * roundMs;
}

const given = process.env["FAULTS_SEED"];
export const SEED = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
console.log(`FAULTS_SEED=${SEED}`);

export function dice(): () => number {
  return randomFrom(SEED);
}
