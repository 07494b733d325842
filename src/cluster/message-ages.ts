// How old is a message, and was it here before? Asked of every message of a peer, because networks
// delay and double, and a late or second PUT would undo what its shopper did since.
//
//   A1  a number of an incarnation is taken once
//   A2  the age is measured on two monotonic clocks: their difference is least for the message that
//       travelled fastest; what takes longer than that one is as much older. So a steady delay is
//       not seen, a queue or a pause anywhere on the way is.

import type { Clock } from "../core/ports/clock.ts";

/** Clocks run apart by this at most: the least difference is forgotten as fast. */
const DRIFT_PER_MS = 1e-4;

/** Numbers are kept for at least this long; by then an age has made the message worthless. */
const REMEMBERED_MS = 5_000;

/** After a silence of this, clocks may have drifted by more than a delay worth noticing. */
const SILENCE_MS = 10_000;

/** Incarnations that are known at once: nodes come and go, garbage must not fill memory. */
const PEERS_MAX = 256;

export type Stamp = {
  readonly incarnation: string;
  readonly number: number;
  readonly sentAtMs: number;
};

type Peer = {
  firstMs: number;
  heardMs: number;
  /** Receiver's minus sender's clock, of the fastest message. */
  leastMs: number;
  seen: Set<number>;
  seenBefore: Set<number>;
  turnedMs: number;
};

export class MessageAges {
  readonly #clock: Clock;
  readonly #peers = new Map<string, Peer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds, at least 0; null when this message was here before. */
  ageMs(stamp: Stamp): number | null {
    const nowMs = this.#clock.monotonicMs();
    const differenceMs = nowMs - stamp.sentAtMs;
    const peer = this.#peers.get(stamp.incarnation) ?? this.#meet(stamp, nowMs, differenceMs);
    if (peer.seen.has(stamp.number) || peer.seenBefore.has(stamp.number)) return null;
    if (nowMs - peer.turnedMs > REMEMBERED_MS) {
      peer.seenBefore = peer.seen;
      peer.seen = new Set();
      peer.turnedMs = nowMs;
    }
    peer.seen.add(stamp.number);
    if (nowMs - peer.heardMs > SILENCE_MS) peer.firstMs = nowMs;
    const drifted = peer.leastMs + (nowMs - peer.heardMs) * DRIFT_PER_MS;
    peer.heardMs = nowMs;
    peer.leastMs = Math.min(drifted, differenceMs);
    return differenceMs - peer.leastMs;
  }

  /**
   * For how long the incarnation has been heard without a silence: a first message alone says
   * nothing of its age.
   */
  knownForMs(incarnation: string): number {
    const peer = this.#peers.get(incarnation);
    return peer === undefined ? 0 : peer.heardMs - peer.firstMs;
  }

  #meet(stamp: Stamp, nowMs: number, differenceMs: number): Peer {
    if (this.#peers.size >= PEERS_MAX) this.#forgetQuietest();
    const peer: Peer = {
      firstMs: nowMs,
      heardMs: nowMs,
      leastMs: differenceMs,
      seen: new Set(),
      seenBefore: new Set(),
      turnedMs: nowMs,
    };
    this.#peers.set(stamp.incarnation, peer);
    return peer;
  }

  #forgetQuietest(): void {
    let quietest = "";
    let heardMs = Number.POSITIVE_INFINITY;
    for (const [incarnation, peer] of this.#peers) {
      if (peer.heardMs >= heardMs) continue;
      quietest = incarnation;
      heardMs = peer.heardMs;
    }
    this.#peers.delete(quietest);
  }
}
