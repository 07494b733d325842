// Every request that a test's shoppers made, and what they heard.

import type { Answer } from "./raw-client.ts";

export type Call = {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  /** Idempotency-Key */
  readonly key?: string;
};

export type Entry = {
  readonly shopper: string;
  readonly call: Call;
  /** Monotonic, see `monotonicMs`. */
  readonly startedMs: number;
  readonly endedMs: number;
  readonly tookMs: number;
  /** Of the node that was asked, where there are several. */
  readonly port?: number;
  /** Null: cut or silent. Null and 5xx are of unknown outcome. */
  readonly answer: Answer | null;
};

/** One line of a history file: an entry without what no check looks at. */
export type HistoryLine = Call & {
  readonly shopper: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly port: number | null;
  readonly status: number | null;
  readonly answer: string;
};

/** Grows with this process' monotonic clock, from what the wall clock said at its start. */
export function monotonicMs(): number {
  return performance.timeOrigin + performance.now();
}

export class History {
  readonly entries: Entry[] = [];

  add(entry: Entry): void {
    this.entries.push(entry);
  }

  lines(): readonly HistoryLine[] {
    return this.entries.map(({ shopper, call, startedMs, endedMs, port, answer }) => ({
      shopper,
      ...call,
      startedMs,
      endedMs,
      port: port ?? null,
      status: answer?.status ?? null,
      answer: answer?.body ?? "",
    }));
  }

  /** JSON lines, in the order of the answers; each says when it was sent. */
  async write(path: string): Promise<void> {
    await Bun.write(
      path,
      this.lines()
        .map((line) => `${JSON.stringify(line)}\n`)
        .join(""),
    );
  }

  /** Calls by what they were answered, for messages: `{"PUT 201": 5, "PUT cut": 1}`. */
  summary(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { call, answer } of this.entries) {
      const place = call.path.startsWith("/v1/checkout") ? "checkout" : call.method;
      const end = answer === null ? "cut" : `${answer.status}${codeOf(answer)}`;
      counts[`${place} ${end}`] = (counts[`${place} ${end}`] ?? 0) + 1;
    }
    return counts;
  }

  /** The longest that a request took, checkouts apart: they have a deadline of their own. */
  slowestMs(kind: "checkout" | "other"): number {
    let slowestMs = 0;
    for (const { call, tookMs } of this.entries) {
      const isCheckout = call.path === "/v1/checkout";
      if (isCheckout === (kind === "checkout")) slowestMs = Math.max(slowestMs, tookMs);
    }
    return slowestMs;
  }
}

/** Says for sure what happened: 2xx, or 4xx. */
export function isDefinite(answer: Answer | null): boolean {
  return answer !== null && answer.status < 500;
}

export function codeOf(answer: Answer): string {
  if (answer.status < 400) return "";
  const code = /"code":"([a-z_]+)"/.exec(answer.body)?.[1];
  return code === undefined ? "" : ` ${code}`;
}

export async function readHistory(path: string): Promise<readonly HistoryLine[]> {
  const lines = (await Bun.file(path).text()).split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as HistoryLine);
}
