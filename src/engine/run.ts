// An engine as a process: until SIGTERM or SIGINT, or until it must not go on.

import { type Config, readConfig } from "../config.ts";
import { Fault, type FaultCode } from "../core/errors.ts";
import { type Engine, startEngine, VERSION } from "./engine.ts";
import { createLogger } from "./logger.ts";

/** How a fault at the start, or one that ends the engine, becomes an exit code. */
const EXIT_OF_FAULT = {
  config_invalid: 2,
  second_engine: 2,
  halted: 1,
  journal_corrupt: 1,
  payment_wrong: 1,
  statement_refused: 1,
  busy: 69,
  deadline: 69,
  store_unavailable: 69,
  unknown: 69,
  fenced: 2,
  not_owner: 69,
  payment_unavailable: 69,
} as const satisfies Record<FaultCode, number>;

/** What a start that was told to end gets to come to an end of its own. */
const START_GRACE_MS = 1_000;

/**
 * Returns  the exit code: 0 after a clean stop. Whoever calls it ends the process then: a start that
 *          was given up may still wait for a server.
 */
export async function runUntilStopped(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  try {
    const config = readConfig(environment);
    const log = createLogger({ level: config.logLevel, nodeId: config.nodeId, version: VERSION });
    const { promise: signalled, resolve } = Promise.withResolvers<"signal">();
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.on(signal, () => resolve("signal"));
    const engine = await startedOrNull(config, startEngine(config, log), signalled);
    if (engine === null) {
      log.info({}, "told to stop before it had started");
      return 0;
    }
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

/** Null when it was told to end and did not start: nothing was accepted, a crash is as good. */
async function startedOrNull(
  { host, port }: Config,
  starting: Promise<Engine>,
  signalled: Promise<unknown>,
): Promise<Engine | null> {
  const givenUp = signalled.then(() => Bun.sleep(START_GRACE_MS)).then(() => null);
  try {
    return await Promise.race([starting, givenUp]);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (!CANNOT_LISTEN.has(code)) throw cause;
    const detail =
      `DOORBUSTER_HOST is "${host}" and DOORBUSTER_PORT ${port} (${code}); ` +
      "allowed: an address of this machine, a port that its user may take";
    throw new Fault("config_invalid", detail, { cause });
  }
}

const CANNOT_LISTEN = new Set(["EADDRNOTAVAIL", "EINVAL", "ENOTFOUND", "EACCES"]);

function messageOf(cause: unknown): string {
  if (cause instanceof Fault) return `doorbuster: ${cause.message}`;
  const isTaken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
  if (isTaken) return "doorbuster: the port is taken; DOORBUSTER_PORT names another (0 = any free)";
  return `doorbuster: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`;
}
