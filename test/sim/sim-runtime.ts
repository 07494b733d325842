import type { Clock } from "../../src/core/ports/clock.ts";
import type { Runtime } from "../../src/core/ports/runtime.ts";
import type { Random } from "./random.ts";
import { EPOCH_MS, type Process, type World } from "./world.ts";

/** From a ready socket to the turn after it. */
const SOON_MS = 0.02;

/** What the OS of the process would say, as faults have it. */
export function osClockMs(world: World, process: Process): number {
  return Math.floor(EPOCH_MS + world.nowMs + process.wallOffsetMs);
}

/**
 * Time and turns of one process: a boot time of its own, and a steady clock (engine/runtime.ts) that
 * began with the store's time.
 */
export function simRuntime(world: World, process: Process, random: Random): Runtime {
  const bootedMs = world.nowMs - random.between(1_000, 100_000);
  const clock: Clock = {
    monotonicMs: () => world.nowMs - bootedMs,
    wallMs: () => Math.floor(EPOCH_MS + world.nowMs),
  };
  return {
    clock,
    soon: (task) => world.after(SOON_MS, process, task, "timer"),
    every: (everyMs, task) => {
      let isOver = false;
      const fire = (): void => {
        if (isOver) return;
        world.after(everyMs, process, fire, "timer");
        task();
      };
      world.after(everyMs * random.unit(), process, fire, "timer");
      return () => {
        isOver = true;
      };
    },
    pause: (pauseMs) =>
      new Promise<void>((resolve) => {
        world.after(Math.max(0, pauseMs), process, resolve, "timer");
      }),
  };
}
