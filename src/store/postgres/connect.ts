// One Postgres database with a guard around every call on it.
//
//   P1  a call settles within its deadline, whatever the server, the network or the driver do (I9)
//   P2  at most `max` calls run and `waitingMax` wait; more are refused with `busy`
//   P3  a client serves until its first doubt (no answer in time, a cut connection, a connect that
//       hangs); then a new one takes its place, and the old one ends with its last call. The driver
//       can keep a connection that hangs for good (components c-29, c-32, c-36); one that was cut
//       in mid-call can tell the next statement the last one's error, though it was done
//   P4  a business effect is one statement, never `sql.begin` (c-28)

import { assert } from "../../core/assert.ts";
import { Fault } from "../../core/errors.ts";
import { makeClient, placeOf } from "./client.ts";
import type { Client, ClientOptions, Drizzle, Sql } from "./client.ts";
import { failureOf } from "./driver-failure.ts";
import { WaitingLine } from "./waiting-line.ts";

export type { Drizzle, Sql } from "./client.ts";

export type PostgresOptions = {
  readonly url: string;
  /** Connections, and calls that run at once. */
  readonly max?: number;
  /** The server cancels a longer statement; a call ends `CALL_GRACE_MS` later at the latest. */
  readonly statementMs?: number;
  /** Calls that may wait for a connection. */
  readonly waitingMax?: number;
  /** A shard: all its statements find their rows by a key, and `execute` keeps their plans. */
  readonly plansOnce?: boolean;
};

/** A statement whose text never varies: how many rows it is about is told by arrays. */
export type Statement = { readonly text: string; readonly values: readonly string[] };

/** Two cores of Postgres are busy with fewer; more only queue inside the server. */
const CONNECTIONS_DEFAULT = 8;
/** With CALL_GRACE_MS inside REQUEST_DEADLINE_MS, so that a request hears its own answer. */
const STATEMENT_MS_DEFAULT = 2_000;
/** At 1 ms a call on 8 connections this line is served in about 130 ms. */
const WAITING_DEFAULT = 1_024;
/** What a call may take beyond its statement: the way there and back, a part of the wait. */
const CALL_GRACE_MS = 500;

/** How long a closing database waits for the calls that run. */
const CLOSE_MS = 1_000;

/** A client with the calls that run on it. */
type Generation = { readonly client: Client; calls: number; isRetired: boolean };

type Work<T> = (drizzle: Drizzle, sql: Sql) => PromiseLike<T>;

export class PostgresDatabase {
  /** Host, port and database, without credentials. */
  readonly place: string;
  readonly #options: ClientOptions;
  readonly #line: WaitingLine;
  readonly #callMs: number;
  readonly #ending = new Set<Promise<void>>();
  #current: Generation;
  #isClosed = false;

  /** Connects at the first call. Throws: Fault("config_invalid"). */
  constructor(options: PostgresOptions) {
    const { url, max = CONNECTIONS_DEFAULT, statementMs = STATEMENT_MS_DEFAULT } = options;
    this.place = placeOf(url);
    const { plansOnce = false } = options;
    this.#options = { url, max, statementMs, lockMs: statementMs, plansOnce };
    this.#line = new WaitingLine({ slots: max, waitingMax: options.waitingMax ?? WAITING_DEFAULT });
    this.#callMs = statementMs + CALL_GRACE_MS;
    this.#current = generationOf(makeClient(this.#options));
  }

  /** The current client; for use inside `run` only, and never kept: it may be replaced. */
  get drizzle(): Drizzle {
    return this.#current.client.drizzle;
  }

  /** As `drizzle`: postgres.js itself, whose tagged statements are prepared once a connection. */
  get sql(): Sql {
    return this.#current.client.sql;
  }

  /** Calls that run and that wait, for metrics. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#line.inside, waiting: this.#line.waiting };
  }

  /**
   * Runs one statement, or some that need no transaction, under the guard. `what` names the call
   * for operators.
   *
   * Throws: Fault("busy" | "store_unavailable"): nothing was written. Fault("unknown"): it may
   * have been. StatementRefused: the server judged the statement; nothing was written.
   */
  async run<T>(what: string, work: Work<T>): Promise<T> {
    const startMs = performance.now();
    await this.#line.enter(what, this.#options.statementMs);
    if (this.#isClosed) {
      this.#line.leave();
      throw new Fault("store_unavailable", `${what}: closed`);
    }
    return this.#call({ what, endsAtMs: startMs + this.#callMs }, work);
  }

  /**
   * `run` for one statement; with `plansOnce` it is parsed and planned once a connection: 38 µs of
   * Postgres' CPU and 25 µs of ours less for an order (bench/orders.ts), and one round trip.
   */
  execute<Row extends Readonly<Record<string, unknown>>>(
    what: string,
    statement: Statement,
  ): Promise<readonly Row[]> {
    const { text, values } = statement;
    const prepare = this.#options.plansOnce;
    return this.run(what, (_, sql) => sql.unsafe<Row[]>(text, [...values], { prepare }));
  }

  /**
   * Refuses a server that could lose an acknowledged commit, or that is no database of ours.
   *
   * Throws: Fault("config_invalid") with what to change; else as `run`.
   */
  async check(): Promise<void> {
    const [server] = await this.run(`check the settings of ${this.place}`, (_, sql) => {
      return sql<ServerSettings[]>`
        select current_setting('fsync') as fsync,
               current_setting('synchronous_commit') as "synchronousCommit",
               current_setting('full_page_writes') as "fullPageWrites",
               current_setting('server_encoding') as encoding,
               pg_is_in_recovery() as "isStandby"`;
    });
    const problem = server === undefined ? "answers nothing" : problemOf(server);
    if (problem !== null) throw new Fault("config_invalid", `database ${this.place} ${problem}`);
  }

  /** Running calls may finish for a second. Afterwards every call is Fault("store_unavailable"). */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#end(this.#current.client, CLOSE_MS);
    await Promise.all(this.#ending);
  }

  /**
   * Takes over the caller's place in the line, and leaves it when the work settles or the client
   * is given up: a caller that stopped waiting at its deadline still occupies a connection.
   */
  #call<T>(call: { readonly what: string; readonly endsAtMs: number }, work: Work<T>): Promise<T> {
    const generation = this.#current;
    generation.calls += 1;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const giveUp = () => reject(new Fault("unknown", `${call.what}: no answer in time`));
    const leftMs = call.endsAtMs - performance.now();
    // The server ends a statement long before this, so silence is a doubt.
    const doubt = setTimeout(() => {
      this.#retire(generation);
      settle();
      giveUp();
    }, this.#callMs);
    const deadline = leftMs < this.#callMs - 1 ? setTimeout(giveUp, leftMs) : undefined;
    let isRunning = true;
    const settle = () => {
      if (!isRunning) return;
      isRunning = false;
      clearTimeout(doubt);
      clearTimeout(deadline);
      generation.calls -= 1;
      if (generation.isRetired && generation.calls === 0) this.#end(generation.client, 0);
      this.#line.leave();
    };
    const { drizzle, sql } = generation.client;
    Promise.try(() => work(drizzle, sql)).then(
      (value) => {
        settle();
        resolve(value);
      },
      (thrown: unknown) => {
        const failure = failureOf(thrown, call.what);
        if (failure.isDoubtful) this.#retire(generation);
        settle();
        reject(failure.error);
      },
    );
    return promise;
  }

  /** P3. Many calls may doubt one client: the first replaces it. */
  #retire(generation: Generation): void {
    if (generation.isRetired || this.#isClosed) return;
    assert(generation === this.#current, "only the client in use is replaced");
    generation.isRetired = true;
    this.#current = generationOf(makeClient(this.#options));
  }

  /** Calls that run on the client may finish in this time; then they are cut. */
  #end(client: Client, withinMs: number): void {
    const ended = client.sql
      .end({ timeout: withinMs / 1_000 })
      .finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}

function generationOf(client: Client): Generation {
  return { client, calls: 0, isRetired: false };
}

type ServerSettings = {
  readonly fsync: string;
  readonly synchronousCommit: string;
  readonly fullPageWrites: string;
  readonly encoding: string;
  readonly isStandby: boolean;
};

function problemOf(server: ServerSettings): string | null {
  if (server.fsync === "off") return "runs with fsync off: set fsync = on";
  if (server.synchronousCommit === "off") {
    return "runs with synchronous_commit off: set synchronous_commit = on";
  }
  if (server.fullPageWrites === "off") {
    return "runs with full_page_writes off: set full_page_writes = on";
  }
  if (server.encoding !== "UTF8") return `is encoded in ${server.encoding}: create it with UTF8`;
  return server.isStandby ? "is a standby: give the primary's address" : null;
}
