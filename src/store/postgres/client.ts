// The one place that makes a postgres.js client, with our settings.

import { readFileSync } from "node:fs";

import { drizzle } from "drizzle-orm/postgres-js";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";

import { assert } from "../../core/assert.ts";
import { Fault } from "../../core/errors.ts";

export type Sql = postgres.Sql<{ bigint: number }>;
export type Drizzle = PostgresJsDatabase;

/** `json` parameters are strings: Drizzle switches the driver's own JSON serializer off. */
export type Client = { readonly sql: Sql; readonly drizzle: Drizzle };

export type ClientOptions = {
  readonly url: string;
  /** Connections at most. */
  readonly max: number;
  /** The server cancels a statement that runs longer. */
  readonly statementMs: number;
  /** The server refuses a statement that waits longer for one lock. */
  readonly lockMs: number;
  /** Plans are made once a connection, for rows found one by one: see `PLANNED_ONCE`. */
  readonly plansOnce: boolean;
};

const CONNECT_TIMEOUT_MS = 2_000;
/** Between two attempts of one connection: the driver's own back-off grows to 20 s. */
const RECONNECT_PAUSE_MS = 100;

/**
 * A plan that is kept must not follow from what the tables hold today: made while they are empty it
 * would read a full one from end to end. So only one kind is left, a look-up by index for each row,
 * which is right at any size for statements that name their rows. Statements for such a database
 * join nothing but a table by its key.
 */
export const PLANNED_ONCE = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  // A statement of ours is never worth a second core.
  max_parallel_workers_per_gather: "0",
  // The price that the planner puts on what is off must not look like work worth compiling.
  jit: "off",
};

/** Opens nothing yet: the first statement connects. Throws: Fault("config_invalid"). */
export function makeClient(options: ClientOptions): Client {
  const { url, ssl } = addressOf(options.url);
  const sql: Sql = postgres(url, {
    max: options.max,
    ssl,
    // postgres.js speaks seconds.
    connect_timeout: CONNECT_TIMEOUT_MS / 1_000,
    backoff: () => RECONNECT_PAUSE_MS / 1_000,
    keep_alive: 15,
    // Connections end by the server, by doubt or by `close`: an end at an idle moment of the
    // driver's own choosing races with statements (components c-29, c-36).
    idle_timeout: 0,
    max_lifetime: null,
    prepare: true,
    onnotice: () => undefined,
    types: { bigint: { to: 20, from: [20], serialize: String, parse: safeIntegerOf } },
    connection: {
      application_name: "doorbuster",
      statement_timeout: options.statementMs,
      lock_timeout: options.lockMs,
      ...(options.plansOnce ? PLANNED_ONCE : {}),
    },
  });
  return { sql, drizzle: drizzle(sql) };
}

/** Host, port and database of a URL, for people: no user, no password. */
export function placeOf(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? "(not a URL)" : `${parsed.host}${parsed.pathname}`;
}

type Tls = { readonly rejectUnauthorized: true; readonly host: string; readonly ca?: string };

/**
 * `sslmode` is ours: the driver's `require`, `allow` and `prefer` check no certificate
 * (components c-30), so only `disable` and `verify-full` are taken.
 */
function addressOf(text: string): { readonly url: string; readonly ssl: Tls | false } {
  const url = URL.parse(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new Fault("config_invalid", "a database URL must be postgres://user@host:port/database");
  }
  const mode = url.searchParams.get("sslmode") ?? "disable";
  const authority = url.searchParams.get("sslrootcert");
  url.searchParams.delete("sslmode");
  url.searchParams.delete("sslrootcert");
  if (mode === "disable") return { url: url.href, ssl: false };
  if (mode !== "verify-full") {
    const place = placeOf(text);
    throw new Fault("config_invalid", `${place}: sslmode ${mode}; allowed: disable, verify-full`);
  }
  const ca = authority === null ? {} : { ca: certificateOf(authority) };
  return { url: url.href, ssl: { rejectUnauthorized: true, host: url.hostname, ...ca } };
}

function certificateOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Fault("config_invalid", `sslrootcert ${path} cannot be read`, { cause });
  }
}

function safeIntegerOf(text: string): number {
  const value = Number(text);
  assert(Number.isSafeInteger(value), "a bigint of ours is far inside 2^53");
  return value;
}
