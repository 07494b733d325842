// Runs a sweep again and again, one at a time, until it is stopped.

import { faultOf } from "../core/errors.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";

export type SweepLoop = {
  start(): void;
  /** Settles when the sweep that is under way has ended; no other begins. */
  stop(): Promise<void>;
};

/** A sweep that throws is logged, and tried again at its next time. */
export function sweepLoop(options: {
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly name: string;
  readonly everyMs: number;
  readonly sweep: () => Promise<unknown>;
}): SweepLoop {
  const { runtime, log, name, everyMs } = options;
  let running: Promise<void> | null = null;
  let end: (() => void) | null = null;
  const run = async (): Promise<void> => {
    try {
      await options.sweep();
    } catch (cause) {
      log.warn(
        { sweep: name, err: faultOf(cause, "unknown", name) },
        "a sweep did not get through",
      );
    }
  };
  return {
    start() {
      end ??= runtime.every(everyMs, () => {
        running ??= run().finally(() => {
          running = null;
        });
      });
    },
    async stop() {
      end?.();
      end = null;
      await running;
    },
  };
}
