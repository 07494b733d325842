// What a rival is: one function between our HTTP layer and a store.

import type { Stage } from "./arm.ts";

export type RivalId =
  | "elysia"
  | "pg-lock"
  | "pg-update"
  | "pg-skip-locked"
  | "redis-lua"
  | "redis-decr-pg"
  | "oversells";

/** A rival's process gets this as its argument, as JSON. */
export type RivalSpec = {
  readonly id: RivalId;
  readonly port: number;
  readonly secret: string;
  readonly stage: Stage;
  readonly storeConnections: number;
  readonly redisUrl: string | null;
  readonly databaseUrl: string | null;
};

/** `new` and `same` are holds. */
export type Verdict = "new" | "same" | "sold_out";
export type Ask = {
  readonly skuKey: string;
  readonly shopper: string;
  readonly quantity: number;
  readonly deadlineMs: number;
};
export type Decider = (ask: Ask) => Promise<Verdict>;
