// A TCP proxy that does what networks do: cuts, says nothing, comes late, loses a reply.
//
// A reply is what the server sends in one go: one chunk. With one request under way that is its
// answer (or the first part of a large one); counting begins when a fault is armed.

import { connect, createServer, type Server, type Socket } from "node:net";

type Direction = "to_server" | "to_client";

export type FaultProxy = {
  readonly port: number;
  readonly host: string;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Replies passed or lost so far. */
  readonly replies: number;
  /** Replies that `cutReply`, `cutReplyWith` and `dropReply` have lost. */
  readonly cutCount: number;
  /** How long each chunk takes, in each direction, and how much longer at most, at random. */
  latencyMs: number;
  jitterMs: number;
  /** Ends every new connection as soon as it is there. */
  acceptThenClose: boolean;
  /**
   * Swallows the nth reply from now on (1 = the next; its first `bytesPassed` bytes get through) and
   * cuts its connection. Resolves when it is done.
   */
  cutReply(nth: number, bytesPassed?: number): Promise<void>;
  /** Cuts the connection instead of handing over the next reply that contains the text. */
  cutReplyWith(text: string): void;
  /** Swallows the nth reply from now on; the connection stays. */
  dropReply(nth: number): Promise<void>;
  /** Each connection, old or new, is reset once so many more bytes went that way. */
  resetAfter(bytes: number, direction: Direction): void;
  /** Forgets faults that are armed and have not happened. */
  cutNothing(): void;
  /** Cuts all connections now. */
  cutAll(): void;
  /** Cut off: connections end, new ones are closed at once; until `heal`. */
  cut(): void;
  /** Half-open: the server's ends are gone, the clients' stay open and nobody answers; new too. */
  halfOpen(): void;
  /** Connections stay and nothing passes, as behind a dead router; resume passes what waited. */
  pause(): void;
  resume(): void;
  /** No fault any more. Connections that a fault has broken are cut. */
  heal(): void;
  close(): Promise<void>;
};

export type ProxyTarget = { readonly port: number; readonly host?: string };

type Link = {
  readonly client: Socket;
  /** Null: half-open. */
  server: Socket | null;
  /** What has to pass, in order, each from its time on. */
  readonly waiting: { readonly dueMs: number; readonly action: () => void }[];
  readonly leftBytes: Record<Direction, number>;
};

/** A fault that is to happen to one reply. */
type Armed = {
  readonly matches: (bytes: Buffer) => boolean;
  readonly bytesPassed: number;
  readonly keepsConnection: boolean;
  readonly done: () => void;
};

export async function startProxy(target: ProxyTarget): Promise<FaultProxy> {
  const proxy = new Proxy(target);
  await proxy.listen();
  return proxy;
}

class Proxy implements FaultProxy {
  readonly host = "127.0.0.1";
  latencyMs = 0;
  jitterMs = 0;
  acceptThenClose = false;
  accepted = 0;
  replies = 0;
  cutCount = 0;
  readonly #target: ProxyTarget;
  readonly #listener: Server;
  readonly #links = new Set<Link>();
  readonly #resetBytes: Record<Direction, number> = unlimited();
  #armed: Armed | null = null;
  #isPaused = false;
  #isHalfOpen = false;

  constructor(target: ProxyTarget) {
    this.#target = target;
    this.#listener = createServer((client) => this.#accept(client));
  }

  get port(): number {
    const address = this.#listener.address();
    if (address === null || typeof address === "string") throw new Error("the proxy is closed");
    return address.port;
  }

  async listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#listener.once("error", reject);
    this.#listener.listen(0, this.host, resolve);
    await promise;
  }

  cutReply(nth: number, bytesPassed = 0): Promise<void> {
    return this.#arm({ matches: countdown(nth), bytesPassed, keepsConnection: false });
  }

  cutReplyWith(text: string): void {
    const matches = (bytes: Buffer): boolean => bytes.includes(text);
    void this.#arm({ matches, bytesPassed: 0, keepsConnection: false });
  }

  dropReply(nth: number): Promise<void> {
    return this.#arm({ matches: countdown(nth), bytesPassed: 0, keepsConnection: true });
  }

  resetAfter(bytes: number, direction: Direction): void {
    this.#resetBytes[direction] = bytes;
    for (const link of this.#links) link.leftBytes[direction] = bytes;
  }

  cutNothing(): void {
    this.#armed = null;
    Object.assign(this.#resetBytes, unlimited());
    for (const link of this.#links) Object.assign(link.leftBytes, unlimited());
  }

  cutAll(): void {
    for (const link of this.#links) this.#end(link);
  }

  cut(): void {
    this.acceptThenClose = true;
    this.cutAll();
  }

  halfOpen(): void {
    this.#isHalfOpen = true;
    for (const link of this.#links) {
      const { server } = link;
      link.server = null;
      server?.destroy();
    }
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    for (const link of this.#links) this.#passDue(link);
  }

  heal(): void {
    this.cutNothing();
    this.latencyMs = 0;
    this.jitterMs = 0;
    this.acceptThenClose = false;
    this.#isHalfOpen = false;
    for (const link of this.#links) if (link.server === null) this.#end(link);
    this.resume();
  }

  async close(): Promise<void> {
    this.cutAll();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#listener.close(() => resolve());
    await promise;
  }

  #arm(fault: Omit<Armed, "done">): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#armed = { ...fault, done: resolve };
    return promise;
  }

  #accept(client: Socket): void {
    this.accepted += 1;
    client.on("error", () => client.destroy());
    if (this.acceptThenClose) {
      client.destroy();
      return;
    }
    const server = this.#isHalfOpen
      ? null
      : connect({ port: this.#target.port, host: this.#target.host ?? this.host });
    const link: Link = { client, server, waiting: [], leftBytes: { ...this.#resetBytes } };
    this.#links.add(link);
    client.on("data", (bytes: Buffer) => this.#forward(link, "to_server", bytes));
    client.on("close", () => this.#end(link));
    server?.on("error", () => this.#serverGone(link));
    server?.on("data", (bytes: Buffer) => this.#answer(link, bytes));
    server?.on("close", () => this.#pass(link, () => this.#serverGone(link)));
  }

  #serverGone(link: Link): void {
    if (link.server !== null) this.#end(link);
  }

  #answer(link: Link, bytes: Buffer): void {
    this.replies += 1;
    const armed = this.#armed;
    if (armed === null || !armed.matches(bytes)) {
      this.#forward(link, "to_client", bytes);
      return;
    }
    this.#armed = null;
    this.cutCount += 1;
    const end = (): void => {
      if (!armed.keepsConnection) this.#end(link);
      armed.done();
    };
    if (armed.bytesPassed === 0) return end();
    link.client.write(bytes.subarray(0, armed.bytesPassed), end);
  }

  #forward(link: Link, direction: Direction, bytes: Buffer): void {
    this.#pass(link, () => {
      const socket = direction === "to_server" ? link.server : link.client;
      const leftBytes = link.leftBytes[direction];
      link.leftBytes[direction] -= bytes.length;
      if (bytes.length <= leftBytes) socket?.write(bytes);
      else if (leftBytes === 0 || socket === null) this.#end(link);
      else socket.write(bytes.subarray(0, leftBytes), () => this.#end(link));
    });
  }

  /** In order: what comes while another chunk waits, waits behind it. */
  #pass(link: Link, action: () => void): void {
    const delayMs = this.latencyMs + Math.random() * this.jitterMs;
    if (delayMs === 0 && link.waiting.length === 0 && !this.#isPaused) return action();
    link.waiting.push({ dueMs: performance.now() + delayMs, action });
    if (delayMs > 0) setTimeout(() => this.#passDue(link), Math.ceil(delayMs));
    else this.#passDue(link);
  }

  #passDue(link: Link): void {
    const nowMs = performance.now();
    while (!this.#isPaused) {
      const [next] = link.waiting;
      if (next === undefined) return;
      // Timers may be early; and who waits behind a later one goes with it.
      if (next.dueMs > nowMs + 1) {
        setTimeout(() => this.#passDue(link), Math.ceil(next.dueMs - nowMs));
        return;
      }
      link.waiting.shift();
      next.action();
    }
  }

  #end(link: Link): void {
    this.#links.delete(link);
    link.waiting.length = 0;
    link.client.destroy();
    link.server?.destroy();
  }
}

function unlimited(): Record<Direction, number> {
  return { to_server: Number.POSITIVE_INFINITY, to_client: Number.POSITIVE_INFINITY };
}

/** True at the nth call, once. */
function countdown(nth: number): () => boolean {
  if (nth < 1) throw new Error("replies count from 1");
  let left = nth;
  return () => --left === 0;
}
