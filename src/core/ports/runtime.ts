import type { Clock } from "./clock.ts";

/** Time and turns of the process. A simulator gives its own, so that a run can be repeated. */
export interface Runtime {
  readonly clock: Clock;
  /** Runs after the sockets that are ready have been read. */
  soon(task: () => void): void;
  /** Runs about every `everyMs`; the returned function ends it. */
  every(everyMs: number, task: () => void): () => void;
  pause(pauseMs: number): Promise<void>;
}
