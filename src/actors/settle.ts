// Settling: how a partition gets a claim, at its start and out of every doubt.
//
// Claim again. The claim fences whatever of ours may still be under way, so what the fence says then
// is final: it shows my batch id → it is written; it shows the seq before, and nobody else claimed
// in between → commit the same batch again; anything else → drop memory and recover.

import { Fault } from "../core/errors.ts";
import type { Fenced, Term } from "../core/ports/journal.ts";
import type { Flight } from "./flight.ts";
import type { PartitionHost } from "./partition-host.ts";
import { recover, type Recovered } from "./recovery.ts";

const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = 500;

export type Claimed = {
  readonly term: Term;
  readonly storeNowMs: number;
  /** Monotonic time at which the store's time arrived. */
  readonly learnedAtMs: number;
  /** Monotonic time at which the claim was sent: what it confirms, it confirms from then on. */
  readonly sentAtMs: number;
};

export type Settled =
  | ({ readonly kind: "written" } & Claimed)
  | ({ readonly kind: "not_written" } & Claimed)
  | ({
      readonly kind: "recovered";
      readonly recovered: Recovered;
      readonly batchId: string;
    } & Claimed)
  | { readonly kind: "fenced"; readonly owner: string; readonly claim: number }
  | { readonly kind: "halted"; readonly reason: string }
  | { readonly kind: "given_up" };

export type SettleRequest = {
  readonly partition: number;
  readonly view: number;
  /** The term in doubt; null when memory holds nothing. */
  readonly term: Term | null;
  readonly memory: { readonly seq: number; readonly batchId: string };
  readonly flight: Flight | null;
  /** Of many that wait for their turn to load, the most urgent is next. */
  readonly urgencyOf: () => number;
  readonly isGivenUp: () => boolean;
  /** Called when the store is surely not reached: nobody should wait for it. */
  readonly onStoreAway: () => void;
};

/** Tries until it knows, or the partition is given up. Never throws for the store's faults. */
export async function settle(host: PartitionHost, request: SettleRequest): Promise<Settled> {
  // A claim may go well each time, and the commit behind it never.
  const resends = request.flight?.resends ?? 0;
  if (resends > 0) await host.runtime.pause(pauseMs(resends));
  let said = "";
  for (let attempts = 1; ; attempts++) {
    try {
      if (!host.mayClaim()) throw new Fault("store_unavailable", "clocks disagree: no claims");
      return await host.loads.run(request.urgencyOf, () => attempt(host, request, attempts));
    } catch (cause) {
      if (!(cause instanceof Fault)) throw cause;
      if (cause.code === "journal_corrupt") return { kind: "halted", reason: cause.message };
      if (cause.code === "store_unavailable") request.onStoreAway();
      // Two attempts a second of a thousand partitions would bury everything else.
      if (cause.message !== said) {
        said = cause.message;
        host.log.warn({ partition: request.partition, fault: said }, "cannot claim yet");
      }
    }
    if (request.isGivenUp()) return { kind: "given_up" };
    await host.runtime.pause(pauseMs(attempts));
  }
}

/** After so many failures in a row. */
function pauseMs(failures: number): number {
  return Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (failures - 1));
}

async function attempt(
  host: PartitionHost,
  request: SettleRequest,
  attempts: number,
): Promise<Settled> {
  // Only now: a claim of a life that is over would fence the next one.
  if (request.isGivenUp()) return { kind: "given_up" };
  const { partition, view } = request;
  const sentAtMs = host.runtime.clock.monotonicMs();
  const claimed = await host.journal.claim({ partition, view, owner: host.owner });
  if (claimed.kind === "no_state") return { kind: "halted", reason: "its fence is missing" };
  if (claimed.kind === "fenced") return fencedOf(claimed);
  if (claimed.generation !== host.generation) {
    const reason = `the fence is of generation ${claimed.generation}, not ${host.generation}`;
    return { kind: "halted", reason };
  }
  const term: Term = { partition, view, owner: host.owner, claim: claimed.claim };
  const learnedAtMs = host.runtime.clock.monotonicMs();
  const common = { term, storeNowMs: claimed.nowMs, learnedAtMs, sentAtMs };
  const verdict = compareMemory(request, claimed, attempts);
  if (verdict !== "lost") return { kind: verdict, ...common };

  if (claimed.seq < request.memory.seq) {
    const reason = `the journal is at ${claimed.seq}, this node has committed ${request.memory.seq}`;
    return { kind: "halted", reason };
  }
  // Side by side: whoever waits for this partition waits for the slower of the two only.
  const [ledger, recovery] = await Promise.allSettled([
    host.ledgerSeq(partition),
    recover(host, term, claimed.seq),
  ]);
  if (ledger.status === "rejected") throw ledger.reason;
  if (ledger.value > claimed.seq) {
    const reason = `the journal is at ${claimed.seq}, the ledger already has ${ledger.value}`;
    return await haltedIfOurs(host, term, reason);
  }
  if (recovery.status === "fulfilled") {
    return { kind: "recovered", recovered: recovery.value, batchId: claimed.batchId, ...common };
  }
  const cause: unknown = recovery.reason;
  if (!(cause instanceof Fault) || cause.code !== "journal_corrupt") throw cause;
  return await haltedIfOurs(host, term, cause.message);
}

/** What was read after the claim may be a next owner's work: then it is not for us to judge. */
async function haltedIfOurs(host: PartitionHost, term: Term, reason: string): Promise<Settled> {
  const checked = await host.journal.check(term);
  if (checked.kind !== "fenced") return { kind: "halted", reason };
  if (checked.owner !== host.owner) return fencedOf(checked);
  throw new Fault("unknown", `a late claim of ours fenced claim ${term.claim}`);
}

/** Is memory still the truth, with or without the batch in flight? */
function compareMemory(
  request: SettleRequest,
  claimed: { readonly claim: number; readonly seq: number; readonly batchId: string },
  attempts: number,
): "written" | "not_written" | "lost" {
  const { term, flight, memory } = request;
  if (term === null || flight === null) return "lost";
  const { commit } = flight;
  if (commit !== null && claimed.seq === commit.seq && claimed.batchId === commit.batchId) {
    return "written";
  }
  // Each attempt of ours may have counted one claim; a higher number means that another claimed.
  const isAlone = claimed.claim <= term.claim + attempts;
  const isBefore = claimed.seq === memory.seq && claimed.batchId === memory.batchId;
  return isAlone && isBefore ? "not_written" : "lost";
}

function fencedOf(fenced: Fenced): Settled {
  return { kind: "fenced", owner: fenced.owner, claim: fenced.claim };
}
