// FailureDetector
//
// Who of the members lives? Pure: told of heartbeats and of time, it says whom to ask and whom to
// evict; it sends nothing.
//
//   D1  Silence counts only while the observer is well: connected for WELL_CONNECTED_MS, its own
//       heartbeats echoed, its loop on time. A sick node evicts nobody.
//   D2  Each (re)connect and each late look restarts the long timer. A late look counts as one on
//       time in the short one, after which a node is only asked.
//   D3  "Nobody listens there" is the server's word, not ours: it is enough, at the next look that
//       is on time, when nothing was heard since.

import {
  ASK_AFTER_MS,
  CLUSTER_TICK_MS,
  EVICT_AFTER_MS,
  LOOP_LAG_MAX_MS,
  WELL_CONNECTED_MS,
} from "../core/limits.ts";

export type Peer = { readonly id: string; readonly incarnation: string };

type Watched = Peer & {
  /** Since it was heard, as D1 and D2 count. */
  silentMs: number;
  unheardMs: number;
  isDeaf: boolean;
};

export type Findings = {
  readonly ask: readonly Peer[];
  readonly evict: readonly (Peer & { readonly reason: "no_responders" | "silent" })[];
  /** How late this look is. */
  readonly lagMs: number;
};

export class FailureDetector {
  readonly #peers = new Map<string, Watched>();
  #lookedAtMs: number | null = null;
  #echoedAtMs = Number.NEGATIVE_INFINITY;

  /** The members to watch, without oneself. Who is new begins as just heard. */
  watch(peers: readonly Peer[]): void {
    const ids = new Set(peers.map(({ id }) => id));
    for (const id of this.#peers.keys()) if (!ids.has(id)) this.#peers.delete(id);
    for (const { id, incarnation } of peers) {
      if (this.#peers.get(id)?.incarnation === incarnation) continue;
      this.#peers.set(id, { id, incarnation, silentMs: 0, unheardMs: 0, isDeaf: false });
    }
  }

  /** A heartbeat or an answer of that very incarnation. */
  heard({ id, incarnation }: Peer): void {
    const peer = this.#peers.get(id);
    if (peer?.incarnation !== incarnation) return;
    peer.silentMs = 0;
    peer.unheardMs = 0;
    peer.isDeaf = false;
  }

  /** Our own heartbeat came back: the way out and in is open. */
  echoed(nowMs: number): void {
    this.#echoedAtMs = nowMs;
  }

  /** The server says that nobody listens there. */
  noResponder({ id, incarnation }: Peer): void {
    const peer = this.#peers.get(id);
    if (peer?.incarnation === incarnation && peer.unheardMs >= ASK_AFTER_MS) peer.isDeaf = true;
  }

  /** A look, about every CLUSTER_TICK_MS; all times monotonic. */
  look(now: { readonly nowMs: number; readonly connectedAtMs: number }): Findings {
    const { nowMs, connectedAtMs } = now;
    const passedMs = nowMs - (this.#lookedAtMs ?? nowMs);
    this.#lookedAtMs = nowMs;
    const lagMs = Math.max(0, passedMs - CLUSTER_TICK_MS);
    const isOnTime = lagMs < LOOP_LAG_MAX_MS;
    const isConnected = nowMs - connectedAtMs >= WELL_CONNECTED_MS;
    const isEchoed = nowMs - this.#echoedAtMs < EVICT_AFTER_MS / 2;
    const ask: Peer[] = [];
    const evict: Findings["evict"][number][] = [];
    for (const peer of this.#peers.values()) {
      if (!isConnected || !isEchoed) {
        peer.silentMs = 0;
        peer.unheardMs = 0;
        peer.isDeaf = false;
        continue;
      }
      peer.silentMs = isOnTime ? peer.silentMs + passedMs : 0;
      peer.unheardMs += Math.min(passedMs, CLUSTER_TICK_MS);
      const { id, incarnation } = peer;
      if (isOnTime && peer.isDeaf) evict.push({ id, incarnation, reason: "no_responders" });
      else if (peer.silentMs >= EVICT_AFTER_MS) evict.push({ id, incarnation, reason: "silent" });
      else if (peer.unheardMs >= ASK_AFTER_MS) ask.push({ id, incarnation });
    }
    return { ask, evict, lagMs };
  }
}
