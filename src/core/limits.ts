// Every queue, batch, loop and cache has its limit here, with where the number comes from.
// Relations between limits are asserted at load, below.

import { assert } from "./assert.ts";

/** Units in one hold (contract: quantity 1–100). */
export const HOLD_UNITS_MAX = 100;

/** Units released on one SKU, and any count or amount we add up: far inside 2^53. */
export const STOCK_UNITS_MAX = 1_000_000_000;

/** An order's total in minor units; 2^53 − 1 leaves no room for sums, a quadrillion does. */
export const AMOUNT_MINOR_MAX = 1_000_000_000_000_000;

/** SKUs in one sale (issue: 100,000 in a file of at most 16 MiB). */
export const SALE_SKUS_MAX = 100_000;

/** SKUs of a large sale that one turn works on: at most 5 ms of the loop (bench/large-apply.ts). */
export const SKUS_A_TURN = 2_000;

/**
 * Rules that a partition knows to share: prices and stocks of a large sale, 0.3 MB. More distinct ones
 * are kept by each SKU for itself (bench/growth).
 */
export const RULES_KEPT_MAX = 1_024;

/**
 * SKUs of one sale that were asked for and are kept as objects of 300 B: 5 MB. Above it they are made
 * anew, at about 1 us (bench/growth).
 */
export const SKUS_ASKED_MAX = 16_384;

/** Lines in one checkout: a body of 64 KiB holds no more. */
export const CHECKOUT_LINES_MAX = 100;

/** Partitions of a cluster; the design's bound, a fence each. */
export const PARTITIONS_MAX = 1_024;
export const PARTITIONS_DEFAULT = 64;
export const PARTITIONS_EMBEDDED = 8;

/** Buckets that shoppers' orders are spread over; the bucket map places each on a shard. */
export const BUCKETS = 256;

/**
 * New holds that may wait in one partition. At 45,000 a second that is about 180 ms of work:
 * more would only wait for an answer that comes too late.
 */
export const MAILBOX_HOLDS_MAX = 8_192;

/** Everything else that may wait there: money and returned stock have a reserve of their own. */
export const MAILBOX_RESERVE_MAX = 16_384;

/** Operations in one batch: bounds how long one holds Redis (some 5 ms, each on a SKU of its own). */
export const BATCH_EVENTS_MAX = 4_096;

/** Bytes in one batch: a journal entry, a ledger row. */
export const BATCH_BYTES_MAX = 512 * 1_024;

/** Bytes of batches that the ledger has not stored yet, for each node: 15 minutes at 10,000/s × 80 B. */
export const JOURNAL_BYTES_MAX = 1_024 * 1_024 * 1_024;

/** A SKU whose sale is over leaves memory after this: refunds and late money mostly come before. */
export const ARCHIVE_AFTER_MS = 3_600_000;
/** SKUs that a partition looks at in one tick for some to archive: 100,000 in about 20 s. */
export const ARCHIVE_SCAN_SKUS = 64;
/** Text after which a tick encodes no more: about 2 ms of the loop. One unit may be longer. */
export const ARCHIVE_TEXT_BYTES_MAX = 512 * 1_024;
/** A unit of more lines (SKUs and orders) stays in memory: one statement must carry its text. */
export const ARCHIVE_LINES_MAX = 100_000;
/** An archive that failed is tried again after this. */
export const ARCHIVE_AGAIN_MS = 10_000;
/** Units that a partition restores at once; the rest wait, with their commands. */
export const RESTORES_AT_ONCE_MAX = 8;
/** Commands of a partition that may wait for units to be restored: an apply's, and money. */
export const RESTORE_WAITING_MAX = MAILBOX_HOLDS_MAX;

/**
 * The ledger's projection waits this long behind each call: a call costs Postgres and us about 300 µs
 * each, a row in it 70 and 50 (bench/hold.ts).
 */
export const LEDGER_GATHER_MS = 25;

/** One piece of a snapshot. */
export const SNAPSHOT_PIECE_BYTES_MAX = 256 * 1_024;

/** Journal bytes of a partition since its snapshot that call for a new one: keeps replay short. */
export const SNAPSHOT_AFTER_BYTES = 8 * 1_024 * 1_024;

/** Snapshots that one node writes at once while it serves: each may use a tenth of it. */
export const SNAPSHOTS_AT_ONCE_MAX = 2;

/** Claims and loads that one node runs at once. */
export const LOADS_AT_ONCE_MAX = 8;

/** After a crash: a bug that every replay meets again must not keep the node busy. */
export const CRASH_PAUSE_MS = 100;

/** A request ends within this (I9). */
export const REQUEST_DEADLINE_MS = 3_000;
export const CHECKOUT_DEADLINE_MS = 8_000;

/** A cart or a count goes without the owners that have not answered by then. */
export const READ_WAIT_MS = 2_500;

/** A checkout answers 202 after this. */
export const CHECKOUT_WAIT_MS = 5_000;

/** A commit that has not answered by then is of unknown outcome. */
export const COMMIT_DEADLINE_MS = 1_500;

/** A refusal leaves only when the claim was confirmed by a call sent less than this ago (I8). */
export const REFUSAL_FRESH_MS = 1_000;

/** OS clock against the store's clock: above this a node is not ready. */
export const CLOCK_SKEW_MAX_MS = 2_000;
/** Drift that is shown and logged. */
export const CLOCK_DRIFT_WARN_MS = 1_000;

/**
 * Checkouts of one shopper that may fail on their holds in a minute at one node: each leaves an
 * order and two events. A person who tries again by hand fails once a second at most.
 */
export const CHECKOUT_FAILURES_MAX = 60;
export const CHECKOUT_FAILURES_MS = 60_000;
/** Shoppers of one generation whose failures are remembered, of two: about 4 MB in all. */
export const CHECKOUT_FAILURES_SHOPPERS_MAX = 10_000;

/** Pauses between two questions to the gateway while a checkout waits: from this, doubling. */
export const REINQUIRE_MS = 50;
export const REINQUIRE_MS_MAX = 400;

/** A payment event lets the checkout that runs here finish by itself for this long. */
export const EVENT_GRACE_MS = 250;

/** Unsettled orders not changed for this are the sweeper's: by then their route has answered. */
export const SWEEP_ORDERS_AFTER_MS = CHECKOUT_WAIT_MS;
/** Orders that one sweep reads above those it already waits for, and in all. */
export const SWEEP_ORDERS_PAGE = 500;
export const SWEEP_ORDERS_MAX = 20_000;
export const SWEEP_ORDERS_AT_ONCE = 16;
/** An order that a sweep could not settle is looked at again after this, doubling to the second. */
export const SWEEP_AGAIN_MS = 1_000;
export const SWEEP_AGAIN_MS_MAX = 30_000;
/** The same while a store is what stops it: its units go back to the shop soon after that is back. */
export const SWEEP_STORE_AGAIN_MS_MAX = 4_000;

/** Configures of one apply in flight: far inside a partition's reserve. */
export const CONFIGURES_AT_ONCE_MAX = 2_000;
/** An apply answers 202 after this: inside the request's deadline. */
export const APPLY_WAIT_MS = 2_500;
/** A version still on its way after this lost its request: the sweeper drives it. */
export const SWEEP_VERSIONS_AFTER_MS = 5_000;
/** SKUs counted in one question; a report asks many times. */
export const COUNTS_PAGE = 1_000;

/** A node refuses `sold_out` at its edge for this long after the owner said so. */
export const EDGE_LEVEL_FRESH_MS = 500;
/** The owner is bound by it for longer, because clocks and ways differ. */
export const EDGE_BOUND_MS = 650;

/** Levels on a sale's page are at most this old; the pages kept are bounded. */
export const LEVELS_FRESH_MS = 500;
export const LEVEL_PAGES_MAX = 1_024;

/** Watchers of live levels on one node: an idle one costs about 2 KB and a socket. */
export const EVENT_STREAMS_MAX = 20_000;

/** A revoked API key works at most this much longer; the keys kept are bounded. */
export const MERCHANT_KEYS_FRESH_MS = 10_000;
export const MERCHANT_KEYS_MAX = 1_024;

/** Units of one SKU for one shopper, in money: an order's total stays within AMOUNT_MINOR_MAX. */
export const LINE_MINOR_MAX = AMOUNT_MINOR_MAX / CHECKOUT_LINES_MAX;

/** After the pay window a charge in doubt is voided: late money may still come in this time. */
export const GIVE_UP_AFTER_PAY_WINDOW_MS = 60_000;

/** One message between nodes; nats-server takes 1 MiB unless told otherwise. */
export const BUS_MESSAGE_BYTES_MAX = 768 * 1_024;
/** What one tick has for a peer is cut into messages of about this: no reader is held for long. */
export const PEER_MESSAGE_BYTES_MAX = 256 * 1_024;

/** Asks under way to one peer: a partition's bounds, with a reserve for all but new holds. */
export const PEER_HOLDS_MAX = MAILBOX_HOLDS_MAX;
export const PEER_RESERVE_MAX = MAILBOX_RESERVE_MAX;
/** Asks that wait for their partition to get an owner. */
export const PARKED_ASKS_MAX = MAILBOX_HOLDS_MAX;
/** An ask follows an owner that moved this often; then it waits for news. */
export const MOVES_MAX = 3;

/** Body sizes. */
export const BODY_BYTES_MAX = 64 * 1_024;
export const ADMIN_BODY_BYTES_MAX = 16 * 1_024 * 1_024;

/** Password hashes: one at a time, so many may wait. */
export const PASSWORD_QUEUE_MAX = 100;

/** Rows in one coalesced statement: above 300 a statement only takes longer (bench/orders.ts). */
export const STATEMENT_ROWS_MAX = 300;

/** Calls that may wait for the next statement of a shard: half a second of work at 8,000/s. */
export const STATEMENT_WAITING_MAX = 4_096;

/** Nobody waits longer for it: with its own deadline a call ends within the request's. */
export const STATEMENT_WAIT_MS_MAX = 500;

/** Behind a statement that several calls shared, the next waits this long for more of them. */
export const STATEMENT_GATHER_MS = 5;

/** A statement that lost a deadlock is run again this often: each run pauses a little longer. */
export const STATEMENT_RETRIES_MAX = 4;

/** Graceful stop: what was accepted finishes within this. */
export const STOP_MS_MAX = 20_000;

/** How often a node looks at its cluster, and says that it lives (every third look). */
export const CLUSTER_TICK_MS = 100;
export const HEARTBEAT_MS = 300;
/** Two heartbeats missed: the node is asked. Silent for longer than that: evicted. */
export const ASK_AFTER_MS = 2 * HEARTBEAT_MS + CLUSTER_TICK_MS / 2;
export const EVICT_AFTER_MS = 3_000;
/** An observer judges others only when it is well itself: connected for this, its loop on time. */
export const WELL_CONNECTED_MS = 3_000;
export const LOOP_LAG_MAX_MS = 100;
/** An evicted node comes back after the first of these, the next time after the second. */
export const REJOIN_AFTER_MS = [5_000, 30_000] as const;
/**
 * Partitions that a node takes over at once. Of living owners fewer: they share what CPU there is,
 * so more at once makes each pause longer and the whole no shorter (bench/hand-off.ts).
 */
export const PULLS_AT_ONCE_MAX = 8;
export const PULLS_OF_LIVING_MAX = 2;
/** How long a former owner may take to give one. */
export const GIVE_WAIT_MS = 500;
/** Members of a cluster (issue: 50 nodes), with room for a rolling replacement. */
export const MEMBERS_MAX = 128;

assert(
  COMMIT_DEADLINE_MS * 2 <= REQUEST_DEADLINE_MS,
  "an unknown outcome leaves time to resolve it",
);
assert(CONFIGURES_AT_ONCE_MAX < MAILBOX_RESERVE_MAX, "an apply leaves room for money and returns");
assert(CONFIGURES_AT_ONCE_MAX < RESTORE_WAITING_MAX, "an apply may concern archived SKUs alone");
assert(READ_WAIT_MS < REQUEST_DEADLINE_MS, "what is known leaves before the deadline");
assert(APPLY_WAIT_MS < REQUEST_DEADLINE_MS, "a 202 leaves before the deadline");
assert(APPLY_WAIT_MS < SWEEP_VERSIONS_AFTER_MS, "the sweeper leaves running applies alone");
assert(
  PEER_MESSAGE_BYTES_MAX * 2 < BUS_MESSAGE_BYTES_MAX,
  "the last line of a message may be as long as the rest",
);
assert(EDGE_LEVEL_FRESH_MS < EDGE_BOUND_MS, "edges forget before units are granted again");
assert(EDGE_BOUND_MS < 1_000, "returned units are for sale again within a second (I5)");
assert(CHECKOUT_WAIT_MS < CHECKOUT_DEADLINE_MS, "a 202 leaves before the deadline");
assert(HOLD_UNITS_MAX * STOCK_UNITS_MAX < Number.MAX_SAFE_INTEGER, "counts stay exact");
assert(ASK_AFTER_MS < EVICT_AFTER_MS, "a node is asked before it is evicted");
assert(GIVE_WAIT_MS < REQUEST_DEADLINE_MS, "who waits for a hand-off still hears an answer");
