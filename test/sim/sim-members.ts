import { Fault } from "../../src/core/errors.ts";
import type { MemberList, MemberStore } from "../../src/core/ports/members.ts";
import type { Random } from "./random.ts";
import type { SimNetwork } from "./sim-bus.ts";
import type { Process, World } from "./world.ts";

/** Longer than a reader waits for JetStream. */
const DEADLINE_MS = 2_000;
const LATENCY_MS = { min: 0.3, max: 3 };

/** The member list where it is kept: one value with a revision, changed by compare-and-set. */
export class SimMemberTable {
  list: MemberList | null = null;
  revision = 0;
  changedAtMs = 0;
  readonly hints: { readonly process: Process; readonly handler: () => void }[] = [];
  /** This part of the answers does not come back. */
  lostReplies = 0;
}

/** The table as one process reaches it: over NATS, so with NATS' faults. */
export function simMemberStore(options: {
  readonly world: World;
  readonly network: SimNetwork;
  readonly random: Random;
  readonly table: SimMemberTable;
  readonly nodeId: string;
  readonly process: Process;
}): MemberStore {
  const { world, network, random, table, nodeId, process } = options;

  const call = <T>(work: () => T): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const settleLater = (delayMs: number, settle: () => void): void => {
        world.after(delayMs, process, settle);
      };
      if (!network.isServerUp) {
        const fault = new Fault("store_unavailable", "NATS is away");
        settleLater(LATENCY_MS.min, () => reject(fault));
        return;
      }
      settleLater(DEADLINE_MS, () => reject(new Fault("unknown", "the list did not answer")));
      if (!network.reaches(nodeId)) return;
      world.after(random.between(LATENCY_MS.min, LATENCY_MS.max), null, () => {
        if (!network.isServerUp) return;
        const result = work();
        if (!network.reaches(nodeId) || random.chance(table.lostReplies)) return;
        settleLater(random.between(LATENCY_MS.min, LATENCY_MS.max), () => resolve(result));
      });
    });

  return {
    read: () =>
      call(() => (table.list === null ? null : { list: table.list, revision: table.revision })),
    write: (list, revision) =>
      call(() => {
        if (revision !== (table.list === null ? null : table.revision)) return false;
        table.list = list;
        table.revision++;
        table.changedAtMs = world.nowMs;
        const members = list.members.map((member) => `${member.id}:${member.state}`);
        world.log(`list ${list.view} [${members.join(" ")}] by ${process.name}`);
        for (const hint of table.hints) {
          if (random.chance(0.2)) continue;
          world.after(random.between(LATENCY_MS.min, 20), hint.process, hint.handler);
        }
        return true;
      }),
    onChange: (handler) => {
      table.hints.push({ process, handler });
    },
  };
}
