// Long work in pieces, so that holds go on beside it: a sale may have 100,000 SKUs, and a loop over
// all of them at once would keep every shopper waiting (bench/large-apply.ts).

import type { Runtime } from "../core/ports/runtime.ts";

/** Work that stops after each SKUS_A_TURN or so of its items. Pure work: it shares nothing. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Settles when the sockets that are ready have been read. */
export type Turn = () => Promise<void>;

export function turnOf(runtime: Pick<Runtime, "soon">): Turn {
  return () => new Promise((resolve) => runtime.soon(resolve));
}

/** For those who have nothing else to do. */
export function runAtOnce<T>(steps: Steps<T>): T {
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

export async function runInTurns<T>(steps: Steps<T>, turn: Turn): Promise<T> {
  let step = steps.next();
  while (step.done !== true) {
    await turn();
    step = steps.next();
  }
  return step.value;
}
