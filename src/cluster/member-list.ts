// The member list as text and as a value: reading it, and the few ways in which it changes.

import { z } from "zod";

import { MEMBERS_MAX, PARTITIONS_MAX } from "../core/limits.ts";
import { placementOf } from "../core/placement.ts";
import type { Member, MemberList, MemberState } from "../core/ports/members.ts";
import { NODE_ID } from "./subjects.ts";

const count = z.int().nonnegative();
const memberSchema = z.object({
  id: z.string().regex(NODE_ID),
  incarnation: z.string().regex(/^[\x21-\x7e]{1,64}$/),
  address: z.string().max(256),
  state: z.enum(["joining", "up", "draining"]),
  formats: z.object({ oldest: count, newest: count }),
});
const listSchema = z
  .object({
    view: z.int().positive(),
    clusterId: z.string().min(1).max(128),
    partitions: z.int().positive().max(PARTITIONS_MAX),
    format: count,
    members: z.array(memberSchema).max(MEMBERS_MAX),
    placement: z.array(z.string()),
  })
  .refine(({ members }) => new Set(members.map(({ id }) => id)).size === members.length)
  .refine(({ members, partitions, placement }) => {
    const up = upIdsOf(members);
    if (up.length === 0) return placement.length === 0;
    return placement.length === partitions && placement.every((id) => up.includes(id));
  });

/** Null: this is no member list. */
export function parseMemberList(text: string): MemberList | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError) return null;
    throw cause;
  }
  const parsed = listSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}

export function encodeMemberList(list: MemberList): string {
  return JSON.stringify(list);
}

export function isSameList(left: MemberList, right: MemberList): boolean {
  return encodeMemberList(sorted(left)) === encodeMemberList(sorted(right));
}

/** Fields in one order, whatever order they were read in. */
function sorted(list: MemberList): MemberList {
  const { view, clusterId, partitions, format, members, placement } = list;
  const plain = members.map(({ id, incarnation, address, state, formats }) => {
    const { oldest, newest } = formats;
    return { id, incarnation, address, state, formats: { oldest, newest } };
  });
  return { view, clusterId, partitions, format, members: plain, placement: [...placement] };
}

/** Who takes part in the placement. */
function upIdsOf(members: readonly Member[]): readonly string[] {
  return members.filter(({ state }) => state === "up").map(({ id }) => id);
}

export function memberOf(list: MemberList | null, id: string): Member | null {
  return list?.members.find((member) => member.id === id) ?? null;
}

/** The list with other members under a new view; partitions stay where they can. */
export function nextList(base: MemberList, members: readonly Member[], view: number): MemberList {
  const { clusterId, partitions } = base;
  const placement = placementOf(upIdsOf(members), partitions, base.placement);
  const common = members.map(({ formats }) => formats.newest);
  const format = common.length === 0 ? base.format : Math.max(base.format, Math.min(...common));
  return { view, clusterId, partitions, format, members, placement };
}

/** In the place of the one with its id, else last. */
export function withMember(members: readonly Member[], member: Member): readonly Member[] {
  const isKnown = members.some(({ id }) => id === member.id);
  if (!isKnown) return [...members, member];
  return members.map((known) => (known.id === member.id ? member : known));
}

/** Null: that incarnation is not there. */
export function withoutMember(
  members: readonly Member[],
  { id, incarnation }: { readonly id: string; readonly incarnation: string },
): readonly Member[] | null {
  const others = members.filter((known) => known.id !== id || known.incarnation !== incarnation);
  return others.length === members.length ? null : others;
}

/** Null: it is not there, or in that state already. */
export function withState(
  members: readonly Member[],
  id: string,
  state: MemberState,
): readonly Member[] | null {
  const member = members.find((known) => known.id === id);
  if (member === undefined || member.state === state) return null;
  return withMember(members, { ...member, state });
}

/**
 * Why a node may not join this list; null when it may.
 *
 * A node reads its newest format and the one before; it writes the list's, which is the lowest that
 * all members announce.
 */
export function joinRefusal(
  list: MemberList,
  node: { readonly member: Member; readonly clusterId: string; readonly partitions: number },
): string | null {
  const { member, clusterId, partitions } = node;
  if (list.clusterId !== clusterId) {
    return `the member list is of cluster ${list.clusterId}, this node is of ${clusterId}`;
  }
  if (list.partitions !== partitions) {
    return `the cluster has ${list.partitions} partitions, this node has ${partitions}`;
  }
  if (list.format > member.formats.newest) {
    return (
      `the cluster writes format ${list.format}, this node reads ${rangeOf(member)}: ` +
      "there is no way back to an older version"
    );
  }
  for (const other of list.members) {
    if (other.id === member.id) continue;
    const written = Math.min(other.formats.newest, member.formats.newest);
    if (written >= other.formats.oldest && written >= member.formats.oldest) continue;
    return (
      `node ${other.id} reads formats ${rangeOf(other)}, this node reads ${rangeOf(member)}: ` +
      "upgrade one version at a time"
    );
  }
  return null;
}

function rangeOf({ formats }: Member): string {
  return `${formats.oldest} to ${formats.newest}`;
}
