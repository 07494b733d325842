// Faults
//
// A fault is the outside world failing us: a store that does not answer, a claim that was taken
// over, a queue that is full. It is neither a refusal (an outcome: a value) nor a bug (an assert).

/**
 * What the caller may do next.
 *
 *   resend        nothing was written; send it again, after a pause
 *   same_request  it may have been written; repeating the same request gives the definite answer
 *   give_up       no retry can help
 */
export type RetryAdvice = "resend" | "same_request" | "give_up";

export const FAULT_RETRY = {
  busy: "resend",
  deadline: "same_request",
  store_unavailable: "resend",
  unknown: "same_request",
  /** The store judged this very statement and wrote nothing of it: bad data, a broken rule. */
  statement_refused: "give_up",
  fenced: "resend",
  halted: "give_up",
  not_owner: "resend",
  journal_corrupt: "give_up",
  payment_unavailable: "same_request",
  /** The gateway's book has another amount than the order: neither sold nor refunded by itself. */
  payment_wrong: "give_up",
  config_invalid: "give_up",
  second_engine: "give_up",
} as const satisfies Record<string, RetryAdvice>;

export type FaultCode = keyof typeof FAULT_RETRY;

export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;

  /** `detail` is for an operator: name the thing and the numbers, never a shopper's data. */
  constructor(code: FaultCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.code = code;
  }

  get retry(): RetryAdvice {
    return FAULT_RETRY[this.code];
  }
}

/** Any thrown value as a Fault: a Fault stays itself, anything else gets `code`. */
export function faultOf(cause: unknown, code: FaultCode, detail: string): Fault {
  return cause instanceof Fault ? cause : new Fault(code, detail, { cause });
}
