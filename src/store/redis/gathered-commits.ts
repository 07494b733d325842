// The commits of one turn of the event loop, of all its partitions, as one script: a command costs
// some 20 µs here and as much in Redis, whatever it carries.
//
//   G1  what a turn commits leaves at its end, when the promises that it settled are done
//   G2  a batch's refusal or error is its own; a reply that is lost or wrong is unknown to all
//   G3  on a server with hash slots each batch goes alone: other partitions are in other slots

import type { Commit, CommitResult } from "../../core/ports/journal.ts";
import type { ConnectionKeeper } from "./connection-keeper.ts";
import { keysOf } from "./keys.ts";
import type { RedisConnection, ScriptReply } from "./redis-connection.ts";
import { faultOfReply } from "./redis-errors.ts";
import { countOf, fencedOf, unexpected } from "./replies.ts";

/** What one script may carry: it holds Redis for 1 to 5 ms. One batch may be larger, alone. */
export const GROUP_BYTES_MAX = 256 * 1_024;
export const GROUP_BATCHES_MAX = 128;

type Waiting = {
  readonly request: Commit;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (fault: unknown) => void;
};

export class GatheredCommits {
  readonly #connections: ConnectionKeeper;
  #waiting: Waiting[] = [];

  constructor(connections: ConnectionKeeper) {
    this.#connections = connections;
  }

  /** Hot: bench/journal.ts. */
  add(request: Commit): Promise<CommitResult> {
    const { promise, resolve, reject } = Promise.withResolvers<CommitResult>();
    // A tick that is asked for by a promise comes after all promises (G1).
    if (this.#waiting.length === 0) queueMicrotask(() => process.nextTick(this.#flush));
    this.#waiting.push({ request, resolve, reject });
    return promise;
  }

  readonly #flush = async (): Promise<void> => {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      const connection = await this.#connections.get();
      for (const group of groupsOf(waiting, connection.hasSlots)) void send(connection, group);
    } catch (cause) {
      for (const { reject } of waiting) reject(cause);
    }
  };
}

/** In order; `isAlone`: each by itself (G3). */
function groupsOf(waiting: readonly Waiting[], isAlone: boolean): readonly (readonly Waiting[])[] {
  const batchesMax = isAlone ? 1 : GROUP_BATCHES_MAX;
  const groups: Waiting[][] = [];
  let group: Waiting[] = [];
  let bytes = Infinity;
  for (const one of waiting) {
    const own = one.request.bytes.length;
    if (group.length === batchesMax || bytes + own > GROUP_BYTES_MAX) {
      group = [];
      bytes = 0;
      groups.push(group);
    }
    group.push(one);
    bytes += own;
  }
  return groups;
}

/** One EVALSHA, one fsync. Settles all of the group. */
async function send(connection: RedisConnection, group: readonly Waiting[]): Promise<void> {
  const keys: string[] = [];
  const argv: string[] = [];
  for (const { request } of group) {
    const { term, seq, batchId, bytes, deltas } = request;
    const { fence, stock, journal } = keysOf(term.partition);
    keys.push(fence, stock, journal);
    argv.push(String(5 + 2 * deltas.length));
    argv.push(String(term.view), String(term.claim), String(seq), batchId, bytes);
    for (const { skuKey, delta } of deltas) argv.push(skuKey, String(delta));
  }
  let replies: readonly (ScriptReply | null)[];
  try {
    replies = await connection.runEach("commit", { keys, argv, count: group.length });
  } catch (cause) {
    for (const { reject } of group) reject(cause);
    return;
  }
  for (const [index, { request, resolve, reject }] of group.entries()) {
    try {
      resolve(resultOf(connection, request, replies[index] ?? null));
    } catch (cause) {
      reject(cause);
    }
  }
}

function resultOf(
  connection: RedisConnection,
  { term, seq, batchId }: Commit,
  reply: ScriptReply | null,
): CommitResult {
  if (reply === null) throw connection.mismatch("commit");
  const [kind, ...fields] = reply;
  switch (kind) {
    case "OK":
    case "DUP": {
      const isSeq = fields[0] === String(term.claim) && fields[1] === String(seq);
      if (!isSeq || fields[2] !== batchId) throw connection.mismatch("commit");
      return { kind: "committed", duplicate: kind === "DUP", nowMs: countOf(fields[3]) };
    }
    case "FENCED":
      return fencedOf(fields);
    case "SEQ":
      return { kind: "out_of_sequence", seq: countOf(fields[0]) };
    case "NEG":
      return { kind: "below_zero", skuKey: fields[0] ?? "", available: countOf(fields[1]) };
    case "NOSTATE":
      return { kind: "no_state" };
    case "ERROR":
      throw faultOfReply(fields[0] ?? "", "commit");
    default:
      throw unexpected("commit", kind);
  }
}
