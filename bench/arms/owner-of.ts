// Which node owns a SKU, as the cluster's member list says.

import { connect } from "nats";

import { partitionOf } from "../../src/core/ids.ts";

/** Source: the key-value bucket of the member list (src/cluster/nats). */
const MEMBERS = "$KV.*.members";

/**
 * The node that the member list places a SKU without a group on. Placement is sticky: it follows from
 * who came when, and cannot be computed from the members alone.
 */
export async function ownerOf(
  natsUrl: string,
  { sale, sku, partitions }: { sale: string; sku: string; partitions: number },
): Promise<string> {
  const connection = await connect({ servers: natsUrl });
  try {
    const manager = await connection.jetstreamManager();
    const [stream] = (await manager.streams.list().next()).map(({ config }) => config.name);
    if (stream === undefined) throw new Error("the cluster has no member list");
    const message = await manager.streams.getMessage(stream, { last_by_subj: MEMBERS });
    const { placement } = message.json<{ placement: readonly string[] }>();
    const owner = placement[partitionOf(sale, sku, null, partitions)];
    if (owner === undefined) throw new Error(`nobody owns ${sale}/${sku}`);
    return owner;
  } finally {
    await connection.close();
  }
}
