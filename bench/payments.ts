// Charges a second through the gateway client into the simulator (a process of its own, fsynced
// book), 64 in flight, and what a charge costs each side in CPU.
//
//   bun bench/payments.ts [charges]

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { HttpPaymentGateway } from "../src/payments/http-gateway.ts";

const chargeCount = Number(process.argv[2] ?? 40_000);
const inFlight = 64;

const dataDir = await mkdtemp(join(tmpdir(), "doorbuster-bench-payments-"));
const simulator = Bun.spawn(["bun", join(import.meta.dir, "../src/payments/simulator/main.ts")], {
  env: { ...process.env, DOORBUSTER_SIMULATOR_DATA_DIR: dataDir },
  stdout: "pipe",
  stderr: "inherit",
});

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("\n")) break;
  }
  return text;
}

const { url } = JSON.parse(await firstLine(simulator.stdout)) as { url: string };
const gateway = new HttpPaymentGateway({ url });
const payUntilMs = Date.now() + 600_000;
let next = 0;

async function chargeUntil(end: number): Promise<void> {
  while (next < end) {
    next += 1;
    const orderId = `ord_${Bun.randomUUIDv7().replaceAll("-", "")}`;
    const charge = { orderId, amountMinor: 199_900, currency: "INR", token: "tok_ok", payUntilMs };
    const state = await gateway.charge(charge);
    if (state.kind !== "paid") throw new Error(`expected paid, got ${state.kind}`);
  }
}

async function run(count: number): Promise<{ seconds: number; cpuUs: number }> {
  const end = next + count;
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: inFlight }, () => chargeUntil(end)));
  const cpu = process.cpuUsage(cpuBefore);
  return { seconds: (performance.now() - startedMs) / 1_000, cpuUs: cpu.user + cpu.system };
}

await run(2_000);
const { seconds, cpuUs } = await run(chargeCount);
simulator.kill("SIGTERM");
await simulator.exited;
const simulatorUs = Number(simulator.resourceUsage()?.cpuTime.total ?? 0);
await rm(dataDir, { recursive: true });

console.log(`charges/s           ${Math.round(chargeCount / seconds)} (${inFlight} in flight)`);
console.log(`client µs/charge    ${(cpuUs / chargeCount).toFixed(1)}`);
console.log(`simulator µs/charge ${(simulatorUs / next).toFixed(1)} (with its start)`);
