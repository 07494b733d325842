// The simulated world: one clock, one heap of tasks, and the processes that tasks belong to.
//
// A run is one synchronous loop. Each task runs alone and everything it wakes (promises, awaits) runs
// to its end before the next task: `drainMicrotasks` empties the engine's queue on the spot, so no
// real time passes and the order depends on the seed alone.
//
//   W1  time moves only between tasks
//   W2  tasks of one instant run in the order they were scheduled in
//   W3  a killed process runs nothing any more; a paused one runs what waited, in order, afterwards

import { drainMicrotasks } from "bun:jsc";

import { assert } from "../../src/core/assert.ts";

/** `timer`: of the process' own clock; `socket`: something that came in. */
export type TaskKind = "timer" | "socket";
type Waiting = { readonly kind: TaskKind; readonly run: () => void };

/** One life of one program. A restart is another process. */
export class Process {
  readonly name: string;
  isAlive = true;
  isPaused = false;
  /** Nobody can expect an answer of a time before this. */
  resumedMs = 0;
  /** What its OS clock is off by. */
  wallOffsetMs = 0;
  readonly waiting: Waiting[] = [];

  constructor(name: string) {
    this.name = name;
  }
}

type Task = {
  readonly atMs: number;
  readonly order: number;
  /** Null: of the world itself, never paused. */
  readonly process: Process | null;
  readonly kind: TaskKind;
  readonly run: () => void;
};

/** Simulated zero as wall time. */
export const EPOCH_MS = 1_800_000_000_000;

export class World {
  nowMs = 0;
  taskCount = 0;
  /** The first thing that was not as it must be: the run is over. */
  failure: unknown = null;
  #order = 0;
  readonly #heap: Task[] = [];
  readonly #pauses: { readonly process: Process; readonly fromMs: number; untilMs: number }[] = [];
  readonly #lines: string[] = [];

  /** A line of the event log: equal logs are equal runs. */
  log(line: string): void {
    this.#lines.push(`${this.nowMs.toFixed(3)} ${line}`);
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  hash(): string {
    return Bun.hash.xxHash64(this.#lines.join("\n")).toString(16);
  }

  fail(cause: unknown): void {
    this.failure ??= cause;
  }

  /** For checks inside of promises: what they throw would go astray there. */
  guard(check: () => void): void {
    try {
      check();
    } catch (cause) {
      this.fail(cause);
    }
  }

  after(
    delayMs: number,
    process: Process | null,
    run: () => void,
    kind: TaskKind = "socket",
  ): void {
    assert(delayMs >= 0, "nothing happens before now");
    this.#push({ atMs: this.nowMs + delayMs, order: this.#order++, process, kind, run });
  }

  pause(process: Process): void {
    process.isPaused = true;
    this.#pauses.push({ process, fromMs: this.nowMs, untilMs: Number.POSITIVE_INFINITY });
  }

  /** How long anybody stood still between two times; pauses at once count each. */
  pausedMs(fromMs: number, untilMs: number): number {
    let sumMs = 0;
    for (const pause of this.#pauses) {
      const overlapMs = Math.min(untilMs, pause.untilMs) - Math.max(fromMs, pause.fromMs);
      sumMs += Math.max(0, overlapMs);
    }
    return sumMs;
  }

  /** What waited runs now, in its order; an event loop looks at one kind before the other. */
  resume(process: Process, first: TaskKind): void {
    process.isPaused = false;
    for (const pause of this.#pauses) {
      if (pause.process === process && pause.untilMs > this.nowMs) pause.untilMs = this.nowMs;
    }
    process.resumedMs = this.nowMs;
    const waiting = process.waiting.splice(0);
    const isFirst = waiting.filter(({ kind }) => kind === first);
    const others = waiting.filter(({ kind }) => kind !== first);
    for (const { kind, run } of [...isFirst, ...others]) this.after(0, process, run, kind);
  }

  kill(process: Process): void {
    process.isAlive = false;
    process.waiting.length = 0;
  }

  /** Runs all that is due until `untilMs`; stops at the first failure. */
  run(untilMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs;) {
      this.#pop();
      this.nowMs = next.atMs;
      this.#runTask(next);
      if (this.failure !== null) return;
      next = this.#heap[0];
    }
    this.nowMs = untilMs;
  }

  #runTask({ process, kind, run }: Task): void {
    if (process !== null) {
      if (!process.isAlive) return;
      if (process.isPaused) {
        process.waiting.push({ kind, run });
        return;
      }
    }
    this.taskCount++;
    this.guard(run);
    drainMicrotasks();
  }

  #push(task: Task): void {
    const heap = this.#heap;
    let child = heap.length;
    heap.push(task);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!isBefore(task, heap[parent]!)) break;
      heap[child] = heap[parent]!;
      child = parent;
    }
    heap[child] = task;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[parent] = heap[child]!;
      parent = child;
    }
    heap[parent] = last;
  }
}

function isBefore(left: Task, right: Task): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}
