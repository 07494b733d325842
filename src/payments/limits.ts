// Limits of the gateway client and of the simulator, each with where the number comes from. They
// are here and not in core: the simulator is a program of its own.

import { assert } from "../core/assert.ts";
import { CHECKOUT_WAIT_MS } from "../core/limits.ts";

/** A charge ends within this: a gateway that needs 3 s is heard before a checkout answers 202. */
export const CHARGE_DEADLINE_MS = 4_500;

/** Inquiry, void and refund: look-ups and small writes; the sweeper repeats them. */
export const CALL_DEADLINE_MS = 2_000;

/**
 * Calls on the wire at once. Bun's fetch has 256 connections for a whole process
 * (BUN_CONFIG_MAX_HTTP_REQUESTS, read at its start); the rest is left for the embedded simulator's
 * deliveries. Inquiries and voids have connections of their own: slow charges never starve them.
 */
export const CHARGES_AT_ONCE_MAX = 176;
/**
 * Bun's fetch keeps 64 idle connections: a burst of more opens the rest anew each time, which costs
 * both sides more than the charges. So a burst waits for its turn on those that are kept, unless
 * the gateway is slow.
 */
export const CHARGES_PROMPT_MAX = 56;
export const OTHER_CALLS_AT_ONCE_MAX = 48;

/** Calls waiting for a connection: at 4,000 charges a second about 2 s of them. */
export const CALLS_WAITING_MAX = 8_192;

/** A gateway's answer is one small object. */
export const ANSWER_BYTES_MAX = 16 * 1_024;

/** Requests waiting for the simulator's next transaction: more than 2 s of work at 5,000/s. */
export const DESK_WAITING_MAX = 16_384;

/** Requests in one transaction: about 15 µs each, so a turn stays under some tens of ms. */
export const DESK_BATCH_MAX = 1_024;

/** Events read from the book for one round of deliveries, and deliveries on the wire at once. */
export const EVENT_ROUND_MAX = 256;
export const EVENT_DELIVERIES_AT_ONCE_MAX = 16;

/** Charges on one page of the book. */
export const BOOK_PAGE_MAX = 1_000;

/** How far a webhook's timestamp may be from now (Standard Webhooks; `standardwebhooks` has it). */
export const WEBHOOK_TOLERANCE_MS = 5 * 60_000;

/** Standard Webhooks: a secret is 24 to 64 random bytes. */
export const WEBHOOK_SECRET_BYTES_MIN = 24;
export const WEBHOOK_SECRET_BYTES_MAX = 64;

assert(CHARGE_DEADLINE_MS < CHECKOUT_WAIT_MS, "a charge settles before its checkout answers");
assert(
  CHARGES_AT_ONCE_MAX + OTHER_CALLS_AT_ONCE_MAX + EVENT_DELIVERIES_AT_ONCE_MAX <= 256,
  "all connections fit into what fetch opens",
);
