// Ownership
//
// Which partitions this node takes, and when. The list places them, a claim makes them ours.
//
//   O1  A node claims only while it is up in its own list, connected, and the list places the
//       partition on it; the claim carries the list's view.
//   O2  Fenced under a view: no claim of that partition again before a newer one.
//   O3  What is served is served until somebody asks for it or fences it, wherever it is placed.
//   O4  At most PULLS_AT_ONCE_MAX take-overs at once, of these PULLS_OF_LIVING_MAX from owners that
//       still serve; the busiest first.

import { PULLS_AT_ONCE_MAX, PULLS_OF_LIVING_MAX } from "../core/limits.ts";
import type { Bus } from "../core/ports/bus.ts";
import type { LocalPartitions, OwnershipChange } from "../core/ports/local-partitions.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import { type AnnouncedClaim, encodeClaims } from "./control-message.ts";
import type { Give, HandOff } from "./hand-off.ts";
import { memberOf } from "./member-list.ts";
import type { Membership } from "./membership.ts";
import type { PlacementView } from "./placement-view.ts";

/** A list that comes in time makes a fence that is ahead of it harmless; else the view is raised. */
const RAISE_AFTER_MS = 1_000;

/** How long a node that is asked under a newer list looks for that list. */
const REFRESH_WAIT_MS = 100;
const REFRESH_STEP_MS = 5;

type Blocked = { readonly view: number; readonly sinceMs: number };
type Start = { readonly view: number; readonly from: string | null; readonly startedAtMs: number };

export class Ownership {
  readonly #id: string;
  readonly #partitions: number;
  readonly #bus: Bus;
  readonly #local: LocalPartitions;
  readonly #runtime: Runtime;
  readonly #log: Logger;
  readonly #membership: Membership;
  readonly #view: PlacementView;
  readonly #handOff: HandOff;
  readonly #onChanged: () => void;
  /** Being claimed and loaded now. */
  readonly #starting = new Map<number, Start>();
  readonly #blocked = new Map<number, Blocked>();
  /** The view under which each partition was claimed last. */
  readonly #claimedView = new Map<number, number>();
  #isEnding = false;
  /** Partitions taken from a living owner, and from one that was gone. */
  handOffCount = 0;
  takeOverCount = 0;

  constructor(options: {
    readonly id: string;
    readonly partitions: number;
    readonly bus: Bus;
    readonly local: LocalPartitions;
    readonly runtime: Runtime;
    readonly log: Logger;
    readonly membership: Membership;
    readonly view: PlacementView;
    readonly handOff: HandOff;
    /** What this node serves, or what waits here, is another. */
    readonly onChanged: () => void;
  }) {
    this.#id = options.id;
    this.#partitions = options.partitions;
    this.#bus = options.bus;
    this.#local = options.local;
    this.#runtime = options.runtime;
    this.#log = options.log;
    this.#membership = options.membership;
    this.#view = options.view;
    this.#handOff = options.handOff;
    this.#onChanged = options.onChanged;
    this.#local.onOwnership((change) => this.#onOwnership(change));
  }

  /** Takes what is placed here and not served here, within the bounds. */
  pump(): void {
    const { list, self } = this.#membership;
    if (this.#isEnding || list === null || self?.state !== "up" || !this.#bus.isConnected) return;
    for (const partition of this.#starting.keys()) {
      // Given away before it was served.
      if (this.#local.partition(partition).state !== "loading") this.#starting.delete(partition);
    }
    let living = [...this.#starting.values()].filter(({ from }) => from !== null).length;
    if (this.#starting.size >= PULLS_AT_ONCE_MAX) return;
    for (const partition of this.#wanted(list.view)) {
      if (this.#starting.size >= PULLS_AT_ONCE_MAX) return;
      const from = this.#view.formerOwnerOf(partition);
      if (from !== null && living >= PULLS_OF_LIVING_MAX) continue;
      if (from !== null) living++;
      this.#start({ partition, view: list.view, from });
    }
  }

  look(nowMs: number): void {
    this.#handOff.look(nowMs);
    for (const [partition, { view, sinceMs }] of this.#blocked) {
      const isPlaced = this.#view.placedOn(partition) === this.#id;
      const isStale = (this.#membership.list?.view ?? 0) > view || !isPlaced;
      if (isStale) this.#blocked.delete(partition);
      else if (nowMs - sinceMs >= RAISE_AFTER_MS) {
        // Nothing newer comes by itself: the fence knows a view, or an owner, that the list does not.
        this.#blocked.set(partition, { view, sinceMs: nowMs });
        this.#membership.raise();
      }
    }
    this.pump();
  }

  /** Somebody asks for a partition. */
  async onGive(request: Give): Promise<void> {
    const { partition, from, incarnation, view } = request;
    if (partition >= this.#partitions || partition < 0) return;
    if (view > (this.#membership.list?.view ?? 0)) {
      // It knows more than we do: look, but do not let it wait long.
      this.#membership.refreshSoon();
      await this.#listUpTo(view);
    }
    const { list } = this.#membership;
    const isKnown = memberOf(list, from)?.incarnation === incarnation;
    const isItsOwn = this.#view.placedOn(partition) === from;
    if (isKnown && !isItsOwn && list !== null && list.view >= view) {
      this.#handOff.answer(request, false);
      return;
    }
    if (!isKnown && list !== null && list.view >= view) return;
    await this.#handOff.give(request);
    this.#changed();
  }

  /** A live member may have announced a higher claim than ours: then ours is over, unasked. */
  onAnnounced(): void {
    for (const { partition, claim } of this.claims()) {
      const announced = this.#view.claimerOf(partition)?.claim ?? 0;
      if (announced <= claim || this.#local.partition(partition).state !== "serving") continue;
      this.#log.warn({ partition, claim, announced }, "another owner is ahead");
      void this.#local.disown(partition).then(() => this.#changed());
    }
  }

  /** What this node serves. */
  claims(): readonly AnnouncedClaim[] {
    const claims: AnnouncedClaim[] = [];
    for (let partition = 0; partition < this.#partitions; partition++) {
      const { state, claim, queueDepth } = this.#local.partition(partition);
      if (claim === 0 || (state !== "serving" && state !== "doubt")) continue;
      claims.push({ partition, claim, depth: queueDepth });
    }
    return claims;
  }

  claimsText(): string {
    return encodeClaims(this.claims());
  }

  /** True when nothing is here any more that somebody else could serve. */
  get isEmpty(): boolean {
    for (let partition = 0; partition < this.#partitions; partition++) {
      const { state } = this.#local.partition(partition);
      if (state !== "idle" && state !== "halted") return false;
    }
    return true;
  }

  /** Placed here, and not served here yet. */
  get missingCount(): number {
    let missing = 0;
    for (let partition = 0; partition < this.#partitions; partition++) {
      if (this.#view.placedOn(partition) !== this.#id) continue;
      const { state } = this.#local.partition(partition);
      if (state === "idle" || state === "loading") missing++;
    }
    return missing;
  }

  /** Claims nothing new from now on. */
  end(): void {
    this.#isEnding = true;
  }

  /** The refresh takes a few milliseconds; who asks waits for GIVE_WAIT_MS. */
  async #listUpTo(view: number): Promise<void> {
    for (let waitedMs = 0; waitedMs < REFRESH_WAIT_MS; waitedMs += REFRESH_STEP_MS) {
      if ((this.#membership.list?.view ?? 0) >= view) return;
      await this.#runtime.pause(REFRESH_STEP_MS);
    }
  }

  #wanted(view: number): readonly number[] {
    const wanted: { readonly partition: number; readonly depth: number }[] = [];
    for (let partition = 0; partition < this.#partitions; partition++) {
      if (this.#view.placedOn(partition) !== this.#id) continue;
      if (this.#starting.has(partition)) continue;
      if (this.#local.partition(partition).state !== "idle") continue;
      if ((this.#blocked.get(partition)?.view ?? -1) >= view) continue;
      wanted.push({ partition, depth: this.#view.claimerOf(partition)?.depth ?? 0 });
    }
    wanted.sort((left, right) => right.depth - left.depth || left.partition - right.partition);
    return wanted.map(({ partition }) => partition);
  }

  #start(request: {
    readonly partition: number;
    readonly view: number;
    readonly from: string | null;
  }): void {
    const { partition, view, from } = request;
    const startedAtMs = this.#runtime.clock.monotonicMs();
    this.#starting.set(partition, { view, from, startedAtMs });
    this.#claimedView.set(partition, view);
    if (from === null) this.#local.own(partition, view);
    else this.#local.own(partition, view, this.#asked(partition, from, view));
    this.#changed();
  }

  async #asked(partition: number, from: string, view: number): Promise<void> {
    const end = await this.#handOff.ask(partition, from, view);
    if (end !== "kept") return;
    // It knows a newer list than ours, in which the partition is not ours.
    this.#membership.refreshSoon();
    this.#starting.delete(partition);
    this.#blocked.set(partition, { view, sinceMs: this.#runtime.clock.monotonicMs() });
    await this.#local.disown(partition);
  }

  #onOwnership(change: OwnershipChange): void {
    const { partition } = change;
    const start = this.#starting.get(partition);
    this.#starting.delete(partition);
    const nowMs = this.#runtime.clock.monotonicMs();
    if (change.kind === "serving" && start !== undefined) {
      if (start.from === null) this.takeOverCount++;
      else this.handOffCount++;
      const { claim } = change;
      const { from, view } = start;
      const tookMs = Math.round(nowMs - start.startedAtMs);
      this.#log.info({ partition, view, claim, from, tookMs }, "partition taken over");
    }
    if (change.kind === "lost" && change.owner !== this.#ownName()) {
      const view = this.#claimedView.get(partition) ?? 0;
      this.#blocked.set(partition, { view, sinceMs: nowMs });
      this.#membership.refreshSoon();
    }
    this.#changed();
    // The load that follows starts in a turn of its own: this one belongs to the partition.
    this.#runtime.soon(() => this.pump());
  }

  #changed(): void {
    this.#view.changed();
    this.#onChanged();
  }

  #ownName(): string {
    return `${this.#id}/${this.#membership.incarnation}`;
  }
}
