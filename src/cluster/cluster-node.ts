// ClusterNode
//
// A node of the cluster: membership, failure detection and ownership on one bus and one tick. What
// the engine runs, and the simulator too.

import type { Fault } from "../core/errors.ts";
import { CLUSTER_TICK_MS, HEARTBEAT_MS } from "../core/limits.ts";
import type { LocalPartitions } from "../core/ports/local-partitions.ts";
import type { MemberList, MemberState } from "../core/ports/members.ts";
import { decodeControl, encodeControl, type Heartbeat } from "./control-message.ts";
import { FailureDetector } from "./failure-detector.ts";
import { HandOff } from "./hand-off.ts";
import { memberOf } from "./member-list.ts";
import { Membership, type MembershipOptions, type MembershipStatus } from "./membership.ts";
import type { Owners } from "./owners.ts";
import { Ownership } from "./ownership.ts";
import { Peers } from "./peers.ts";
import { PlacementView } from "./placement-view.ts";

/** A loop that stood still for this long may have been evicted meanwhile. */
const LOOK_AGAIN_LAG_MS = 1_000;

export type ClusterNodeOptions = MembershipOptions & {
  readonly local: LocalPartitions;
  /** This node must not go on: another has its id, or the cluster is not its own. */
  readonly onFatal: (fault: Fault) => void;
  /** Sum of the versions of all sales known here. */
  readonly salesStamp?: () => number;
  /** Another member knows a newer version of a sale. */
  readonly onSalesBehind?: () => void;
};

export type MemberRow = {
  readonly id: string;
  readonly state: MemberState;
  readonly address: string;
  readonly partitionCount: number;
};

export class ClusterNode {
  readonly membership: Membership;
  readonly owners: Owners;
  readonly ownership: Ownership;
  readonly #options: ClusterNodeOptions;
  readonly #peers: Peers;
  readonly #detector = new FailureDetector();
  readonly #view: PlacementView;
  readonly #handOff: HandOff;
  #endTicks: (() => void) | null = null;
  #beatAtMs = Number.NEGATIVE_INFINITY;
  #isBeatDue = false;
  #beatenStamp = 0;
  lagMs = 0;

  constructor(options: ClusterNodeOptions) {
    this.#options = options;
    const { id, partitions, bus, local, runtime, log } = options;
    const incarnation = (): string => this.membership.incarnation;
    this.#peers = new Peers({ id, bus, runtime, incarnation });
    this.membership = new Membership(options, this.#peers, options.onFatal);
    this.#view = new PlacementView({ id, partitions, local });
    this.owners = this.#view;
    this.#handOff = new HandOff({ id, bus, local, runtime, incarnation });
    const { membership } = this;
    const [view, handOff] = [this.#view, this.#handOff];
    this.ownership = new Ownership({
      id,
      partitions,
      bus,
      local,
      runtime,
      log,
      membership,
      view,
      handOff,
      // Announced at once: until then the others ask the owner before.
      onChanged: () => this.#beatSoon(),
    });
    this.membership.onChange((list) => this.#adopted(list));
    bus.onMessage((payload) => this.#onMessage(payload));
    bus.onBroadcast("heartbeat", (payload) => this.#onHeartbeat(payload));
    bus.onConnection(() => this.#view.changed());
  }

  /** Begins to listen and to look; before `join`. */
  start(): void {
    this.#endTicks ??= this.#options.runtime.every(CLUSTER_TICK_MS, () => this.#look());
  }

  /** Throws as `Membership.join`. */
  join(): Promise<void> {
    return this.membership.join();
  }

  get status(): MembershipStatus {
    return this.membership.status;
  }

  get view(): number {
    return this.membership.list?.view ?? 0;
  }

  get handOffCount(): number {
    return this.ownership.handOffCount;
  }

  get takeOverCount(): number {
    return this.ownership.takeOverCount;
  }

  /** The format that all members read; before there is a list, the oldest that this one does. */
  get writtenFormat(): number {
    const { oldest } = this.#options.formats;
    return Math.max(oldest, this.membership.list?.format ?? oldest);
  }

  members(): readonly MemberRow[] {
    return (this.membership.list?.members ?? []).map(({ id, state, address }) => {
      const isSelf = id === this.#options.id;
      const partitionCount = isSelf
        ? this.ownership.claims().length
        : this.#view.announcedCountOf(id);
      return { id, state, address, partitionCount };
    });
  }

  drain(id: string): Promise<"draining" | "not_found"> {
    return this.membership.drain(id);
  }

  /**
   * Hands everything over and leaves: this node's own drain. What nobody has taken after `waitMs`
   * stays here, for the caller to release.
   */
  async retire(waitMs: number): Promise<void> {
    const { runtime, id, log } = this.#options;
    const { clock } = runtime;
    const untilMs = clock.monotonicMs() + waitMs;
    try {
      if (this.membership.self !== null) await this.membership.drain(id);
      while (!this.ownership.isEmpty && this.#hasHeirs && clock.monotonicMs() < untilMs) {
        await runtime.pause(RETIRE_STEP_MS);
      }
    } catch (cause) {
      log.warn({ err: String(cause) }, "partitions are released without a hand-over");
    }
    this.ownership.end();
  }

  /** After `retire`, once nothing is owned any more: out of the list, and silent. */
  async leave(): Promise<void> {
    this.ownership.end();
    try {
      if (this.membership.self !== null) await this.membership.leave();
    } catch (cause) {
      this.#options.log.warn({ err: String(cause) }, "left without a word: others will evict");
    }
    this.stop();
  }

  /** Ends the ticks without a word to anybody, as a crash would. */
  stop(): void {
    this.#endTicks?.();
    this.#endTicks = null;
  }

  get #hasHeirs(): boolean {
    const { list } = this.membership;
    return (list?.placement.length ?? 0) > 0 && this.#options.bus.isConnected;
  }

  #look(): void {
    const { runtime, bus } = this.#options;
    const nowMs = runtime.clock.monotonicMs();
    const { connectedAtMs } = bus;
    const { ask, evict, lagMs } = this.#detector.look({ nowMs, connectedAtMs });
    this.lagMs = lagMs;
    if (lagMs >= LOOK_AGAIN_LAG_MS) this.membership.refreshSoon();
    for (const peer of ask) this.#peers.ping(peer.id, () => this.#detector.noResponder(peer));
    for (const { id, incarnation, reason } of evict) {
      this.membership.evict({ id, incarnation }, reason);
    }
    this.membership.look(nowMs);
    this.ownership.look(nowMs);
    this.#retireWhenDrained();
    const isNews = (this.#options.salesStamp?.() ?? 0) > this.#beatenStamp;
    if (isNews || nowMs - this.#beatAtMs >= HEARTBEAT_MS) this.#beat(nowMs);
  }

  /** A drained node leaves by itself; its process stays, for its operator to stop. */
  #retireWhenDrained(): void {
    const { membership, ownership } = this;
    if (membership.status !== "in" || membership.self?.state !== "draining") return;
    if (!ownership.isEmpty || !this.#hasHeirs) return;
    void membership.leave().catch((cause: unknown) => {
      this.#options.log.warn({ err: String(cause) }, "the drained node could not leave");
    });
  }

  #beatSoon(): void {
    if (this.#isBeatDue) return;
    this.#isBeatDue = true;
    this.#options.runtime.soon(() => {
      if (this.#isBeatDue) this.#beat(this.#options.runtime.clock.monotonicMs());
    });
  }

  #beat(nowMs: number): void {
    this.#isBeatDue = false;
    const { bus, id, salesStamp } = this.#options;
    if (!bus.isConnected || this.#endTicks === null) return;
    this.#beatAtMs = nowMs;
    this.#beatenStamp = salesStamp?.() ?? 0;
    const heartbeat: Heartbeat = {
      kind: "heartbeat",
      from: id,
      incarnation: this.membership.incarnation,
      view: this.view,
      sales: this.#beatenStamp,
      claimsText: this.ownership.claimsText(),
    };
    bus.broadcast("heartbeat", encodeControl(heartbeat));
  }

  #onHeartbeat(payload: string): void {
    const message = decodeControl(payload);
    if (message?.kind !== "heartbeat" || this.#endTicks === null) return;
    const { from, incarnation, view, sales } = message;
    const nowMs = this.#options.runtime.clock.monotonicMs();
    if (from === this.#options.id) {
      if (incarnation === this.membership.incarnation) this.#detector.echoed(nowMs);
      return;
    }
    const isMember = memberOf(this.membership.list, from)?.incarnation === incarnation;
    this.membership.saw(view, isMember);
    if (!isMember) return;
    this.#detector.heard({ id: from, incarnation });
    if (this.#view.heard(message)) this.ownership.onAnnounced();
    const { salesStamp, onSalesBehind } = this.#options;
    if (salesStamp !== undefined && sales > salesStamp()) onSalesBehind?.();
  }

  #onMessage(payload: string): void {
    const message = decodeControl(payload);
    if (message === null || this.#endTicks === null) return;
    if (message.kind === "give") {
      void this.ownership.onGive(message);
      return;
    }
    if (message.kind === "reply") this.#handOff.onReply(message);
    const heard = this.#peers.onMessage(message);
    if (heard !== null) this.#detector.heard(heard);
  }

  #adopted(list: MemberList): void {
    const { self, incarnation } = this.membership;
    const { id, local } = this.#options;
    if (self !== null) local.claimAs(`${id}/${incarnation}`);
    this.#detector.watch(list.members.filter((member) => member.id !== id));
    this.#view.adopt(list, self?.state === "up");
    this.#beatSoon();
    this.ownership.pump();
  }
}

const RETIRE_STEP_MS = 10;
