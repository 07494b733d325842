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
  readonly endedAtMs: number;
  readonly tookMs: number;
  /** Null: cut or silent. Null and 5xx are of unknown outcome. */
  readonly answer: Answer | null;
};

export class History {
  readonly entries: Entry[] = [];

  add(entry: Entry): void {
    this.entries.push(entry);
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
