// What an error reply of Redis says about the write: surely not done, or not known.

import { Fault } from "../../core/errors.ts";

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
  if (error.name !== "ReplyError") {
    return {
      fault: new Fault("unknown", `${what}: ${error.message}`, { cause: error }),
      isDoubt: true,
    };
  }
  const code = codeOf(error.message);
  if (REFUSED_BEFORE_RUNNING.has(code)) {
    return {
      fault: new Fault("store_unavailable", `${what}: ${error.message}`, { cause: error }),
      isDoubt: SERVER_IS_WRONG.has(code),
    };
  }
  if (code === "WRONGTYPE" || error.message.includes(JOURNAL_AHEAD)) {
    return {
      fault: new Fault("journal_corrupt", `${what}: ${error.message}`, { cause: error }),
      isDoubt: false,
    };
  }
  return {
    fault: new Fault("unknown", `${what}: ${error.message}`, { cause: error }),
    isDoubt: true,
  };
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
