// The simulator as a program: `bun src/payments/simulator/main.ts`. Says its URL on standard output
// as one line of JSON, once it listens.

import { SQLiteError } from "bun:sqlite";

import { parseConfig } from "./config.ts";
import { startSimulator } from "./simulator.ts";

const EXIT_FAILED = 1;
const EXIT_CONFIG = 2;

const config = parseConfig(process.env);
if (!config.ok) {
  console.error(config.message);
  process.exit(EXIT_CONFIG);
}

try {
  const simulator = await startSimulator({
    ...config.options,
    onError: (cause) => console.error(cause.message),
  });
  let isStopping = false;
  const stop = async (): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    await simulator.stop();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop());
  console.log(JSON.stringify({ url: simulator.url }));
} catch (cause) {
  if (cause instanceof SQLiteError && cause.code === "SQLITE_BUSY") {
    console.error(`${config.options.dataDir}: another process has this book open`);
    process.exit(EXIT_CONFIG);
  }
  console.error(cause instanceof Error ? cause.message : String(cause));
  process.exit(EXIT_FAILED);
}
