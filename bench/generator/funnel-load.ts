// Journeys of shoppers: hold → checkout → paid. Closed loop: a connection is a shopper after the
// other. Some decline their card, some leave without a checkout, some click twice: then the same
// checkout goes out a second time on another connection while the first is under way.

import { Histogram } from "../stats/histogram.ts";
import { type AnswerHandler, Connection } from "./connection.ts";
import { OUTCOME_OF_STATUS } from "./hold-load.ts";
import { type Job, type JobResult, OUTCOME, type Outcome } from "./job.ts";
import { Requests } from "./requests.ts";
import type { TokenMint } from "./tokens.ts";

/** Of 20 shoppers: one card is declined, two leave, two click twice. Fixed, so the audit knows. */
type Shopper = "buys" | "declined" | "leaves" | "clicks_twice";
function shopperKind(index: number): Shopper {
  const place = index % 20;
  if (place === 3) return "declined";
  if (place === 7 || place === 13) return "leaves";
  return place === 11 || place === 17 ? "clicks_twice" : "buys";
}

const STEP = { hold: 0, checkout: 1, secondClick: 2 } as const;
const DRAIN_MS = 9_000;

export class FunnelLoad implements AnswerHandler {
  readonly #job: Job;
  readonly #holds: Requests;
  readonly #checkouts: Requests;
  readonly #declined: Requests;
  readonly #outcomes: Uint8Array;
  readonly #startedUs: Float64Array;
  readonly #latency = new Histogram();
  readonly #answers = Array.from({ length: 10 }, () => 0);
  readonly #done = Promise.withResolvers<void>();
  /** Second clicks that wait for a free connection. */
  readonly #clicks: number[] = [];
  #connections: Connection[] = [];
  #next = 0;
  #underWay = 0;
  #lost = 0;
  #startUs = 0;
  #endUs = 0;

  constructor(job: Job, mint: TokenMint) {
    this.#job = job;
    mint.prepare(job.firstShopper + job.count * job.shopperStep);
    const { sale, choice, count } = job;
    const sku = choice.kind === "one" ? choice.sku : "";
    this.#holds = Requests.holds({ sale, choice, mint, count });
    this.#checkouts = Requests.checkouts({ sale, sku, card: "tok_ok", mint });
    this.#declined = Requests.checkouts({ sale, sku, card: "tok_declined", mint });
    this.#outcomes = new Uint8Array(count);
    this.#startedUs = new Float64Array(count);
  }

  async connect(): Promise<void> {
    const { ports, connections } = this.#job;
    const opening = Array.from({ length: connections }, (_, index) =>
      Connection.open(ports[index % ports.length] as number, this),
    );
    this.#connections = await Promise.all(opening);
  }

  async run(): Promise<JobResult> {
    const cpuBefore = process.cpuUsage();
    const { pace } = this.#job;
    const durationMs = pace.kind === "closed" ? pace.durationMs : pace.schedule.durationMs;
    this.#startUs = nowUs();
    this.#endUs = this.#startUs + durationMs * 1_000;
    for (const connection of this.#connections) this.#step(connection, this.#startUs);
    const timer = setTimeout(() => this.#done.resolve(), durationMs + DRAIN_MS);
    await this.#done.promise;
    clearTimeout(timer);
    const cpu = process.cpuUsage(cpuBefore);
    for (const connection of this.#connections) connection.close();
    return {
      outcomes: this.#outcomes,
      latency: this.#latency.sparse(),
      lag: [],
      answers: this.#answers,
      measuredMs: durationMs,
      cpuUs: cpu.user + cpu.system,
      lostConnections: this.#lost,
    };
  }

  answered(connection: Connection, status: number): void {
    const now = nowUs();
    const { index } = connection;
    connection.index = -1;
    this.#underWay -= 1;
    if (connection.note === STEP.hold) this.#held(connection, index, status, now);
    else {
      if (connection.note === STEP.checkout) this.#settle(index, checkoutOutcome(status), now);
      this.#step(connection, now);
    }
  }

  lost(connection: Connection): void {
    this.#lost += 1;
    if (connection.index !== -1) this.#underWay -= 1;
    connection.index = -1;
    if (this.#underWay === 0) this.#done.resolve();
  }

  #held(connection: Connection, index: number, status: number, now: number): void {
    const outcome = OUTCOME_OF_STATUS[status] as Outcome;
    const kind = shopperKind(index);
    if (outcome !== OUTCOME.accepted || kind === "leaves") {
      this.#settle(index, outcome === OUTCOME.accepted ? OUTCOME.abandoned : outcome, now);
      this.#step(connection, now);
      return;
    }
    if (kind === "clicks_twice") this.#clicks.push(index);
    this.#send(connection, index, STEP.checkout);
  }

  /** A connection is free: the next click, the next shopper, or nothing more. */
  #step(connection: Connection, now: number): void {
    const click = this.#clicks.pop();
    if (click !== undefined) this.#send(connection, click, STEP.secondClick);
    else if (now < this.#endUs && this.#next < this.#outcomes.length) {
      const index = this.#next;
      this.#next += 1;
      this.#startedUs[index] = now;
      this.#outcomes[index] = OUTCOME.unanswered;
      this.#send(connection, index, STEP.hold);
    } else if (this.#underWay === 0) this.#done.resolve();
  }

  #send(connection: Connection, index: number, step: number): void {
    connection.note = step;
    this.#underWay += 1;
    const { firstShopper, shopperStep } = this.#job;
    const shopper = firstShopper + index * shopperStep;
    const requests =
      step === STEP.hold
        ? this.#holds
        : shopperKind(index) === "declined"
          ? this.#declined
          : this.#checkouts;
    connection.send(requests.fill(shopper, index), index);
  }

  #settle(index: number, outcome: Outcome, now: number): void {
    this.#outcomes[index] = outcome;
    if (now > this.#endUs) return;
    this.#answers[outcome] = (this.#answers[outcome] as number) + 1;
    this.#latency.record(now - (this.#startedUs[index] as number));
  }
}

function checkoutOutcome(status: number): Outcome {
  if (status === 201) return OUTCOME.paid;
  if (status === 402) return OUTCOME.declined;
  if (status === 202) return OUTCOME.pending;
  return status === 429 || status === 503 ? OUTCOME.busy : OUTCOME.wrong;
}

function nowUs(): number {
  return Bun.nanoseconds() / 1_000;
}
