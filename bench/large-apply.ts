// Holds while a large sale file is applied: how long the engine makes them wait.
//
//   bun bench/large-apply.ts [embedded|servers] [SKUs]
//
// Holds of another sale come at a steady rate and count from when they were due, alone and beside a
// first PUT, one that changes every SKU and one that changes none. The longest of them is the
// longest time for which the event loop stood still. Load and engine share this machine's cores.

import type { RawRequest } from "../test/support/raw-client.ts";
import { startWorld, type World } from "../test/support/world.ts";

const [mode = "embedded", skusText = "100000"] = process.argv.slice(2);
if (mode !== "embedded" && mode !== "servers") throw new Error("embedded or servers");
const SKUS = Number(skusText);
const HOLDS_A_SECOND = 200;
const TICK_MS = 5;
const QUIET_MS = 2_000;

const world = await startWorld(mode);
try {
  await world.openSale({ sale: "small", skus: [{ sku: "shoe", stock: 1_000_000, limit: 10 }] });
  const hold = await holdRequest(world);
  await beside(world, hold, "alone", () => Bun.sleep(QUIET_MS));
  const first = fileOf(10);
  const second = fileOf(11);
  await beside(world, hold, "a new sale", () => applyAll(world, first));
  await beside(world, hold, "every SKU changed", () => applyAll(world, second));
  await beside(world, hold, "nothing changed", () => applyAll(world, second));
} finally {
  await world.stop();
}

async function holdRequest(open: World): Promise<RawRequest> {
  return {
    method: "PUT",
    path: "/v1/sales/small/skus/shoe/hold",
    headers: {
      authorization: `Bearer ${await open.token("asha")}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ quantity: 1 }),
  };
}

function fileOf(stock: number): string {
  const skus = Array.from({ length: SKUS }, (_, index) => ({
    sku: `sku-${index}`,
    title: `The SKU of number ${index}`,
    price: "199.00",
    stock,
    limitPerShopper: 2,
  }));
  return JSON.stringify({
    sale: "large",
    title: "A large sale",
    currency: "INR",
    timeZone: "Asia/Kolkata",
    startsAt: "2035-01-01T00:00:00",
    endsAt: "2035-01-02T00:00:00",
    holdFor: "5m",
    payWithin: "10m",
    skus,
  });
}

/** Repeats the PUT until every SKU has it. */
async function applyAll({ engine, apiKey }: World, body: string): Promise<void> {
  const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  for (;;) {
    const url = `${engine.url}/v1/admin/sales/large`;
    const response = await fetch(url, { method: "PUT", headers, body });
    const text = await response.text();
    if (response.status === 200 || response.status === 201) return;
    if (response.status !== 202 && response.status < 500) throw new Error(text);
    await Bun.sleep(100);
  }
}

/** Open loop: what is due is sent, and its time counts from when it was due. */
async function beside(
  { client }: World,
  hold: RawRequest,
  name: string,
  work: () => Promise<void>,
): Promise<void> {
  const startedMs = performance.now();
  const phase = { isOver: false };
  const worked = work().finally(() => {
    phase.isOver = true;
  });
  const tookMs: number[] = [];
  const sent: Promise<void>[] = [];
  while (!phase.isOver) {
    const elapsedMs = performance.now() - startedMs;
    while (sent.length < (elapsedMs * HOLDS_A_SECOND) / 1_000) {
      const dueAtMs = startedMs + (sent.length * 1_000) / HOLDS_A_SECOND;
      sent.push(
        client.request(hold).then(({ answer }) => {
          if (answer === null || answer.status >= 300) throw new Error(`${answer?.status}`);
          tookMs.push(performance.now() - dueAtMs);
        }),
      );
    }
    await Bun.sleep(TICK_MS);
  }
  const doneMs = performance.now() - startedMs;
  await Promise.all([worked, ...sent]);
  tookMs.sort((left, right) => left - right);
  const at = (share: number): string =>
    (tookMs[Math.min(tookMs.length - 1, Math.floor(tookMs.length * share))] ?? 0).toFixed(0);
  console.log(
    `${name.padEnd(18)} ${doneMs.toFixed(0).padStart(6)} ms; ${tookMs.length} holds: ` +
      `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`,
  );
}
