// ListKeeper
//
// The member list as this node knows it, and the only way to change it: a compare-and-set on the
// store with view = 1 + the highest view seen anywhere.
//
//   L1  The known view never goes back. A list that did, that names another cluster or partition
//       count, or that is no list, is ignored, said aloud, and replaced by the known one.
//   L2  An edit is a function of the members, applied to whatever is there now; applied twice it
//       has one effect. So a lost answer of the store is settled by trying again.

import { assert } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Member, MemberList, MemberStore } from "../core/ports/members.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import { isSameList, nextList } from "./member-list.ts";

/** Races for one change: every member tries once, and some of them twice. */
const ATTEMPTS_MAX = 50;
const RACE_PAUSE_MS = 5;

/** The members as they shall be; null: nothing to change. */
export type Edit = (members: readonly Member[]) => readonly Member[] | null;

type Stored = {
  /** Null: what is there cannot be built on. */
  readonly list: MemberList | null;
  readonly revision: number | null;
};

export class ListKeeper {
  readonly #store: MemberStore;
  readonly #runtime: Runtime;
  readonly #log: Logger;
  readonly #clusterId: string;
  readonly #partitions: number;
  readonly #onAdopted: (list: MemberList) => void;
  #list: MemberList | null = null;
  #seenView = 0;
  /** One change or refresh at a time: the next begins when the one before has ended. */
  #queue: Promise<unknown> = Promise.resolve();
  #isRefreshDue = false;
  #needsRepair = false;
  #complaint = "";

  constructor(options: {
    readonly store: MemberStore;
    readonly runtime: Runtime;
    readonly log: Logger;
    readonly clusterId: string;
    readonly partitions: number;
    readonly onAdopted: (list: MemberList) => void;
  }) {
    this.#store = options.store;
    this.#runtime = options.runtime;
    this.#log = options.log;
    this.#clusterId = options.clusterId;
    this.#partitions = options.partitions;
    this.#onAdopted = options.onAdopted;
  }

  get list(): MemberList | null {
    return this.#list;
  }

  get seenView(): number {
    return this.#seenView;
  }

  /** What was in the store at the last read has to be replaced (L1). */
  get needsRepair(): boolean {
    return this.#needsRepair;
  }

  /** A view from anywhere: a member's heartbeat, a fence. The next one will be higher. */
  saw(view: number): void {
    if (Number.isSafeInteger(view) && view > this.#seenView) this.#seenView = view;
  }

  /** Reads the list once more, soon; calls that meet are one read. Faults are the caller's. */
  async refresh(): Promise<void> {
    if (this.#isRefreshDue) return;
    this.#isRefreshDue = true;
    await this.#inTurn(async () => {
      this.#isRefreshDue = false;
      await this.#read();
    });
  }

  /**
   * Makes the edit, on top of whatever is there. `isForced`: also when it changes no member, so that
   * the view grows.
   *
   * Returns  false when there was nothing to change.
   * Throws   Fault("store_unavailable" | "unknown" | "busy"): call it again.
   */
  change(edit: Edit, isForced = false): Promise<boolean> {
    return this.#inTurn(() => this.#change(edit, isForced));
  }

  /** What is in the store, of any cluster: for the checks before a join. */
  async peek(): Promise<{ readonly list: MemberList | null } | null> {
    return await this.#store.read();
  }

  async #change(edit: Edit, isForced: boolean): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const stored = await this.#read();
      const base = stored.list ?? this.#list ?? this.#emptyList();
      const members = edit(base.members) ?? (isForced ? base.members : null);
      if (members === null) return false;
      const view = 1 + Math.max(this.#seenView, base.view);
      const list = nextList(base, members, view);
      if (await this.#store.write(list, stored.revision)) {
        this.#needsRepair = false;
        this.#adopt(list);
        return true;
      }
      await this.#runtime.pause(RACE_PAUSE_MS * attempt);
    }
    throw new Fault("busy", `the member list was changed by others ${ATTEMPTS_MAX} times`);
  }

  #emptyList(): MemberList {
    const [clusterId, partitions] = [this.#clusterId, this.#partitions];
    return { view: 0, clusterId, partitions, format: 0, members: [], placement: [] };
  }

  async #read(): Promise<Stored> {
    const stored = await this.#store.read();
    const list = stored?.list ?? null;
    const problem = stored === null ? this.#missing() : this.#problemOf(list);
    this.#needsRepair = problem !== null;
    if (problem === null) {
      this.#complaint = "";
      if (list !== null) this.#adopt(list);
      return { list, revision: stored?.revision ?? null };
    }
    const revision = stored?.revision ?? null;
    const complaint = `${revision} ${problem}`;
    if (complaint !== this.#complaint) {
      this.#complaint = complaint;
      const view = this.#list?.view ?? 0;
      this.#log.error({ revision, view }, `the stored member list is ignored: ${problem}`);
    }
    return { list: null, revision };
  }

  #missing(): string | null {
    return this.#list === null ? null : "it is gone";
  }

  #problemOf(list: MemberList | null): string | null {
    if (list === null) return "it is no member list";
    if (list.clusterId !== this.#clusterId) return `it is of cluster ${list.clusterId}`;
    if (list.partitions !== this.#partitions) return `it has ${list.partitions} partitions`;
    const known = this.#list;
    if (known === null || list.view > known.view) return null;
    if (list.view < known.view) return `its view ${list.view} is behind ours, ${known.view}`;
    return isSameList(list, known) ? null : `it differs from ours though its view is ${list.view}`;
  }

  #adopt(list: MemberList): void {
    const known = this.#list;
    assert(known === null || list.view >= known.view, "the known view never goes back");
    this.saw(list.view);
    if (known !== null && list.view === known.view) return;
    this.#list = list;
    this.#onAdopted(list);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#queue.then(work);
    this.#queue = next.catch(() => undefined);
    return next;
  }
}
