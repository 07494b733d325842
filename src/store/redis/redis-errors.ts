// What an error reply of Redis says about the write: surely not done, or not known.

import { Fault } from "../../core/errors.ts";

export type ErrorVerdict = {
  readonly fault: Fault;
  /** The connection is not to be trusted any further. */
  readonly isDoubt: boolean;
};

/** Redis says these before the first write of a script, and never after it. */
const REFUSED_BEFORE_WRITING = new Set([
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

/** What is stored is not what a script expects; each looks at everything before it writes. */
const STUMBLED = /^(?:ERR )?user_script:\d+: (?:attempt to|bad argument)/;

/** Cost: only on the way of an error. */
export function verdictOf(error: Error, what: string): ErrorVerdict {
  if (error.name !== "ReplyError") {
    const fault = new Fault("unknown", `${what}: ${error.message}`, { cause: error });
    return { fault, isDoubt: true };
  }
  const fault = faultOfReply(error.message, what, { cause: error });
  return { fault, isDoubt: fault.code === "unknown" || SERVER_IS_WRONG.has(codeOf(error.message)) };
}

/** What an error reply says of the write, whether it came by itself or in a script's answer. */
export function faultOfReply(message: string, what: string, options?: ErrorOptions): Fault {
  const code = codeOf(message);
  const detail = `${what}: ${message}`;
  if (REFUSED_BEFORE_WRITING.has(code)) return new Fault("store_unavailable", detail, options);
  const isCorrupt = code === "WRONGTYPE" || message.includes(JOURNAL_AHEAD);
  if (isCorrupt || STUMBLED.test(message)) return new Fault("journal_corrupt", detail, options);
  return new Fault("unknown", detail, options);
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
