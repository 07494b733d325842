// HTTP counters: requests by route and status, and how long they took. Hot: an observation is a few
// typed-array additions; text is made at a scrape. Routes are patterns, so no SKU is ever a label.

import { assert } from "../core/assert.ts";

const STATUSES = [
  200, 201, 202, 204, 304, 400, 401, 402, 403, 404, 405, 409, 412, 413, 415, 422, 429, 503, 504,
] as const;
/** Upper bounds. A request's deadline is the last but one, a checkout's the last. */
const BUCKETS_MS = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 3_000, 8_000] as const;
const OTHER = STATUSES.length;

const INDEX_OF_STATUS = new Uint8Array(600).fill(OTHER);
STATUSES.forEach((status, index) => {
  INDEX_OF_STATUS[status] = index;
});

export type RouteName = { readonly method: string; readonly path: string };

export class HttpMetrics {
  readonly #routes: RouteName[] = [];
  #counts = new Float64Array(0);
  #buckets = new Float64Array(0);
  #sumsMs = new Float64Array(0);

  /** Returns: the number to observe the route by. */
  register(route: RouteName): number {
    this.#routes.push(route);
    const size = this.#routes.length;
    this.#counts = grown(this.#counts, size * (STATUSES.length + 1));
    this.#buckets = grown(this.#buckets, size * (BUCKETS_MS.length + 1));
    this.#sumsMs = grown(this.#sumsMs, size);
    return size - 1;
  }

  /** Hot path. */
  observe(route: number, status: number, durationMs: number): void {
    const count = route * (STATUSES.length + 1) + (INDEX_OF_STATUS[status] ?? OTHER);
    let bucket = 0;
    while (bucket < BUCKETS_MS.length && durationMs > (BUCKETS_MS[bucket] as number)) bucket += 1;
    bucket += route * (BUCKETS_MS.length + 1);
    this.#counts[count] = (this.#counts[count] as number) + 1;
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1;
    this.#sumsMs[route] = (this.#sumsMs[route] as number) + durationMs;
  }

  /** Prometheus text (0.0.4). */
  render(): string {
    const lines = [
      "# HELP doorbuster_http_requests_total Answers by route and status.",
      "# TYPE doorbuster_http_requests_total counter",
    ];
    this.#routes.forEach((route, index) => {
      for (let status = 0; status <= OTHER; status += 1) {
        const count = this.#counts[index * (STATUSES.length + 1) + status] as number;
        const label = status === OTHER ? "other" : String(STATUSES[status]);
        if (count === 0) continue;
        lines.push(`doorbuster_http_requests_total{${labelsOf(route)},status="${label}"} ${count}`);
      }
    });
    lines.push(
      "# HELP doorbuster_http_request_duration_seconds Time from the head read to the answer made.",
      "# TYPE doorbuster_http_request_duration_seconds histogram",
    );
    this.#routes.forEach((_, index) => this.#renderDurations(index, lines));
    return `${lines.join("\n")}\n`;
  }

  #renderDurations(index: number, lines: string[]): void {
    const name = "doorbuster_http_request_duration_seconds";
    const route = this.#routes[index];
    assert(route !== undefined, "a registered route");
    let total = 0;
    const buckets: string[] = [];
    for (let bucket = 0; bucket <= BUCKETS_MS.length; bucket += 1) {
      total += this.#buckets[index * (BUCKETS_MS.length + 1) + bucket] as number;
      const bound = BUCKETS_MS[bucket];
      const limit = bound === undefined ? "+Inf" : String(bound / 1_000);
      buckets.push(`${name}_bucket{${labelsOf(route)},le="${limit}"} ${total}`);
    }
    if (total === 0) return;
    lines.push(...buckets);
    lines.push(`${name}_sum{${labelsOf(route)}} ${(this.#sumsMs[index] as number) / 1_000}`);
    lines.push(`${name}_count{${labelsOf(route)}} ${total}`);
  }
}

function grown(values: Float64Array<ArrayBuffer>, size: number): Float64Array<ArrayBuffer> {
  const copy = new Float64Array(size);
  copy.set(values);
  return copy;
}

function labelsOf({ method, path }: RouteName): string {
  return `method="${method}",route="${path}"`;
}
