// HTTP/1.1 over sockets of our own, for tests that count on knowing what happened to each request.
//
// Unlike `fetch` it never sends a request a second time by itself, has no bound on connections but
// its own, and measures a request from the moment its bytes leave.

import type { Socket } from "bun";

export type Answer = {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
};

export type RawRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Who asks gives up then; SILENCE_MS_MAX unless given. */
  readonly patienceMs?: number;
};

/** `answer` null: cut, refused or silent; whether the server acted on it is unknown. */
export type Reply = {
  readonly answer: Answer | null;
  readonly tookMs: number;
  /** Of the server that was asked. */
  readonly port: number;
};

export type HttpClient = { request(request: RawRequest): Promise<Reply> };

type Pending = {
  readonly resolve: (reply: Omit<Reply, "port">) => void;
  readonly sentAtMs: number;
  readonly timer: Timer;
};

type Line = {
  socket: Socket<Line> | null;
  pending: Pending | null;
  received: Buffer;
};

/** Longer than any deadline of the engine's: who runs into it hangs. */
const SILENCE_MS_MAX = 15_000;

export class RawClient implements HttpClient {
  readonly #port: number;
  readonly #connectionsMax: number;
  readonly #idle: Line[] = [];
  readonly #all = new Set<Line>();
  readonly #waiting: (() => void)[] = [];

  constructor(options: { readonly port: number; readonly connectionsMax?: number }) {
    this.#port = options.port;
    this.#connectionsMax = options.connectionsMax ?? 512;
  }

  async request(request: RawRequest): Promise<Reply> {
    while (this.#idle.length === 0 && this.#all.size >= this.#connectionsMax) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    const line = this.#idle.pop() ?? (await this.#open());
    if (line === null) return { answer: null, tookMs: 0, port: this.#port };
    const reply = await new Promise<Omit<Reply, "port">>((resolve) => {
      const sentAtMs = performance.now();
      const timer = setTimeout(() => this.#cut(line), request.patienceMs ?? SILENCE_MS_MAX);
      line.pending = { resolve, sentAtMs, timer };
      const bytes = Buffer.from(textOf(request));
      const written = line.socket?.write(bytes) ?? -1;
      // Requests are small; one that does not fit into a socket's buffer is not for this client.
      if (written !== bytes.length) this.#cut(line);
    });
    return { ...reply, port: this.#port };
  }

  close(): void {
    for (const line of this.#all) this.#cut(line);
  }

  async #open(): Promise<Line | null> {
    const line: Line = { socket: null, pending: null, received: Buffer.alloc(0) };
    this.#all.add(line);
    try {
      line.socket = await Bun.connect<Line>({
        hostname: "127.0.0.1",
        port: this.#port,
        data: line,
        socket: {
          data: (_, bytes) => this.#onData(line, bytes),
          close: () => this.#cut(line),
          error: () => this.#cut(line),
        },
      });
      return line;
    } catch {
      this.#forget(line);
      return null;
    }
  }

  #onData(line: Line, bytes: Buffer): void {
    line.received = line.received.length === 0 ? Buffer.from(bytes) : joined(line.received, bytes);
    const parsed = answerIn(line.received);
    if (parsed === null) return;
    line.received = line.received.subarray(parsed.byteCount);
    const { pending } = line;
    line.pending = null;
    if (parsed.answer.headers.get("connection") === "close") this.#cut(line);
    else this.#rest(line);
    settle(pending, parsed.answer);
  }

  #rest(line: Line): void {
    this.#idle.push(line);
    this.#waiting.shift()?.();
  }

  #cut(line: Line): void {
    const { pending } = line;
    line.pending = null;
    line.socket?.end();
    this.#forget(line);
    settle(pending, null);
  }

  #forget(line: Line): void {
    this.#all.delete(line);
    const place = this.#idle.indexOf(line);
    if (place >= 0) this.#idle.splice(place, 1);
    this.#waiting.shift()?.();
  }
}

function settle(pending: Pending | null, answer: Answer | null): void {
  if (pending === null) return;
  clearTimeout(pending.timer);
  pending.resolve({ answer, tookMs: performance.now() - pending.sentAtMs });
}

function textOf({ method, path, headers = {}, body }: RawRequest): string {
  const lines = [`${method} ${path} HTTP/1.1`, "host: 127.0.0.1"];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body !== undefined) lines.push(`content-length: ${Buffer.byteLength(body)}`);
  return `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
}

function joined(left: Buffer, right: Buffer): Buffer {
  return Buffer.concat([left, right]);
}

/** The first whole answer, or null while it is not there yet. */
function answerIn(bytes: Buffer): { answer: Answer; byteCount: number } | null {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const [first = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  if (headers.has("transfer-encoding")) throw new Error("a chunked answer: use fetch for it");
  const bodyStart = headEnd + 4;
  const byteCount = bodyStart + Number(headers.get("content-length") ?? 0);
  if (bytes.length < byteCount) return null;
  const status = Number(first.split(" ")[1]);
  return {
    answer: { status, headers, body: bytes.toString("utf8", bodyStart, byteCount) },
    byteCount,
  };
}
