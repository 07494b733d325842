import type { Clock } from "../core/ports/clock.ts";
import type { Runtime } from "../core/ports/runtime.ts";

/**
 * A wall clock that was read once and is advanced by the monotonic clock only: no jump of the OS
 * clock moves it. `startWallMs` is the OS clock's reading (embedded) or the store's.
 */
export function steadyClock(startWallMs: number): Clock {
  const startedMs = performance.now();
  return {
    wallMs: () => Math.floor(startWallMs + performance.now() - startedMs),
    monotonicMs: () => performance.now(),
  };
}

export function systemRuntime(clock: Clock): Runtime {
  return {
    clock,
    soon: (task) => {
      setImmediate(task);
    },
    every: (everyMs, task) => {
      const timer = setInterval(task, everyMs);
      return () => clearInterval(timer);
    },
    pause: (pauseMs) => Bun.sleep(pauseMs),
  };
}
