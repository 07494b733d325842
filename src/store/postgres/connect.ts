// One Postgres database with a guard around every call on it.
//
//   P1  a call settles within its deadline, whatever the server, the network or the driver do (I9)
//   P2  at most `max` calls run and `waitingMax` wait; more are refused with `busy`
//   P3  a client serves until its first doubt (a deadline, a cut connection, a connect that hangs);
//       then a new one takes its place and the old one ends: the driver can keep a broken
//       connection or a statement that never settles (components c-29, c-31, c-32, c-36)
//   P4  a business effect is one statement, never `sql.begin` (c-28)

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
};

/** Two cores of Postgres are busy with fewer; more only queue inside the server. */
const CONNECTIONS_DEFAULT = 8;
/** With CALL_GRACE_MS inside REQUEST_DEADLINE_MS, so that a request hears its own answer. */
const STATEMENT_MS_DEFAULT = 2_000;
/** At 1 ms a call on 8 connections this line is served in about 130 ms. */
const WAITING_DEFAULT = 1_024;
/** What a call may take beyond its statement: the way there and back. */
const CALL_GRACE_MS = 500;

export class PostgresDatabase {
  /** Host, port and database, without credentials. */
  readonly place: string;
  readonly #options: ClientOptions;
  readonly #line: WaitingLine;
  readonly #callMs: number;
  readonly #ending = new Set<Promise<void>>();
  #client: Client;
  #isClosed = false;

  /** Connects at the first call. Throws: Fault("config_invalid"). */
  constructor(options: PostgresOptions) {
    const { url, max = CONNECTIONS_DEFAULT, statementMs = STATEMENT_MS_DEFAULT } = options;
    this.place = placeOf(url);
    this.#options = { url, max, statementMs, lockMs: statementMs };
    this.#line = new WaitingLine({ slots: max, waitingMax: options.waitingMax ?? WAITING_DEFAULT });
    this.#callMs = statementMs + CALL_GRACE_MS;
    this.#client = makeClient(this.#options);
  }

  /** The current client; for use inside `run` only, and never kept: it may be replaced. */
  get drizzle(): Drizzle {
    return this.#client.drizzle;
  }

  /** As `drizzle`: postgres.js itself, whose tagged statements are prepared once a connection. */
  get sql(): Sql {
    return this.#client.sql;
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
  async run<T>(what: string, work: (drizzle: Drizzle, sql: Sql) => PromiseLike<T>): Promise<T> {
    const startMs = performance.now();
    await this.#line.enter(what, this.#callMs);
    try {
      if (this.#isClosed) throw new Fault("store_unavailable", `${what}: closed`);
      const client = this.#client;
      const leftMs = Math.max(1, this.#callMs - (performance.now() - startMs));
      return await this.#guarded(what, { client, leftMs }, work);
    } finally {
      this.#line.leave();
    }
  }

  /**
   * Refuses a server that could lose an acknowledged commit, or that is no database of ours.
   *
   * Throws: Fault("config_invalid") with what to change; else as `run`.
   */
  async check(): Promise<void> {
    const [server] = await this.run("check the server's settings", (_, sql) => {
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
    this.#end(this.#client, 1);
    await Promise.all(this.#ending);
  }

  async #guarded<T>(
    what: string,
    call: { readonly client: Client; readonly leftMs: number },
    work: (drizzle: Drizzle, sql: Sql) => PromiseLike<T>,
  ): Promise<T> {
    const { client, leftMs } = call;
    const deadline = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#replace(client);
      deadline.reject(new Fault("unknown", `${what}: no answer in ${Math.round(leftMs)} ms`));
    }, leftMs);
    try {
      return await Promise.race([work(client.drizzle, client.sql), deadline.promise]);
    } catch (thrown) {
      const failure = failureOf(thrown, what);
      if (failure.isDoubtful) this.#replace(client);
      throw failure.error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** P3. Many calls may doubt one client: the first replaces it. */
  #replace(client: Client): void {
    if (client !== this.#client || this.#isClosed) return;
    this.#client = makeClient(this.#options);
    this.#end(client, this.#callMs / 1_000);
  }

  /** Calls that run on the client may finish in `graceS`; then they hear CONNECTION_DESTROYED. */
  #end(client: Client, graceS: number): void {
    const ended = client.sql.end({ timeout: graceS }).finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
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
