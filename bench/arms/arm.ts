// What the bench compares: an arm is one way to decide a hold behind the same HTTP layer, and
// everything around it that it needs.

import type { Books } from "../audit/audit.ts";
import type { ReportedSku } from "../audit/doorbuster-books.ts";

export const ARM_IDS = [
  "bare",
  "elysia",
  "pg-lock",
  "pg-update",
  "pg-skip-locked",
  "redis-lua",
  "redis-lua-fsync",
  "redis-decr-pg",
  "doorbuster",
  "doorbuster-embedded",
  "doorbuster-2",
  "doorbuster-2-affine",
] as const;
/** `oversells` is no rival: the audit must catch it. */
export type ArmId = (typeof ARM_IDS)[number] | "oversells";

/** False of those that answer a constant, and store nothing. */
export function decides(id: string): boolean {
  return id !== "bare" && id !== "elysia";
}

export function nodesOf(id: string): number {
  return id === "doorbuster-2" || id === "doorbuster-2-affine" ? NODES_MAX : 1;
}

export const NODES_MAX = 2;

/** What an acknowledged hold survives. Compare inside a class. */
export const DURABILITY = {
  bare: "none: constant answer",
  elysia: "none: constant answer",
  "pg-lock": "process and machine crash (Postgres, synchronous_commit on)",
  "pg-update": "process and machine crash (Postgres, synchronous_commit on)",
  "pg-skip-locked": "process and machine crash (Postgres, synchronous_commit on)",
  "redis-lua": "process crash; a machine crash loses up to 1 s (AOF everysec)",
  "redis-lua-fsync": "process and machine crash (AOF always)",
  "redis-decr-pg": "rows: machine crash; the counter: up to 1 s lost (AOF everysec); not atomic",
  doorbuster: "process and machine crash (AOF always, fenced)",
  "doorbuster-embedded": "process and machine crash (SQLite WAL, synchronous FULL)",
  "doorbuster-2": "process and machine crash (AOF always, fenced)",
  "doorbuster-2-affine": "process and machine crash (AOF always, fenced)",
  oversells: "none",
} as const satisfies Record<ArmId, string>;

/** Of every arm: no rewrite of Redis' file is in the way, as no checkpoint of Postgres is. */
export const REDIS_SETTINGS = { "auto-aof-rewrite-percentage": "0" } as const;

export const SALE = "bench";

/** The SKUs of a run: `hot` without an end, `gone` without a unit, `flash`, and the catalogue. */
export type Stage = {
  readonly flashUnits: number;
  /** 0: no catalogue. */
  readonly catalogueSize: number;
  /** Units that `hot` may need at most: one row each for the arm that has a row a unit. */
  readonly hotUnits: number;
};

export const HOT_STOCK = 900_000_000;
export const CATALOGUE_STOCK = 1_000_000;

/** Counters since the start; differences of two readings are a run's. */
export type Counters = {
  readonly redisCommands: number;
  /** Commits of the journal and the answers that left with them. */
  readonly commits: number;
  readonly committedAnswers: number;
};

export const NO_COUNTERS: Counters = { redisCommands: 0, commits: 0, committedAnswers: 0 };

export type RunningArm = {
  readonly id: ArmId;
  readonly ports: readonly number[];
  /** Where the hot SKU is decided; the same as `ports` where it does not matter. */
  readonly hotPorts: readonly number[];
  /** Pids by role: `server`, `redis`, `postgres`, `gateway`, `nats`. */
  readonly pids: () => Readonly<Record<string, readonly number[]>>;
  counters(): Promise<Counters>;
  /** Resolves when all that was accepted is in SQL; null: this arm stores nothing there. */
  readonly stored: (() => Promise<void>) | null;
  /** The live state by SKU; null: only its books tell. */
  readonly report: (() => Promise<readonly ReportedSku[]>) | null;
  /** The books after all load has ended; null: it keeps none. Ends the arm's service. */
  readonly books: (() => Promise<Books>) | null;
  /** What its processes printed; holds the GC log where that was asked for. */
  output(): string;
  stop(): Promise<void>;
};

export type ArmOptions = {
  readonly stage: Stage;
  readonly secret: string;
  /** A rival's connections to what decides: Redis, or Postgres where it has that. */
  readonly storeConnections: number;
  readonly logGc: boolean;
  /** How long a hold lives: longer than any run, but for a soak. */
  readonly holdFor: string;
};

/** Why an arm cannot run here. */
export class ArmSkipped extends Error {
  override readonly name = "ArmSkipped";
}
