// What goes wrong: a list of faults, each with its time, its end and its victims. The list is data, so
// that a failing one can be made shorter.

import type { Random } from "./random.ts";

export const FAULT_KINDS = [
  "kill",
  "pause",
  "leave",
  "cut_pair",
  "cut_nats",
  "nats_away",
  "cut_store",
  "store_restart",
  "slow_store",
  "lost_replies",
  "late_requests",
  "loss",
  "duplicates",
  "delays",
  "clock_step",
  "double_owner",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export type SimFault = {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly forMs: number;
  /** Numbers of the nodes concerned; meaningless where a kind has none. */
  readonly node: number;
  readonly other: number;
  /** How bad, from 0 to 1. */
  readonly force: number;
};

const FAULTS_MIN = 5;
const FAULTS_MAX = 10;
const KINDS_MIN = 3;
const FIRST_MS = 3_000;
/** This part of the faults comes together with another: trouble is worst in company. */
const CLOSE_BY = 0.45;

/** Longest of each kind. */
const LONGEST_MS: Readonly<Record<FaultKind, number>> = {
  kill: 8_000,
  pause: 12_000,
  leave: 6_000,
  cut_pair: 6_000,
  cut_nats: 12_000,
  nats_away: 6_000,
  cut_store: 5_000,
  store_restart: 2_000,
  slow_store: 5_000,
  lost_replies: 4_000,
  late_requests: 4_000,
  loss: 4_000,
  duplicates: 8_000,
  delays: 8_000,
  clock_step: 15_000,
  double_owner: 5_000,
};

/** At least five faults of three kinds, all over before `untilMs`. */
export function scheduleOf(random: Random, nodes: number, untilMs: number): readonly SimFault[] {
  const faults: SimFault[] = [];
  const count = random.integer(FAULTS_MIN, FAULTS_MAX);
  const kinds = new Set<FaultKind>();
  while (faults.length < count || kinds.size < KINDS_MIN) {
    const kind = random.pick(FAULT_KINDS);
    kinds.add(kind);
    const forMs = Math.floor(random.between(0.02, 1) ** 1.5 * LONGEST_MS[kind]);
    const node = random.integer(0, nodes - 1);
    const before = faults[faults.length - 1];
    const isCloseBy = before !== undefined && random.chance(CLOSE_BY);
    const freeMs = random.between(FIRST_MS, untilMs - forMs);
    const closeMs = (before?.atMs ?? 0) + random.between(-500, 1_500);
    faults.push({
      kind,
      atMs: Math.floor(isCloseBy ? Math.min(Math.max(FIRST_MS, closeMs), untilMs - forMs) : freeMs),
      forMs,
      node,
      other: (node + random.integer(1, nodes - 1)) % nodes,
      force: random.unit(),
    });
  }
  return faults.sort((left, right) => left.atMs - right.atMs);
}

export function describeFault({ kind, atMs, forMs, node, other, force }: SimFault): string {
  const who = kind === "cut_pair" ? `node ${node} and ${other}` : `node ${node}`;
  const strength = force.toFixed(2);
  return `${String(atMs).padStart(6)} ms  ${kind} for ${forMs} ms, ${who}, force ${strength}`;
}
