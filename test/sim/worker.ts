// One core's share of a campaign: seeds in by message, a Campaign out.

import { runCampaign } from "./campaign.ts";

declare const self: Worker;

export type Share = {
  readonly first: number;
  readonly step: number;
  readonly count: number;
  readonly failuresMax: number;
  readonly forMs: number;
};

export function* seedsOf({ first, step, count }: Omit<Share, "failuresMax" | "forMs">) {
  for (let index = 0; index < count; index++) yield first + index * step;
}

self.addEventListener("message", (event: MessageEvent<Share>) => {
  const { failuresMax, forMs } = event.data;
  self.postMessage(runCampaign({ seeds: seedsOf(event.data), failuresMax, forMs }), []);
});
