// Figures of a cluster under faults, on real processes. Only `kill` judges: it ends with exit code 3
// when the hot SKU sells again later than kill.ts allows.
//
//   bun bench/cluster/main.ts kill [kills=20] [shoppers=128]
//   bun bench/cluster/main.ts pause [shoppers=64]
//   bun bench/cluster/main.ts moves [rounds=5] [shoppers=64]
//   bun bench/cluster/main.ts nats [awayMs=60000] [shoppers=64]
//   bun bench/cluster/main.ts placement [nodes=50] [skus=1000000]

import { kills } from "./kill.ts";
import { moves } from "./moves.ts";
import { natsAway } from "./nats-away.ts";
import { pauses } from "./pause.ts";
import { placement } from "./placement.ts";

const [what, first, second] = process.argv.slice(2);

function numberOr(given: string | undefined, fallback: number): number {
  return given === undefined ? fallback : Number(given);
}

switch (what) {
  case "kill":
    if (!(await kills(numberOr(first, 20), numberOr(second, 128)))) process.exit(3);
    break;
  case "pause":
    await pauses(numberOr(first, 64));
    break;
  case "moves":
    await moves(numberOr(first, 5), numberOr(second, 64));
    break;
  case "nats":
    await natsAway(numberOr(first, 60_000), numberOr(second, 64));
    break;
  case "placement":
    placement(numberOr(first, 50), numberOr(second, 1_000_000));
    break;
  default:
    console.error("kill, pause, moves, nats or placement: see the head of bench/cluster/main.ts");
    process.exit(2);
}
process.exit(0);
