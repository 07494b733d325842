// The shape of bench/results/latest.json. Described for readers in bench/README.md; what reads a
// file of another time checks `schema` first.

import { z } from "zod";

export const SCHEMA_VERSION = 1;

const spread = z.object({ median: z.number(), min: z.number(), max: z.number() });
const atLoad = z.object({
  /** Of the capacity, or of the lowest rate tried when none was kept. */
  loadPercent: z.number(),
  ratePerSecond: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  /** Of every window at this load: the percentiles are those of the one in the middle. */
  p99MsOfWindows: z.array(z.number()).optional(),
  p999Ms: z.number(),
  maxMs: z.number(),
  lagP99Ms: z.number().nullable(),
  cpuUsPerRequest: z.record(z.string(), z.number()),
  gc: z.object({ eden: z.number(), full: z.number(), pauseMs: z.number() }).nullable(),
  /** Quantile and milliseconds, for the plot. */
  curve: z.array(z.tuple([z.number(), z.number()])),
});

const row = z.object({
  id: z.string(),
  scenario: z.string(),
  durability: z.string(),
  /** `ok`, or what did not balance: then the row is void. */
  ledger: z.string(),
  rounds: z.number(),
  acceptedPerSecond: z.number(),
  refusedPerSecond: z.number(),
  storedPerSecond: z.number().nullable(),
  otherPerSecond: z.number(),
  /** Accepted and refused together, with the spread over the rounds. */
  answersPerSecond: spread,
  ratioToBare: z.number().nullable(),
  /** At `latencyAt`. */
  p50Ms: z.number(),
  p99Ms: z.number(),
  p999Ms: z.number(),
  latencyAt: z.string(),
  /** The highest rate tried that kept p99 ≤ 50 ms. */
  capacityPerSecond: z.number().nullable(),
  latency: z.array(atLoad),
  cpuUsPerRequest: z.record(z.string(), z.number()),
  generatorUtilisation: z.number(),
  redisCommandsPerRequest: z.number().nullable(),
  batchSize: z.number().nullable(),
  rssMb: z.number(),
  note: z.string(),
});

const verdict = z.object({
  id: z.string(),
  title: z.string(),
  bound: z.enum(["at_least", "at_most"]),
  limit: z.number(),
  aim: z.number(),
  unit: z.string(),
  value: z.number().nullable(),
  verdict: z.enum(["aim", "pass", "fail", "not_measured"]),
});

export const benchResult = z.object({
  schema: z.literal(SCHEMA_VERSION),
  startedAt: z.string(),
  tookS: z.number(),
  command: z.string(),
  mode: z.string(),
  seed: z.number(),
  commit: z.string(),
  machine: z.object({
    cpu: z.string(),
    cores: z.number(),
    memoryMb: z.number(),
    kernel: z.string(),
    stealPercent: z.number(),
    loadBefore: z.number(),
  }),
  versions: z.record(z.string(), z.string()),
  settings: z.record(z.string(), z.string()),
  selfTests: z.object({
    stallP95Ms: z.number(),
    stallP99Ms: z.number(),
    stallClosedLoopP99Ms: z.number(),
    headroomPerSecond: z.number(),
    headroom: z.number().nullable(),
    oversellCaught: z.string(),
    problems: z.array(z.string()),
  }),
  wrk: z.array(z.object({ id: z.string(), wrkPerSecond: z.number(), oursPerSecond: z.number() })),
  arms: z.array(row),
  skipped: z.array(z.object({ id: z.string(), reason: z.string() })),
  growth: z.unknown().nullable(),
  verdicts: z.array(verdict),
  warnings: z.array(z.string()),
  passed: z.boolean(),
});

export type BenchResult = z.infer<typeof benchResult>;
export type ArmRow = z.infer<typeof row>;
export type AtLoad = z.infer<typeof atLoad>;
export type Verdict = z.infer<typeof verdict>;
