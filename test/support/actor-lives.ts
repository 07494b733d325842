// A partition's history, and its next life on the same journal.

import { encodeBook } from "../../src/core/stock/snapshot.ts";
import { B, holdOf, type NodeBed } from "./actors.ts";

/** The next life of the engine on the same journal. */
export async function restart(bed: NodeBed, owner = "node-1/b", view = 2): Promise<void> {
  bed.node = bed.newNode(owner);
  bed.node.own(0, view);
  await bed.runtime.settle();
}

/** What is in memory, as text; a question first, so that the claim is confirmed. */
export async function bookOf(bed: NodeBed): Promise<string[]> {
  await bed.told(holdOf("nobody"), { key: "sale/nothing", partition: 0 });
  const pieces = encodeBook(bed.node.partitions[0]!.freshBook()!, 0);
  return pieces.join("\n").split("\n").sort();
}

export async function someHistory(bed: NodeBed): Promise<void> {
  await bed.open({ released: 20 });
  await bed.open({ released: 5, group: "g", groupLimit: 3 }, B);
  await bed.told(holdOf("s1", 2));
  await bed.told(holdOf("s2", 3), B);
  const order = { shopper: "s1", orderId: "ord1" };
  await bed.told({ kind: "pin", ...order, quantity: 2, priceMinor: 100 });
  await bed.told({ kind: "confirm", ...order, quantity: 2 });
  await bed.told({ kind: "give_back", shopper: "s2" }, B);
  await bed.told(holdOf("s3", 1));
  await bed.told({ kind: "pin", shopper: "s3", orderId: "ord3", quantity: 1, priceMinor: 100 });
}
