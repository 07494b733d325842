// Every way a command may end, and the two tables that lead there.

import type { FaultCode } from "../core/errors.ts";
import type { ProblemCode } from "../http/problem.ts";

export const EXIT = {
  ok: 0,
  failed: 1,
  /** Wrong arguments, a file that is no sale, a missing or wrong key. */
  usage: 2,
  threshold: 3,
  notFound: 4,
  conflict: 5,
  unavailable: 69,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const EXIT_OF_PROBLEM = {
  malformed_json: EXIT.usage,
  invalid_request: EXIT.usage,
  idempotency_key_required: EXIT.usage,
  unauthenticated: EXIT.usage,
  payment_declined: EXIT.failed,
  forbidden: EXIT.usage,
  not_open: EXIT.conflict,
  paused: EXIT.conflict,
  ended: EXIT.conflict,
  cancelled: EXIT.conflict,
  not_found: EXIT.notFound,
  method_not_allowed: EXIT.failed,
  email_taken: EXIT.conflict,
  in_checkout: EXIT.conflict,
  limit_reached: EXIT.conflict,
  sold_out: EXIT.conflict,
  all_held: EXIT.conflict,
  too_few: EXIT.conflict,
  hold_lapsed: EXIT.conflict,
  hold_changed: EXIT.conflict,
  payment_pending: EXIT.conflict,
  not_cancellable: EXIT.conflict,
  below_committed: EXIT.conflict,
  not_changeable: EXIT.conflict,
  changed_meanwhile: EXIT.conflict,
  body_too_large: EXIT.usage,
  unsupported_media_type: EXIT.failed,
  idempotency_mismatch: EXIT.conflict,
  rate_limited: EXIT.unavailable,
  busy: EXIT.unavailable,
  store_unavailable: EXIT.unavailable,
  unknown: EXIT.unavailable,
  deadline: EXIT.unavailable,
} as const satisfies Record<ProblemCode, ExitCode>;

const EXIT_OF_FAULT = {
  busy: EXIT.unavailable,
  deadline: EXIT.unavailable,
  store_unavailable: EXIT.unavailable,
  unknown: EXIT.unavailable,
  // Another engine has taken over.
  fenced: EXIT.usage,
  not_owner: EXIT.unavailable,
  payment_unavailable: EXIT.unavailable,
  payment_wrong: EXIT.failed,
  statement_refused: EXIT.failed,
  halted: EXIT.failed,
  journal_corrupt: EXIT.failed,
  config_invalid: EXIT.usage,
  second_engine: EXIT.usage,
} as const satisfies Record<FaultCode, ExitCode>;

/** A code that this command does not know yet goes by its status. */
export function exitCodeOfProblem(code: string, status: number): ExitCode {
  const known: ReadonlyMap<string, ExitCode> = new Map(Object.entries(EXIT_OF_PROBLEM));
  const exitCode = known.get(code);
  if (exitCode !== undefined) return exitCode;
  if (status === 404) return EXIT.notFound;
  if (status === 409 || status === 412) return EXIT.conflict;
  return status >= 500 || status === 429 ? EXIT.unavailable : EXIT.failed;
}

export function exitCodeOfFault(code: FaultCode): ExitCode {
  return EXIT_OF_FAULT[code];
}

/** A command ends without its result. `message` and `hint` are for people, `details` for `--json`. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly lines: readonly string[];
  readonly details: Readonly<Record<string, unknown>>;

  constructor(request: {
    readonly exitCode: ExitCode;
    readonly code: string;
    readonly message: string;
    /** What to read or do next, a line each. */
    readonly lines?: readonly string[];
    readonly details?: Readonly<Record<string, unknown>>;
    readonly cause?: unknown;
  }) {
    super(request.message, { cause: request.cause });
    this.exitCode = request.exitCode;
    this.code = request.code;
    this.lines = request.lines ?? [];
    this.details = request.details ?? {};
  }
}
