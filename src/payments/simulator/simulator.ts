// The payment simulator: a bank for development and tests, with a durable book of its own and the
// bad manners of real ones. It runs as a program (main.ts) or inside the embedded engine.

import { setTimeout as sleep } from "node:timers/promises";

import { assert } from "../../core/assert.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { isWebhookSecret } from "../webhook.ts";
import { Book } from "./book.ts";
import { Courier } from "./courier.ts";
import { Desk } from "./desk.ts";
import { createRoutes, problem } from "./routes.ts";

/** Durations that a test may shorten. */
export type SimulatorDelays = {
  /** `tok_slow` answers after this. */
  readonly slowMs: number;
  /** `tok_timeout_then_ok` answers 504 after this, if the client is still there. */
  readonly hangMs: number;
  /** `tok_late_ok` pays this long after the pay window. */
  readonly lateMs: number;
  /** An event that was not taken comes again after this, then after twice as long, … */
  readonly retryMs: number;
  readonly retryMsMax: number;
  readonly deliveryDeadlineMs: number;
  /** How often the wall clock is looked at while something waits for it. */
  readonly pollMs: number;
};

export const SIMULATOR_DELAYS: SimulatorDelays = {
  slowMs: 3_000,
  hangMs: 30_000,
  lateMs: 5_000,
  retryMs: 500,
  retryMsMax: 30_000,
  deliveryDeadlineMs: 3_000,
  pollMs: 250,
};

export type SimulatorOptions = {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  /** Where its book is; made when it is not there. */
  readonly dataDir: string;
  /** `whsec_…`; without it no events are written. */
  readonly webhookSecret?: string;
  /** Where events go; may be told later with `deliverTo`. */
  readonly webhookUrl?: string;
  /** Hears why a request was answered 500: the book's disk, mostly. */
  readonly onError?: (cause: Error) => void;
  readonly clock?: Clock;
  readonly delays?: Partial<SimulatorDelays>;
};

export type Simulator = {
  /** Without a slash at the end: what PAYMENT_URL takes. */
  readonly url: string;
  /** Events go there from now on, those that wait in the book too. */
  deliverTo(webhookUrl: string): void;
  /** Answers what it has taken on, cuts off what hangs, closes the book. */
  stop(): Promise<void>;
};

const WALL_CLOCK: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

/** Throws  when the port is taken, or another process has the book open. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { webhookSecret, webhookUrl, clock = WALL_CLOCK } = options;
  assert(webhookSecret === undefined || isWebhookSecret(webhookSecret), "a checked secret");
  assert(webhookUrl === undefined || webhookSecret !== undefined, "events are signed");
  const delays = { ...SIMULATOR_DELAYS, ...options.delays };
  const book = new Book({ dataDir: options.dataDir, hasEvents: webhookSecret !== undefined });
  const courier =
    webhookSecret === undefined
      ? null
      : new Courier({
          book,
          clock,
          secret: webhookSecret,
          deadlineMs: delays.deliveryDeadlineMs,
          retryMs: delays.retryMs,
          retryMsMax: delays.retryMsMax,
          pollMs: delays.pollMs,
        });
  const { lateMs, pollMs } = delays;
  const desk = new Desk({ book, clock, lateMs, pollMs, onEvents: () => courier?.poke() });
  const pauses = new AbortController();
  const pause = (ms: number, request: Request): Promise<void> =>
    pauseUntil(ms, AbortSignal.any([pauses.signal, request.signal]));
  const server = await listen({ options, desk, book, delays, pause });
  if (webhookUrl !== undefined) courier?.deliverTo(webhookUrl);

  return {
    url: server.url.origin,
    deliverTo(url) {
      assert(courier !== null, "events are signed: a secret is needed to deliver them");
      courier.deliverTo(url);
    },
    async stop() {
      desk.close();
      pauses.abort();
      await courier?.stop();
      // What was answered above leaves in this turn; a socket that still hangs is cut.
      await new Promise((resolve) => setImmediate(resolve));
      await server.stop(true);
      book.close();
    },
  };
}

async function listen(parts: {
  options: SimulatorOptions;
  desk: Desk;
  book: Book;
  delays: SimulatorDelays;
  pause: (ms: number, request: Request) => Promise<void>;
}): Promise<Bun.Server<undefined>> {
  const { options, desk, book, delays, pause } = parts;
  try {
    return Bun.serve({
      hostname: options.host ?? "127.0.0.1",
      port: options.port ?? 0,
      development: false,
      maxRequestBodySize: 64 * 1_024,
      // Longer than any client keeps an idle connection: it closes first, and no request is lost.
      idleTimeout: 255,
      routes: createRoutes({ book, desk, pause, slowMs: delays.slowMs, hangMs: delays.hangMs }),
      fetch: () => problem(404, "not_found", "no such resource"),
      error(cause) {
        options.onError?.(cause);
        return problem(500, "unknown", "repeating the request gives the definite answer");
      },
    });
  } catch (cause) {
    desk.close();
    book.close();
    throw cause;
  }
}

async function pauseUntil(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (cause) {
    if (!signal.aborted) throw cause;
  }
}
