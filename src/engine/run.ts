// An engine as a process: until SIGTERM or SIGINT, or until it must not go on.

import { readConfig } from "../config.ts";
import { Fault, type FaultCode } from "../core/errors.ts";
import { startEngine, VERSION } from "./engine.ts";
import { createLogger } from "./logger.ts";

/** How a fault at the start, or one that ends the engine, becomes an exit code. */
export const EXIT_OF_FAULT = {
  config_invalid: 2,
  second_engine: 2,
  halted: 1,
  journal_corrupt: 1,
  statement_refused: 1,
  busy: 69,
  deadline: 69,
  store_unavailable: 69,
  unknown: 69,
  fenced: 2,
  not_owner: 69,
  payment_unavailable: 69,
} as const satisfies Record<FaultCode, number>;

/** Returns the exit code: 0 after a clean stop. */
export async function runUntilStopped(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  try {
    const config = readConfig(environment);
    const log = createLogger({ level: config.logLevel, nodeId: config.nodeId, version: VERSION });
    const { promise: signalled, resolve } = Promise.withResolvers<"signal">();
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.on(signal, () => resolve("signal"));
    const engine = await startEngine(config, log);
    const end = await Promise.race([signalled, engine.failed]);
    if (end !== "signal") {
      // Another engine writes: whatever we would still say could be wrong.
      log.error({ fault: end.message }, "this engine must not go on");
      return EXIT_OF_FAULT[end.code];
    }
    await engine.stop();
    return 0;
  } catch (cause) {
    process.stderr.write(`${messageOf(cause)}\n`);
    return cause instanceof Fault ? EXIT_OF_FAULT[cause.code] : 1;
  }
}

function messageOf(cause: unknown): string {
  if (cause instanceof Fault) return `doorbuster: ${cause.message}`;
  const isTaken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
  if (isTaken) return "doorbuster: the port is taken; DOORBUSTER_PORT names another (0 = any free)";
  return `doorbuster: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`;
}
