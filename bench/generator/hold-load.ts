// Holds against one server: closed loop (to find its capacity) or open loop (to see its latency).
//
//   L1  at most one request is under way on a connection
//   L2  in the open loop a request's latency counts from when it was meant to start, whether or not
//       a connection was free then: a server that stalls delays all that was due meanwhile
//   L3  every request that was sent is in `outcomes`, also those after the measured time

import { Histogram } from "../stats/histogram.ts";
import { type AnswerHandler, Connection } from "./connection.ts";
import { IdleConnections } from "./idle-connections.ts";
import { type Job, type JobResult, OUTCOME, type Outcome } from "./job.ts";
import { Requests } from "./requests.ts";
import { arrivalTimesUs } from "./schedule.ts";
import type { TokenMint } from "./tokens.ts";

/** After the last send, answers are waited for this long; a server's own deadline is 3 s. */
const DRAIN_MS = 4_000;

export const OUTCOME_OF_STATUS = new Uint8Array(600).fill(OUTCOME.wrong);
for (const status of [200, 201]) OUTCOME_OF_STATUS[status] = OUTCOME.accepted;
for (const status of [403, 409]) OUTCOME_OF_STATUS[status] = OUTCOME.refused;
for (const status of [429, 503]) OUTCOME_OF_STATUS[status] = OUTCOME.busy;

export class HoldLoad implements AnswerHandler {
  readonly #job: Job;
  readonly #requests: Requests;
  readonly #arrivalsUs: Float64Array | null;
  readonly #count: number;
  readonly #outcomes: Uint8Array;
  readonly #latency = new Histogram();
  readonly #lag = new Histogram();
  readonly #answers = Array.from({ length: 10 }, () => 0);
  readonly #done = Promise.withResolvers<void>();
  /** Closed loop: when each connection's request left, by connection. */
  #connections: Connection[] = [];
  #idle = new IdleConnections([]);
  #next = 0;
  #underWay = 0;
  #lost = 0;
  #startUs = 0;
  #endUs = Number.POSITIVE_INFINITY;
  #lastAnswerUs = 0;

  constructor(job: Job, mint: TokenMint) {
    this.#job = job;
    this.#arrivalsUs = job.pace.kind === "open" ? arrivalTimesUs(job.pace.schedule) : null;
    this.#count = Math.min(job.count, this.#arrivalsUs?.length ?? job.count);
    this.#outcomes = new Uint8Array(this.#count);
    mint.prepare(job.firstShopper + this.#count * job.shopperStep);
    const { sale, choice } = job;
    this.#requests = Requests.holds({ sale, choice, mint, count: this.#count });
  }

  async connect(): Promise<void> {
    const { ports, connections } = this.#job;
    const opening = Array.from({ length: connections }, (_, index) =>
      Connection.open(ports[index % ports.length] as number, this),
    );
    this.#connections = await Promise.all(opening);
    this.#idle = new IdleConnections(this.#connections);
  }

  async run(): Promise<JobResult> {
    const cpuBefore = process.cpuUsage();
    this.#startUs = nowUs();
    const { pace } = this.#job;
    if (pace.kind === "closed") this.#endUs = this.#startUs + pace.durationMs * 1_000;
    // Without answers nothing wakes us, so a timer looks at the schedule; while answers come they
    // do, which is finer.
    const ticks = setInterval(() => this.#pump(nowUs()), 1);
    this.#pump(this.#startUs);
    const limitMs = this.#sendingMs() + DRAIN_MS;
    const timer = setTimeout(() => this.#done.resolve(), limitMs);
    await this.#done.promise;
    clearTimeout(timer);
    clearInterval(ticks);
    const cpu = process.cpuUsage(cpuBefore);
    return this.#result(cpu.user + cpu.system);
  }

  /** Hot path. */
  answered(connection: Connection, status: number): void {
    const now = nowUs();
    const { index } = connection;
    connection.index = -1;
    this.#underWay -= 1;
    const outcome = OUTCOME_OF_STATUS[status] as Outcome;
    this.#outcomes[index] = outcome;
    if (now <= this.#endUs) {
      this.#answers[outcome] = (this.#answers[outcome] as number) + 1;
      const startedUs =
        this.#arrivalsUs === null ? connection.note : this.#startUs + this.#arrivalsUs[index]!;
      this.#latency.record(now - startedUs);
      this.#lastAnswerUs = now;
    }
    this.#idle.push(connection);
    this.#pump(now);
  }

  lost(connection: Connection): void {
    this.#lost += 1;
    if (connection.index === -1) return;
    this.#outcomes[connection.index] = OUTCOME.unanswered;
    connection.index = -1;
    this.#underWay -= 1;
    this.#pump(nowUs());
  }

  /** Hot path: sends all that is due and has a connection. */
  #pump(now: number): void {
    if (now >= this.#endUs) this.#next = this.#count;
    const sinceUs = now - this.#startUs;
    while (this.#next < this.#count) {
      const dueUs = this.#arrivalsUs === null ? sinceUs : (this.#arrivalsUs[this.#next] as number);
      if (dueUs > sinceUs) return;
      const connection = this.#idle.shift();
      if (connection === undefined) return;
      if (!connection.isOpen) continue;
      const index = this.#next;
      this.#next += 1;
      this.#underWay += 1;
      this.#outcomes[index] = OUTCOME.unanswered;
      connection.note = now;
      if (this.#arrivalsUs !== null) this.#lag.record(sinceUs - dueUs);
      const { firstShopper, shopperStep } = this.#job;
      connection.send(this.#requests.fill(firstShopper + index * shopperStep, index), index);
    }
    if (this.#underWay === 0) this.#done.resolve();
  }

  #sendingMs(): number {
    const { pace } = this.#job;
    return pace.kind === "closed" ? pace.durationMs : pace.schedule.durationMs;
  }

  #result(cpuUs: number): JobResult {
    for (const connection of this.#connections) connection.close();
    const untilUs = Math.min(this.#endUs, this.#lastAnswerUs);
    return {
      outcomes: this.#outcomes,
      latency: this.#latency.sparse(),
      lag: this.#lag.sparse(),
      answers: this.#answers,
      measuredMs: Math.max(1, (untilUs - this.#startUs) / 1_000),
      cpuUs,
      lostConnections: this.#lost,
    };
  }
}

function nowUs(): number {
  return Bun.nanoseconds() / 1_000;
}
