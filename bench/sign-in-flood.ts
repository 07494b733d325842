// Password hashing never slows a sale: how long holds take while sign-ins flood the engine.
//
//   bun bench/sign-in-flood.ts [embedded|servers] [holds a second]
//
// Holds come at a steady rate, whatever the engine does (no coordinated omission): first alone, then
// beside a flood of sign-ins, in turns. Design §10: one argon2id hash at a time, a queue of 100.
// What is wanted is a p99 under twice the quiet one. Load and engine share this machine's cores.

import type { RawRequest } from "../test/support/raw-client.ts";
import { startWorld, type World } from "../test/support/world.ts";

const [mode = "embedded", rateText = "1000"] = process.argv.slice(2);
if (mode !== "embedded" && mode !== "servers") throw new Error("embedded or servers");
const HOLDS_A_SECOND = Number(rateText);
const SHOPPERS = 2_000;
const PHASE_MS = 4_000;
const TURNS = 3;
const FLOOD_CONNECTIONS = 64;
const TICK_MS = 5;

type Phase = { readonly tookMs: number[]; unanswered: number };

const world = await startWorld(mode);
try {
  await world.openSale({ sale: "flood", skus: [{ sku: "shoe", stock: 1_000_000, limit: 10 }] });
  await signUp(world);
  const holds = await holdRequests(world);
  await holdFor(world, holds, newPhase());
  const quiet = newPhase();
  const flooded = newPhase();
  let signIns = 0;
  for (let turn = 0; turn < TURNS; turn += 1) {
    await holdFor(world, holds, quiet);
    let isOver = false;
    const flood = floodUntil(world, () => isOver);
    await holdFor(world, holds, flooded);
    isOver = true;
    signIns += await flood;
  }
  print("alone", quiet);
  print("beside sign-ins", flooded);
  const ratio = percentile(flooded.tookMs, 0.99) / percentile(quiet.tookMs, 0.99);
  console.log(
    `${signIns} sign-ins answered; p99 beside them is ${ratio.toFixed(2)} of the quiet one`,
  );
} finally {
  await world.stop();
}

function newPhase(): Phase {
  return { tookMs: [], unanswered: 0 };
}

async function signUp({ engine }: World): Promise<void> {
  const response = await fetch(`${engine.url}/v1/accounts`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "flood@example.com", password: "correct horse" }),
  });
  if (response.status !== 201) throw new Error(await response.text());
}

async function holdRequests(open: World): Promise<RawRequest[]> {
  const ids = Array.from({ length: SHOPPERS }, (_, index) => `shopper-${index}`);
  return Promise.all(
    ids.map(async (id, index) => ({
      method: "PUT",
      path: "/v1/sales/flood/skus/shoe/hold",
      headers: {
        authorization: `Bearer ${await open.token(id)}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ quantity: 1 + (index % 3) }),
    })),
  );
}

/** Open loop: what is due is sent, and its time counts from when it was due. */
async function holdFor(
  { client }: World,
  holds: readonly RawRequest[],
  phase: Phase,
): Promise<void> {
  const startedMs = performance.now();
  const sent: Promise<void>[] = [];
  for (let elapsedMs = 0; elapsedMs < PHASE_MS; elapsedMs = performance.now() - startedMs) {
    while (sent.length < (elapsedMs * HOLDS_A_SECOND) / 1_000) {
      const dueAtMs = startedMs + (sent.length * 1_000) / HOLDS_A_SECOND;
      const request = holds[Math.floor(Math.random() * holds.length)]!;
      sent.push(
        client.request(request).then(({ answer }) => {
          if (answer === null || answer.status >= 300) phase.unanswered += 1;
          else phase.tookMs.push(performance.now() - dueAtMs);
        }),
      );
    }
    await Bun.sleep(TICK_MS);
  }
  await Promise.all(sent);
}

/** Returns how many were answered, busy ones not counted. */
async function floodUntil({ engine }: World, isOver: () => boolean): Promise<number> {
  let answered = 0;
  const body = JSON.stringify({ email: "flood@example.com", password: "correct horse" });
  const signIn = async (): Promise<void> => {
    while (!isOver()) {
      const response = await fetch(`${engine.url}/v1/sessions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      await response.body?.cancel();
      if (response.status === 200) answered += 1;
    }
  };
  await Promise.all(Array.from({ length: FLOOD_CONNECTIONS }, signIn));
  return answered;
}

function print(name: string, { tookMs, unanswered }: Phase): void {
  const [p50, p99] = [0.5, 0.99].map((share) => percentile(tookMs, share).toFixed(1));
  const count = `${tookMs.length} holds, ${unanswered} refused or cut`;
  console.log(`${name.padEnd(16)} p50 ${p50} ms, p99 ${p99} ms (${count})`);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
