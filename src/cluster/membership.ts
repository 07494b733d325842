// Membership
//
// This node's place in the cluster: joining, being up, draining, leaving, being evicted and coming
// back; and evicting others. Owns no timer: `look` is called about every CLUSTER_TICK_MS.
//
//   M1  An incarnation that left or was evicted never returns: who comes back has a new one.
//   M2  Only a member evicts, and only the incarnation that it found silent.
//   M3  Nothing here stops a partition: claims and fences do that. An evicted node serves what it
//       owns until it is asked for it or fenced.

import { Fault, faultOf } from "../core/errors.ts";
import { CLUSTER_TICK_MS, REJOIN_AFTER_MS } from "../core/limits.ts";
import type { Bus } from "../core/ports/bus.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Member, MemberList, MemberStore } from "../core/ports/members.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import { ListKeeper } from "./list-keeper.ts";
import { joinRefusal, memberOf, withMember, withoutMember, withState } from "./member-list.ts";
import type { Peers } from "./peers.ts";

export type MembershipOptions = {
  readonly id: string;
  /** Where its HTTP is, for operators; known when it joins. */
  readonly address: () => string;
  readonly formats: Member["formats"];
  readonly clusterId: string;
  readonly partitions: number;
  readonly bus: Bus;
  readonly store: MemberStore;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly newIncarnation: () => string;
  /** False while this node may not claim: its clock is off. Then it is a member that owns nothing. */
  readonly mayServe: () => boolean;
  /** The highest view in the fences: also what a lost member list had given out. */
  readonly fencedView: () => Promise<number>;
};

/** Joins that find garbage in the store leave it this often to a living member to replace it. */
const PATIENT_JOINS = 4;

export type MembershipStatus = "out" | "joining" | "in" | "evicted" | "leaving" | "left";

export class Membership {
  readonly keeper: ListKeeper;
  /** How often others evicted this node, and this node others. */
  wasEvictedCount = 0;
  evictionCount = 0;
  readonly #options: MembershipOptions;
  readonly #peers: Peers;
  readonly #onChange: ((list: MemberList) => void)[] = [];
  readonly #onFatal: (fault: Fault) => void;
  #incarnation: string;
  #status: MembershipStatus = "out";
  #rejoinAtMs = Number.POSITIVE_INFINITY;
  #mustRefresh = false;
  #patience = PATIENT_JOINS;
  /** Names of the calls of the store that are under way. */
  readonly #running = new Set<string>();

  constructor(options: MembershipOptions, peers: Peers, onFatal: (fault: Fault) => void) {
    this.#options = options;
    this.#peers = peers;
    this.#onFatal = onFatal;
    this.#incarnation = options.newIncarnation();
    const { store, runtime, log, clusterId, partitions, bus } = options;
    const onAdopted = (list: MemberList): void => this.#adopted(list);
    this.keeper = new ListKeeper({ store, runtime, log, clusterId, partitions, onAdopted });
    store.onChange(() => this.refreshSoon());
    bus.onConnection((isConnected) => {
      if (isConnected) this.refreshSoon();
    });
  }

  get list(): MemberList | null {
    return this.keeper.list;
  }

  get incarnation(): string {
    return this.#incarnation;
  }

  get status(): MembershipStatus {
    return this.#status;
  }

  /** This incarnation as the list has it. */
  get self(): Member | null {
    const member = memberOf(this.list, this.#options.id);
    return member?.incarnation === this.#incarnation ? member : null;
  }

  onChange(handler: (list: MemberList) => void): void {
    this.#onChange.push(handler);
  }

  /**
   * Joins under this incarnation.
   *
   * Throws  Fault("config_invalid"): another cluster, another partition count, formats too far
   *         apart, or a node of this id is alive; any other Fault: try again.
   */
  async join(): Promise<void> {
    const { id } = this.#options;
    this.#status = "joining";
    this.keeper.saw(await this.#options.fencedView());
    const found = await this.keeper.peek();
    const stored = found?.list ?? null;
    if (found !== null && stored === null && this.#patience-- > 0) {
      throw new Fault("busy", "what is stored is no member list: a living member may replace it");
    }
    if (stored !== null) {
      this.#refuseIfUnfit(stored);
      const twin = memberOf(stored, id);
      if (twin !== null) await this.#refuseTwin(twin.incarnation);
    }
    // Whoever of our id gets in between is alive: it has just written the list.
    const known = memberOf(stored, id)?.incarnation ?? null;
    let twin: string | null = null;
    await this.keeper.change((members) => {
      const there = members.find((member) => member.id === id)?.incarnation ?? null;
      twin = there !== null && there !== known && there !== this.#incarnation ? there : null;
      if (twin !== null || there === this.#incarnation) return null;
      return withMember(members, this.#member());
    });
    if (twin !== null) {
      await this.#refuseTwin(twin);
      throw new Fault("busy", `another node ${id} joined and went: joining again`);
    }
    await this.#leaveIfUnfit();
    this.#status = "in";
    this.#options.log.info(
      { incarnation: this.#incarnation, view: this.list?.view },
      "joined the cluster",
    );
  }

  /** Called about every CLUSTER_TICK_MS. */
  look(nowMs: number): void {
    if (!this.#options.bus.isConnected) return;
    if (this.#mustRefresh) this.#run("refresh", () => this.keeper.refresh());
    if (this.#status === "evicted" && nowMs >= this.#rejoinAtMs) this.#rejoin();
    if (this.#status !== "in") return;
    if (this.keeper.needsRepair) {
      this.#run("repair", async () => {
        await this.keeper.refresh();
        // Somebody else may have been quicker.
        if (this.keeper.needsRepair) await this.keeper.change(() => null, true);
      });
    }
    const { self } = this;
    const wanted = this.#options.mayServe() ? "up" : "joining";
    if (self !== null && self.state !== "draining" && self.state !== wanted) {
      this.#run("state", () =>
        this.keeper.change((members) => withState(members, self.id, wanted)),
      );
    }
  }

  /** A higher view was heard of, or this node was not itself for a while. */
  refreshSoon(): void {
    this.#mustRefresh = true;
    if (!this.#options.bus.isConnected) return;
    this.#run("refresh", () => this.keeper.refresh());
  }

  /** A view that somebody else speaks of. Only a member's word counts for the next view. */
  saw(view: number, isMember: boolean): void {
    if (isMember) this.keeper.saw(view);
    if (view > (this.list?.view ?? 0)) this.refreshSoon();
  }

  /** M2. */
  evict(peer: { readonly id: string; readonly incarnation: string }, reason: string): void {
    if (this.#status !== "in" || this.self === null) return;
    this.#run(`evict ${peer.incarnation}`, async () => {
      const isDone = await this.keeper.change((members) => {
        // An evicted observer's word does not count any more.
        const isMember = members.some(({ incarnation }) => incarnation === this.#incarnation);
        return isMember ? withoutMember(members, peer) : null;
      });
      if (!isDone) return;
      this.evictionCount++;
      this.#options.log.warn({ member: peer.id, reason, view: this.list?.view }, "member evicted");
    });
  }

  /** Lets the view grow: a fence is ahead of the list. */
  raise(): void {
    if (this.#status !== "in") return;
    this.#run("raise", async () => {
      this.keeper.saw(await this.#options.fencedView());
      await this.keeper.change(() => null, true);
    });
  }

  /** Any node may ask this of any member. */
  async drain(id: string): Promise<"draining" | "not_found"> {
    await this.keeper.change((members) => withState(members, id, "draining"));
    return memberOf(this.list, id)?.state === "draining" ? "draining" : "not_found";
  }

  /** Throws  the store's Fault; then the others will evict this node. */
  async leave(): Promise<void> {
    const { id } = this.#options;
    const incarnation = this.#incarnation;
    this.#status = "leaving";
    try {
      await this.keeper.change((members) => withoutMember(members, { id, incarnation }));
    } catch (cause) {
      this.#status = "in";
      throw cause;
    }
    this.#status = "left";
    this.#options.log.info({ view: this.list?.view }, "left the cluster");
  }

  #member(): Member {
    const { id, address, formats, mayServe } = this.#options;
    const state = mayServe() ? "up" : "joining";
    return { id, incarnation: this.#incarnation, address: address(), state, formats };
  }

  #refuseIfUnfit(list: MemberList): void {
    const { clusterId, partitions } = this.#options;
    const refusal = joinRefusal(list, { member: this.#member(), clusterId, partitions });
    if (refusal !== null) throw new Fault("config_invalid", refusal);
  }

  /** The list may have changed while we looked. */
  async #leaveIfUnfit(): Promise<void> {
    const { list } = this;
    if (list === null) return;
    try {
      this.#refuseIfUnfit(list);
    } catch (cause) {
      await this.leave();
      throw cause;
    }
  }

  async #refuseTwin(incarnation: string): Promise<void> {
    const { id } = this.#options;
    if (incarnation === this.#incarnation) return;
    if (!(await this.#peers.isAlive(id, incarnation))) return;
    throw new Fault("config_invalid", `another node with DOORBUSTER_NODE_ID=${id} is alive`);
  }

  #adopted(list: MemberList): void {
    if (this.#status === "in" && this.self === null) this.#wasEvicted(list);
    for (const handler of this.#onChange) handler(list);
  }

  #wasEvicted(list: MemberList): void {
    const { runtime, log } = this.#options;
    const waitMs = REJOIN_AFTER_MS[Math.min(this.wasEvictedCount, REJOIN_AFTER_MS.length - 1)]!;
    this.wasEvictedCount++;
    this.#status = "evicted";
    this.#rejoinAtMs = runtime.clock.monotonicMs() + waitMs;
    log.warn({ incarnation: this.#incarnation, view: list.view, waitMs }, "this node was evicted");
  }

  #rejoin(): void {
    this.#run("rejoin", async () => {
      this.#incarnation = this.#options.newIncarnation();
      try {
        await this.join();
      } catch (cause) {
        this.#status = "evicted";
        throw cause;
      }
    });
  }

  /** One call of each name at a time. A fault is said, and the next look tries again. */
  #run(name: string, work: () => Promise<unknown>): void {
    if (this.#running.has(name)) return;
    this.#running.add(name);
    if (name === "refresh") this.#mustRefresh = false;
    void work()
      .catch((cause: unknown) => this.#failed(name, cause))
      .finally(() => this.#running.delete(name));
  }

  async #failed(name: string, cause: unknown): Promise<void> {
    const fault = faultOf(cause, "unknown", name);
    if (fault.code === "config_invalid") {
      this.#onFatal(fault);
      return;
    }
    this.#options.log.warn({ what: name, fault: fault.message }, "the member list must wait");
    // Still of this name: so the next look waits as well.
    await this.#options.runtime.pause(2 * CLUSTER_TICK_MS);
    if (name === "refresh") this.#mustRefresh = true;
  }
}
