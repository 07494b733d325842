// What the fleet asks of a generator process, and what it answers.

import type { SparseHistogram } from "../stats/histogram.ts";
import type { SkuChoice } from "./requests.ts";
import type { Schedule } from "./schedule.ts";

/** What became of each request or journey, as its client heard it. 0: never sent. */
export const OUTCOME = {
  none: 0,
  /** 200 or 201: the units are mine. */
  accepted: 1,
  /** 403 or 409: the answer is no. */
  refused: 2,
  /** 429 or 503: try again. */
  busy: 3,
  /** Any other answer. */
  wrong: 4,
  /** Sent, and no answer came. */
  unanswered: 5,
  /** Of a funnel: the checkout was paid, declined, given up, not answered for good. */
  paid: 6,
  declined: 7,
  abandoned: 8,
  pending: 9,
} as const;
export type Outcome = (typeof OUTCOME)[keyof typeof OUTCOME];

export type Pace =
  /** The next request leaves when an answer comes: finds what a server can do. */
  | { readonly kind: "closed"; readonly durationMs: number }
  /** Requests leave on a schedule: shows what shoppers feel. */
  | { readonly kind: "open"; readonly schedule: Schedule };

export type Journey = "hold" | "funnel";

export type Job = {
  /** Connections are dealt to the ports in turn. */
  readonly ports: readonly number[];
  readonly connections: number;
  /** Shopper of the first request; the i-th has `firstShopper + i × shopperStep`. */
  readonly firstShopper: number;
  readonly shopperStep: number;
  /** At most this many requests (journeys). */
  readonly count: number;
  readonly sale: string;
  readonly choice: SkuChoice;
  readonly pace: Pace;
  readonly journey: Journey;
};

export type JobResult = {
  readonly outcomes: Uint8Array;
  readonly latency: SparseHistogram;
  /** How late requests left against their schedule: our own measurement error. */
  readonly lag: SparseHistogram;
  /** Answers of each outcome within the measured time. */
  readonly answers: readonly number[];
  readonly measuredMs: number;
  /** Our own CPU time in that. */
  readonly cpuUs: number;
  readonly lostConnections: number;
};

export type ToWorker =
  | {
      readonly kind: "mint";
      readonly secret: string;
      readonly nowS: number;
      readonly capacity: number;
    }
  | { readonly kind: "prepare"; readonly job: Job }
  | { readonly kind: "go" };

export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "result"; readonly result: JobResult }
  | { readonly kind: "failed"; readonly message: string };
