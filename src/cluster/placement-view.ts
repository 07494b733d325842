// PlacementView
//
// Who owns what, as far as this node knows: the member list's placement, overruled by the claims that
// live members announce. The table behind `ownerOf` is made anew when something changes, so that a
// look-up is one read of an array.

import type { LocalPartitions } from "../core/ports/local-partitions.ts";
import type { MemberList } from "../core/ports/members.ts";
import { type AnnouncedClaim, decodeClaims, type Heartbeat } from "./control-message.ts";
import { memberOf } from "./member-list.ts";
import type { Owners } from "./owners.ts";

type Announced = {
  readonly incarnation: string;
  readonly text: string;
  readonly claims: readonly AnnouncedClaim[];
};

type Claimer = { readonly id: string; readonly claim: number; readonly depth: number };

export class PlacementView implements Owners {
  readonly #id: string;
  readonly #partitions: number;
  readonly #local: LocalPartitions;
  readonly #handlers: (() => void)[] = [];
  readonly #onEvicted: ((nodeId: string) => void)[] = [];
  readonly #announced = new Map<string, Announced>();
  #list: MemberList | null = null;
  #previous: readonly string[] = [];
  #isSelfUp = false;
  /** By partition: the highest claim of a live member other than this node. */
  #claimers: (Claimer | undefined)[] = [];

  constructor(options: {
    readonly id: string;
    readonly partitions: number;
    readonly local: LocalPartitions;
  }) {
    this.#id = options.id;
    this.#partitions = options.partitions;
    this.#local = options.local;
  }

  /** Hot path of every request that enters at this node. */
  ownerOf(partition: number): string | null {
    const claimer = this.#claimers[partition];
    const { claim } = this.#local.partition(partition);
    if (claimer !== undefined && claimer.claim > claim) return claimer.id;
    if (claim > 0) return this.#id;
    return this.placedOn(partition);
  }

  parkable(partition: number): boolean {
    const { state } = this.#local.partition(partition);
    if (state === "loading") return true;
    // Waiting for its turn to be claimed, with nobody who serves it meanwhile.
    const isOurs = this.#isSelfUp && this.placedOn(partition) === this.#id;
    return state === "idle" && isOurs && this.#claimers[partition] === undefined;
  }

  onChange(handler: () => void): void {
    this.#handlers.push(handler);
  }

  onEvicted(handler: (nodeId: string) => void): void {
    this.#onEvicted.push(handler);
  }

  placedOn(partition: number): string | null {
    return this.#list?.placement[partition] ?? null;
  }

  /** The live member that serves it by its own word; not this node. */
  claimerOf(partition: number): Claimer | null {
    return this.#claimers[partition] ?? null;
  }

  /**
   * The live member to ask for a partition before claiming it; null: there is none to ask. Without a
   * claimer the one that had it by the placement before: its announcement may be on its way.
   */
  formerOwnerOf(partition: number): string | null {
    const claimer = this.#claimers[partition];
    if (claimer !== undefined) return claimer.id;
    const before = this.#previous[partition];
    if (before === undefined || before === this.#id) return null;
    return memberOf(this.#list, before) === null ? null : before;
  }

  adopt(list: MemberList, isSelfUp: boolean): void {
    const { placement: last = [], members = [] } = this.#list ?? {};
    // What a partition was placed on before it was placed here, however many lists ago.
    this.#previous = list.placement.map((owner, partition) => {
      const before = last[partition];
      return before === owner ? (this.#previous[partition] ?? before) : (before ?? owner);
    });
    this.#list = list;
    this.#isSelfUp = isSelfUp;
    for (const id of this.#announced.keys()) {
      if (memberOf(list, id)?.incarnation !== this.#announced.get(id)?.incarnation) {
        this.#announced.delete(id);
      }
    }
    this.#rebuild();
    for (const { id, incarnation, state } of members) {
      // Who is drained and leaves has answered all that it was asked.
      const isGone = memberOf(list, id)?.incarnation !== incarnation && state !== "draining";
      if (isGone && id !== this.#id) for (const handler of this.#onEvicted) handler(id);
    }
  }

  /** A heartbeat of another member. True when it says something new. */
  heard({ from, incarnation, claimsText }: Heartbeat): boolean {
    const known = this.#announced.get(from);
    if (known?.text === claimsText && known.incarnation === incarnation) return false;
    const claims = decodeClaims(claimsText, this.#partitions);
    this.#announced.set(from, { incarnation, text: claimsText, claims });
    this.#rebuild();
    return true;
  }

  /** Something changed in this node's partitions. */
  changed(): void {
    for (const handler of this.#handlers) handler();
  }

  /** How many partitions each live member says that it serves. */
  announcedCountOf(id: string): number {
    return this.#announced.get(id)?.claims.length ?? 0;
  }

  #rebuild(): void {
    const claimers: (Claimer | undefined)[] = [];
    for (const [id, { claims }] of this.#announced) {
      for (const { partition, claim, depth } of claims) {
        const best = claimers[partition];
        if (best === undefined || claim > best.claim) claimers[partition] = { id, claim, depth };
      }
    }
    this.#claimers = claimers;
    this.changed();
  }
}
