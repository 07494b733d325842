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
/** Doubt while the owner changes is the worst of all: each run has it. */
const STORE_TROUBLE = ["lost_replies", "late_requests", "slow_store", "cut_store"] as const;
const OWNER_TROUBLE = ["double_owner", "leave", "pause", "kill", "cut_nats"] as const;

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
  const kinds = new Set<FaultKind>();
  const faults: SimFault[] = [];
  const add = (kind: FaultKind, aboutMs: number | null): number => {
    kinds.add(kind);
    const forMs = Math.floor(random.between(0.02, 1) ** 1.5 * LONGEST_MS[kind]);
    const latestMs = untilMs - forMs;
    const freeMs = random.between(FIRST_MS, latestMs);
    const atMs = aboutMs === null ? freeMs : Math.min(Math.max(FIRST_MS, aboutMs), latestMs);
    const node = random.integer(0, nodes - 1);
    const other = (node + random.integer(1, nodes - 1)) % nodes;
    faults.push({ kind, atMs: Math.floor(atMs), forMs, node, other, force: random.unit() });
    return atMs;
  };

  let lastMs = add(random.pick(STORE_TROUBLE), null);
  lastMs = add(random.pick(OWNER_TROUBLE), lastMs + random.between(-200, 800));
  const count = random.integer(FAULTS_MIN, FAULTS_MAX);
  while (faults.length < count || kinds.size < KINDS_MIN) {
    const aboutMs = random.chance(CLOSE_BY) ? lastMs + random.between(-500, 1_500) : null;
    lastMs = add(random.pick(FAULT_KINDS), aboutMs);
  }
  return faults.sort((left, right) => left.atMs - right.atMs);
}

export function describeFault({ kind, atMs, forMs, node, other, force }: SimFault): string {
  const who = kind === "cut_pair" ? `node ${node} and ${other}` : `node ${node}`;
  const strength = force.toFixed(2);
  return `${String(atMs).padStart(6)} ms  ${kind} for ${forMs} ms, ${who}, force ${strength}`;
}
