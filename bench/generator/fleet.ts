// The generator's processes, as one: jobs are dealt to them, results merged.

import { join } from "node:path";

import { forget, remember } from "../../test/support/cleanup.ts";
import { Histogram } from "../stats/histogram.ts";
import type { FromWorker, Job, JobResult, ToWorker } from "./job.ts";

export type LoadResult = {
  /** By request; see `OUTCOME`. */
  readonly outcomes: Uint8Array;
  readonly latency: Histogram;
  readonly lag: Histogram;
  /** Within the measured time, by outcome. */
  readonly answers: readonly number[];
  readonly measuredMs: number;
  readonly cpuUs: number;
  readonly lostConnections: number;
};

/** What the measuring side does exactly before and after the load. */
export type Around = { before(): Promise<void>; after(): Promise<void> };

class Worker {
  readonly #child: Bun.Subprocess;
  #waiting: { resolve(answer: FromWorker): void; reject(cause: Error): void } | null = null;

  constructor() {
    this.#child = Bun.spawn([process.execPath, join(import.meta.dir, "worker.ts")], {
      env: { PATH: process.env["PATH"] ?? "" },
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
      serialization: "advanced",
      ipc: (message: FromWorker) => {
        if (message.kind === "failed") this.#waiting?.reject(new Error(message.message));
        else this.#waiting?.resolve(message);
      },
      onExit: (_, code) => this.#waiting?.reject(new Error(`generator ended with ${code}`)),
    });
    remember(this, () => this.#child.kill("SIGKILL"));
  }

  get pid(): number {
    return this.#child.pid;
  }

  ask(message: ToWorker): Promise<FromWorker> {
    const { promise, resolve, reject } = Promise.withResolvers<FromWorker>();
    this.#waiting = { resolve, reject };
    this.#child.send(message);
    return promise;
  }

  async stop(): Promise<void> {
    this.#waiting = null;
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    forget(this);
  }
}

export class Fleet {
  readonly #workers: readonly Worker[];

  private constructor(workers: readonly Worker[]) {
    this.#workers = workers;
  }

  static async start(of: { size: number; secret: string; shoppers: number }): Promise<Fleet> {
    const workers = Array.from({ length: of.size }, () => new Worker());
    const nowS = Math.floor(Date.now() / 1_000);
    const mint = { kind: "mint", secret: of.secret, nowS, capacity: of.shoppers } as const;
    await Promise.all(workers.map((worker) => worker.ask(mint)));
    return new Fleet(workers);
  }

  /** Some of the processes; they end with this fleet. */
  first(size: number): Fleet {
    return new Fleet(this.#workers.slice(0, size));
  }

  get pids(): readonly number[] {
    return this.#workers.map((worker) => worker.pid);
  }

  /** Runs one job on all processes. The i-th request is the same whatever their number. */
  async run(job: Job, around?: Around): Promise<LoadResult> {
    const jobs = dealt(job, this.#workers.length);
    const each = (message: (index: number) => ToWorker): Promise<FromWorker[]> =>
      Promise.all(this.#workers.map((worker, index) => worker.ask(message(index))));
    await each((index) => ({ kind: "prepare", job: jobs[index] as Job }));
    await around?.before();
    const answers = await each(() => ({ kind: "go" }));
    await around?.after();
    return merged(answers.flatMap((answer) => (answer.kind === "result" ? [answer.result] : [])));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }
}

function dealt(job: Job, workers: number): readonly Job[] {
  return Array.from({ length: workers }, (_, index): Job => {
    const { pace, choice } = job;
    return {
      ...job,
      firstShopper: job.firstShopper + index * job.shopperStep,
      shopperStep: job.shopperStep * workers,
      count: Math.floor(job.count / workers),
      connections: Math.max(1, Math.floor(job.connections / workers)),
      choice: choice.kind === "one" ? choice : { ...choice, seed: choice.seed + index },
      pace:
        pace.kind === "closed"
          ? pace
          : {
              ...pace,
              schedule: {
                ...pace.schedule,
                ratePerSecond: pace.schedule.ratePerSecond / workers,
                seed: pace.schedule.seed + index,
              },
            },
    };
  });
}

function merged(results: readonly JobResult[]): LoadResult {
  const size = Math.max(...results.map(({ outcomes }) => outcomes.length));
  const outcomes = new Uint8Array(size * results.length);
  results.forEach((result, worker) => {
    result.outcomes.forEach((outcome, index) => {
      outcomes[index * results.length + worker] = outcome;
    });
  });
  return {
    outcomes,
    latency: Histogram.of(...results.map(({ latency }) => latency)),
    lag: Histogram.of(...results.map(({ lag }) => lag)),
    answers: (results[0]?.answers ?? []).map((_, outcome) =>
      results.reduce((sum, result) => sum + (result.answers[outcome] as number), 0),
    ),
    measuredMs: Math.max(...results.map(({ measuredMs }) => measuredMs)),
    cpuUs: results.reduce((sum, { cpuUs }) => sum + cpuUs, 0),
    lostConnections: results.reduce((sum, { lostConnections }) => sum + lostConnections, 0),
  };
}
