// What an error reply of Redis says about the write: surely not done, or not known.

import { Fault, type FaultCode } from "../../core/errors.ts";

export type ErrorVerdict = {
  readonly fault: Fault;
  /** The connection is not to be trusted any further. */
  readonly isDoubt: boolean;
};

/** Redis says these before it runs anything of a script. */
const REFUSED_BEFORE_RUNNING = new Set([
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "MISCONF",
  "NOAUTH",
  "NOPERM",
  "NOREPLICAS",
  "NOSCRIPT",
  "OOM",
  "READONLY",
  "TRYAGAIN",
]);

/** After these another server may be the right one: connect anew. */
const SERVER_IS_WRONG = new Set(["LOADING", "MASTERDOWN", "NOAUTH", "READONLY"]);

/** A stream that is ahead of its fence: XADD is the first write, so nothing was written. */
const JOURNAL_AHEAD = "The ID specified in XADD is equal or smaller";

/** Cost: only on the way of an error. */
export function verdictOf(error: Error, what: string): ErrorVerdict {
  if (error.name === "ReplyError") return replyVerdict(error.message, what, error);
  return verdict("unknown", true, `${what}: ${error.message}`, error);
}

/** What an error reply says, whether it came by itself or inside a script's reply. */
export function replyVerdict(message: string, what: string, cause?: Error): ErrorVerdict {
  const code = codeOf(message);
  const detail = `${what}: ${message}`;
  if (REFUSED_BEFORE_RUNNING.has(code)) {
    return verdict("store_unavailable", SERVER_IS_WRONG.has(code), detail, cause);
  }
  if (code === "WRONGTYPE" || message.includes(JOURNAL_AHEAD)) {
    return verdict("journal_corrupt", false, detail, cause);
  }
  return verdict("unknown", true, detail, cause);
}

function verdict(code: FaultCode, isDoubt: boolean, detail: string, cause?: Error): ErrorVerdict {
  return { fault: new Fault(code, detail, { cause }), isDoubt };
}

/** A server that keeps its settings to itself: a managed one, or a user without that right. */
export function isSecretive(error: unknown): boolean {
  if (!(error instanceof Error) || error.name !== "ReplyError") return false;
  return codeOf(error.message) === "NOPERM" || error.message.startsWith("ERR unknown command");
}

export function isMissingScript(error: Error): boolean {
  return error.name === "ReplyError" && codeOf(error.message) === "NOSCRIPT";
}

function codeOf(message: string): string {
  const end = message.search(/[ :]/);
  return end < 0 ? message : message.slice(0, end);
}
