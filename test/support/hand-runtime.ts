// Time and turns of a process, moved by hand: nothing happens until the test says so.

import type { Clock } from "../../src/core/ports/clock.ts";
import type { Runtime } from "../../src/core/ports/runtime.ts";

/** No honest test needs as many turns without time going on: it turns in circles. */
const ROUNDS_MAX = 2_000;

type Pause = { readonly atMs: number; readonly end: () => void };

export class HandRuntime implements Runtime {
  /** Added to the wall clock only: a step of the OS clock. */
  wallStepMs = 0;
  readonly clock: Clock = {
    wallMs: () => this.#startMs + this.#elapsedMs + this.wallStepMs,
    monotonicMs: () => this.#elapsedMs,
  };
  readonly #startMs: number;
  #elapsedMs = 0;
  #soon: (() => void)[] = [];
  #ticks: { readonly everyMs: number; atMs: number; readonly task: () => void }[] = [];
  #pauses: Pause[] = [];

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  soon(task: () => void): void {
    this.#soon.push(task);
  }

  every(everyMs: number, task: () => void): () => void {
    const tick = { everyMs, atMs: this.#elapsedMs + everyMs, task };
    this.#ticks.push(tick);
    return () => {
      this.#ticks = this.#ticks.filter((other) => other !== tick);
    };
  }

  pause(pauseMs: number): Promise<void> {
    return new Promise((end) => {
      this.#pauses.push({ atMs: this.#elapsedMs + pauseMs, end });
    });
  }

  get pauseCount(): number {
    return this.#pauses.length;
  }

  get tickCount(): number {
    return this.#ticks.length;
  }

  /** Runs the turns that wait, until none does and no promise has anything left to do. */
  async settle(): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      await microtasks();
      const tasks = this.#soon;
      if (tasks.length === 0) return;
      this.#soon = [];
      for (const task of tasks) task();
    }
    throw new Error(`after ${ROUNDS_MAX} rounds of turns there is always another one`);
  }

  /** Moves time, with the ticks and ends of pauses on the way, each followed by its turns. */
  async advance(byMs: number): Promise<void> {
    await this.settle();
    const untilMs = this.#elapsedMs + byMs;
    for (;;) {
      const nextMs = Math.min(
        untilMs,
        ...this.#ticks.map((tick) => tick.atMs),
        ...this.#pauses.map((pause) => pause.atMs),
      );
      this.#elapsedMs = Math.max(this.#elapsedMs, nextMs);
      const due = this.#pauses.filter((pause) => pause.atMs <= this.#elapsedMs);
      this.#pauses = this.#pauses.filter((pause) => pause.atMs > this.#elapsedMs);
      for (const pause of due) pause.end();
      for (const tick of this.#ticks) {
        if (tick.atMs > this.#elapsedMs) continue;
        tick.atMs += tick.everyMs;
        tick.task();
      }
      await this.settle();
      if (nextMs >= untilMs) return;
    }
  }

  /** Moves time and nothing else: what is due has not been noticed yet. */
  jump(byMs: number): void {
    this.#elapsedMs += byMs;
  }
}

/** Lets every promise chain run to its end; one macrotask is behind all microtasks. */
async function microtasks(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
}
