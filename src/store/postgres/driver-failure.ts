// What a failed call on postgres.js means, in one place.
//
//   D1  "nothing was written" is said only where the driver or the server proves it
//   D2  no text of a driver's error goes on: its message, detail and parameters quote rows

import { DrizzleQueryError } from "drizzle-orm";
import postgres from "postgres";

import { Fault } from "../../core/errors.ts";
import { StatementRefused } from "../statement-refused.ts";

export type Failure = {
  readonly error: unknown;
  /** The connection, or the client around it, may be broken: replace the client. */
  readonly isDoubtful: boolean;
};

/** Errors of a connection that was never made: the statement did not leave this process. */
const NEVER_CONNECTED = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "CONNECTION_ENDED",
]);

/** Never connected either; but a client that met it may keep a broken connection. */
const CONNECT_TIMEOUT = "CONNECT_TIMEOUT";

/** The server's certificate did not pass: nothing was said to it but hello. */
const CERTIFICATE_REFUSED = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|^ERR_(TLS|SSL)_/;

/** Refused at log-in, before any statement: bad credentials, no such database. */
const LOG_IN_REFUSED = new Set(["28000", "28P01", "3D000", "42501"]);

/** `cannot_connect_now`, `too_many_connections`: refused at log-in, and may pass. */
const LOG_IN_LATER = new Set(["57P03", "53300"]);

/** Any error thrown by work on the driver, as the error that the rest of the program hears. */
export function failureOf(thrown: unknown, what: string): Failure {
  const cause = driverErrorOf(thrown);
  if (cause instanceof Fault) return { error: cause, isDoubtful: false };
  if (cause instanceof postgres.PostgresError) return serverFailure(cause, what);
  const code = codeOf(cause);
  // Neither the server nor the connection: a bug of ours, which goes on as it is.
  if (code === null) return { error: cause, isDoubtful: false };
  if (code === CONNECT_TIMEOUT || CERTIFICATE_REFUSED.test(code)) {
    return { error: unavailable(what, code), isDoubtful: true };
  }
  if (NEVER_CONNECTED.has(code)) return { error: unavailable(what, code), isDoubtful: false };
  return { error: new Fault("unknown", `${what}: connection lost, ${code}`), isDoubtful: true };
}

/** Drizzle wraps the driver's error in one whose message holds the SQL and its parameters. */
function driverErrorOf(thrown: unknown): unknown {
  return thrown instanceof DrizzleQueryError && thrown.cause !== undefined ? thrown.cause : thrown;
}

function serverFailure(error: postgres.PostgresError, what: string): Failure {
  const state = error.code;
  if (error.severity !== "ERROR") {
    // FATAL and PANIC end the connection. The driver reports one only when no statement was sent
    // on it (else the caller hears CONNECTION_CLOSED), but only these prove that themselves.
    if (LOG_IN_LATER.has(state)) return { error: unavailable(what, state), isDoubtful: false };
    if (LOG_IN_REFUSED.has(state)) {
      const detail = `${what}: the server refused the log-in, ${state}`;
      return { error: new Fault("store_unavailable", detail), isDoubtful: false };
    }
    return { error: new Fault("unknown", `${what}: ${state}`), isDoubtful: true };
  }
  // An ERROR rolled the statement back: nothing was written, whatever it was.
  if (state === "55P03")
    return { error: new Fault("busy", `${what}: lock wait`), isDoubtful: false };
  if (/^(53|57|58|XX)/.test(state) || state === "25006") {
    return { error: unavailable(what, state), isDoubtful: false };
  }
  const constraint = error.constraint_name ?? "";
  return { error: new StatementRefused(what, { state, constraint }), isDoubtful: false };
}

function unavailable(what: string, code: string): Fault {
  return new Fault("store_unavailable", `${what}: ${code}`);
}

function codeOf(cause: unknown): string | null {
  if (!(cause instanceof Error) || !("code" in cause)) return null;
  return typeof cause.code === "string" ? cause.code : null;
}
