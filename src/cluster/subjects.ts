// Every NATS subject that Doorbuster speaks on. They carry node ids and topics only, never a SKU: a
// `.`, `*` or `>` from outside would change where messages go.

import { assert } from "../core/assert.ts";
import type { BroadcastTopic } from "../core/ports/bus.ts";

/** As config.ts takes it from NODE_ID. */
export const NODE_ID = /^[a-z0-9-]{1,32}$/;

export const BROADCAST_TOPICS: readonly BroadcastTopic[] = ["heartbeat", "levels"];

export function nodeSubject(nodeId: string): string {
  assert(NODE_ID.test(nodeId), "a node id is 1 to 32 of a-z, 0-9 and -");
  return `db.node.${nodeId}.cmd`;
}

/** Where a node's micro service answers. */
export function statusSubject(nodeId: string): string {
  assert(NODE_ID.test(nodeId), "a node id is 1 to 32 of a-z, 0-9 and -");
  return `db.node.${nodeId}.status`;
}

export function broadcastSubject(topic: BroadcastTopic): string {
  return `db.all.${topic}`;
}
