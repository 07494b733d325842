// The node as a NATS micro service (ADR-32): `nats micro ls`, `info` and `stats` show every node of
// every cluster on the server, with nothing else to run.
//
// For eyes and probes only: nobody decides anything by it.

import type { NatsConnection } from "nats";

import type { NodeStatus } from "../node-status.ts";
import { statusSubject } from "../subjects.ts";

export type MicroOptions = {
  readonly connection: NatsConnection;
  readonly nodeId: string;
  readonly incarnation: string;
  readonly clusterId: string;
  /** Semantic version of the engine. */
  readonly version: string;
  readonly status: () => NodeStatus;
};

const MICRO_SERVICE = "doorbuster";

/** Returns  what ends the service. The client restores it after each reconnect. */
export async function startMicroService(options: MicroOptions): Promise<() => Promise<void>> {
  const { connection, nodeId, incarnation, clusterId, version, status } = options;
  const service = await connection.services.add({
    name: MICRO_SERVICE,
    version,
    description: "A node of the Doorbuster flash-sale engine",
    metadata: { node: nodeId, incarnation, cluster: clusterId },
    // Each node answers for itself. The client knows no service without a queue group, so each has
    // one of its own.
    queue: nodeId,
    statsHandler: () => Promise.resolve(status()),
  });
  service.addEndpoint("status", {
    subject: statusSubject(nodeId),
    metadata: { format: "json" },
    handler: (error, message) => {
      if (error === null) message.respond(JSON.stringify(status()));
    },
  });
  return async () => {
    if (!connection.isClosed()) await service.stop();
  };
}
