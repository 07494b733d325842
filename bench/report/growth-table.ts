// Growth on a terminal: sizes, values, exponents.

import type { Growth } from "../growth/growth.ts";
import { columns } from "./table.ts";

export function growthReport(growth: Growth): string {
  const rows = growth.curves.map(({ name, unit, points, slope }) => [
    name,
    Number.isNaN(slope) ? "–" : slope.toFixed(3),
    points.map(([size, value]) => `${size}: ${value.toPrecision(3)}`).join("  "),
    unit,
  ]);
  const { liveHoldBytes, idleSkuBytes, millionSkusMb, recoverySeconds } = growth.figures;
  const parts = [
    columns([["log-log slope", "", "size: value", "unit"], ...rows], [0, 2, 3]),
    `a live hold ${liveHoldBytes.toFixed(0)} B, an idle SKU ${idleSkuBytes.toFixed(0)} B, ` +
      `1,000,000 idle SKUs ${millionSkusMb.toFixed(0)} MB, ` +
      `100,000 holds recovered in ${recoverySeconds.toFixed(3)} s`,
  ];
  if (growth.nodes !== null) parts.push(nodesTable(growth.nodes));
  return `${parts.join("\n\n")}\n`;
}

function nodesTable({ prices, even, zipf }: NonNullable<Growth["nodes"]>): string {
  const thousand = (perSecond: number): string => `${Math.round(perSecond / 1_000)} k`;
  const rows = even.map((at, index) => [
    String(at.nodes),
    `${(100 * at.forwarded).toFixed(0)} %`,
    thousand(at.randomPerSecond),
    thousand(at.affinePerSecond),
    thousand(zipf[index]?.randomPerSecond ?? 0),
    thousand(zipf[index]?.affinePerSecond ?? 0),
  ]);
  const { entryUs, decideUs, forwardUs } = prices;
  const head = ["nodes", "forwarded", "even SKUs/s", "at owners", "zipf SKUs/s", "at owners"];
  return (
    `simulated with entry ${entryUs.toFixed(1)}, decision ${decideUs.toFixed(1)}, ` +
    `forwarding ${forwardUs.toFixed(1)} µs of a node's CPU\n${columns([head, ...rows], [])}`
  );
}
