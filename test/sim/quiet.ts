// What must be so once every fault is over and everybody has gone home.

import { EDGE_BOUND_MS } from "../../src/core/limits.ts";
import type { Command } from "../../src/core/stock/command.ts";
import type { Chain } from "./chain.ts";
import type { Clients, Entrance } from "./clients.ts";
import type { SimSku } from "./load.ts";
import { expectThat, type Shadow, Violation } from "./shadow.ts";
import type { SimNode } from "./sim-node.ts";
import { EPOCH_MS, type World } from "./world.ts";

/** A lapsed unit is for sale again within a second (I5). */
const LAPSE_LATE_MS = 1_000;
/** Repeating the same request gives the definite answer (I8). */
const REPEATS = 2;
const REPEAT_AFTER_MS = 200;

/** Every partition has one serving owner: the one who claimed last. */
export function checkOwners(request: {
  readonly chain: Chain;
  readonly nodes: readonly SimNode[];
  readonly partitionCount: number;
}): void {
  const { chain, nodes, partitionCount } = request;
  for (let partition = 0; partition < partitionCount; partition++) {
    const states = nodes.map(({ stock }) => {
      return { owner: stock.owner, ...stock.partition(partition) };
    });
    // A late claim of its own is settled by the owner's next commit; a claim outlives the incarnation
    // that made it when its node was evicted and nobody took the partition.
    const { owner, claim } = chain.ownerOf(partition);
    const serving = states.filter(({ state }) => state === "serving");
    const isOnce = serving.length === 1 && nodeOf(serving[0]!.owner) === nodeOf(owner);
    expectThat(isOnce, "quiet", () => {
      const all = states.map((each) => `${each.owner} ${each.state} ${each.claim}`).join(", ");
      return `partition ${partition} has claim ${claim} of ${owner}; ${all}`;
    });
  }
}

/** Nothing overdue is held (I5). */
export function checkLapses(world: World, shadow: Shadow): void {
  const overdueMs = EPOCH_MS + world.nowMs - LAPSE_LATE_MS;
  for (const sku of shadow.skus.values()) {
    for (const timeline of sku.holds.values()) {
      const hold = timeline.last;
      const isFine = hold === null || hold.deadlineMs > overdueMs;
      expectThat(isFine, "I5", () => `${sku.key}: a hold is overdue since ${hold?.deadlineMs}`);
    }
  }
}

/**
 * Asks for every partition at every node: an owner that was fenced while nobody asked learns it now.
 * `mustBeComplete`: all of them must answer.
 */
export function askForCarts(request: {
  readonly world: World;
  readonly entrances: readonly Entrance[];
  readonly mustBeComplete: boolean;
}): void {
  const { world, entrances, mustBeComplete } = request;
  for (const { nodeId, process, stock } of entrances) {
    world.after(0, process, () => {
      stock.cart("nobody").then(
        ({ complete }) => {
          if (complete || !mustBeComplete) return;
          world.fail(new Violation("quiet", `${nodeId}: an owner did not answer`));
        },
        (cause: unknown) => world.fail(cause),
      );
    });
  }
}

/** Every SKU sells again, whatever node is asked: a new stock, a hold, and it is given back. */
export function probe(request: {
  readonly world: World;
  readonly clients: Clients;
  readonly entrances: readonly Entrance[];
  readonly skus: readonly SimSku[];
}): void {
  const { world, clients, entrances, skus } = request;
  const visit = async (sku: SimSku, index: number): Promise<void> => {
    const entrance = entrances[index % entrances.length]!;
    const ask = async (command: Command): Promise<string> => {
      for (let tries = 0; ; tries++) {
        const answer = await clients.attempt(entrance, sku, command);
        if (answer.kind === "outcome") return answer.outcome.kind;
        if (tries === REPEATS) return answer.kind;
        await clients.pause(REPEAT_AFTER_MS);
      }
    };
    const shopper = `probe-${index}`;
    const released = sku.rules.released + 100;
    const endsAtMs = sku.rules.endsAtMs + 7_200_000;
    const version = sku.rules.version + 1_000;
    const expectAnswer = (got: string, wanted: readonly string[]): void => {
      if (wanted.includes(got)) return;
      throw new Violation("quiet", `${sku.key} at ${entrance.nodeId}: ${got}`);
    };
    const rules: Command = { ...sku.rules, version, released, endsAtMs, phase: "live" };
    expectAnswer(await ask(rules), ["configured", "unchanged"]);
    // The edges may still say that it is sold out.
    await clients.pause(EDGE_BOUND_MS);
    expectAnswer(await ask({ kind: "hold", shopper, quantity: 1 }), ["held"]);
    expectAnswer(await ask({ kind: "give_back", shopper }), ["given_back"]);
  };
  skus.forEach((sku, index) => {
    visit(sku, index).catch((cause: unknown) => world.fail(cause));
  });
}

function nodeOf(owner: string): string {
  return owner.slice(0, owner.indexOf("/"));
}
