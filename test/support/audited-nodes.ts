// A cluster as the audit sees it: one shop, whatever node is asked; its counters are sums.

import type { Audited } from "./audit.ts";
import type { TestProgram } from "./engine.ts";
import type { WorldOfNodes } from "./world-of-nodes.ts";
import type { Report } from "./world.ts";

/** To be used while every engine of the world runs. */
export function auditedNodes(world: WorldOfNodes): Audited {
  const { redis, postgres, simulator, shardUrls, controlUrl, apiKey, nodes } = world;
  const servers = { redis, postgres: [postgres], controlUrl, shardUrls };
  return {
    servers,
    on: servers,
    simulator,
    engine: nodes[0]!,
    readFile: () => {
      throw new Error("a cluster has no files");
    },
    metric: async (name) => {
      const all = await Promise.all(nodes.map((node) => metricOf(node, name)));
      return all.reduce((sum, value) => sum + value, 0);
    },
    report: async (sale) => {
      const headers = { authorization: `Bearer ${apiKey}` };
      const url = `${nodes[0]!.url}/v1/admin/sales/${sale}/report`;
      const response = await fetch(url, { headers });
      if (response.status !== 200) throw new Error(`report: ${response.status}`);
      return (await response.json()) as Report;
    },
  };
}

export async function metricOf(at: TestProgram, name: string): Promise<number> {
  const text = await (await fetch(`${at.url}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  if (line === undefined) throw new Error(`no metric ${name}`);
  return Number(line.slice(name.length + 1));
}
