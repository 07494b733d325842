// A TCP proxy that does what networks do: cuts a reply, says nothing, comes late.
//
// A reply is what the server sends in one go: one chunk. With one request under way that is its
// answer (or the first part of a large one); counting begins when `cutReply` is called.

import { connect, createServer, type Server, type Socket } from "node:net";

export type CutProxy = {
  readonly port: number;
  readonly host: string;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Replies passed or cut so far. */
  readonly replies: number;
  /** How long each chunk takes, in each direction. */
  latencyMs: number;
  /** Ends every new connection as soon as it is there. */
  acceptThenClose: boolean;
  /**
   * Swallows the nth reply from now on (1 = the next; its first `bytesPassed` bytes get through) and
   * cuts its connection. Resolves when it is done.
   */
  cutReply(nth: number, bytesPassed?: number): Promise<void>;
  /** Forgets a cut that has not happened. */
  cutNothing(): void;
  /** Cuts all connections now. */
  cutAll(): void;
  /** Connections stay and nothing passes, as behind a dead router; resume passes what waited. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
};

export type ProxyTarget = { readonly port: number; readonly host?: string };

type Link = {
  readonly client: Socket;
  readonly server: Socket;
  readonly waiting: (() => void)[];
};

export async function startProxy(target: ProxyTarget): Promise<CutProxy> {
  const proxy = new Proxy(target);
  await proxy.listen();
  return proxy;
}

class Proxy implements CutProxy {
  readonly host = "127.0.0.1";
  latencyMs = 0;
  acceptThenClose = false;
  accepted = 0;
  replies = 0;
  readonly #target: ProxyTarget;
  readonly #listener: Server;
  readonly #links = new Set<Link>();
  #cut: { left: number; bytesPassed: number; done: () => void } | null = null;
  #isPaused = false;

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
    if (nth < 1) throw new Error("replies count from 1");
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#cut = { left: nth, bytesPassed, done: resolve };
    return promise;
  }

  cutNothing(): void {
    this.#cut = null;
  }

  cutAll(): void {
    for (const link of this.#links) this.#end(link);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    for (const link of this.#links) for (const pass of link.waiting.splice(0)) pass();
  }

  async close(): Promise<void> {
    this.cutAll();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#listener.close(() => resolve());
    await promise;
  }

  #accept(client: Socket): void {
    this.accepted += 1;
    client.on("error", () => client.destroy());
    if (this.acceptThenClose) {
      client.destroy();
      return;
    }
    const server = connect({ port: this.#target.port, host: this.#target.host ?? this.host });
    const link: Link = { client, server, waiting: [] };
    this.#links.add(link);
    server.on("error", () => this.#end(link));
    server.on("data", (bytes: Buffer) => this.#answer(link, bytes));
    client.on("data", (bytes: Buffer) => this.#pass(link, () => void server.write(bytes)));
    server.on("close", () => this.#pass(link, () => this.#end(link)));
    client.on("close", () => this.#end(link));
  }

  #answer(link: Link, bytes: Buffer): void {
    this.replies += 1;
    const cut = this.#cut;
    if (cut === null || --cut.left > 0) {
      this.#pass(link, () => void link.client.write(bytes));
      return;
    }
    this.#cut = null;
    const end = (): void => {
      this.#end(link);
      cut.done();
    };
    if (cut.bytesPassed === 0) return end();
    link.client.write(bytes.subarray(0, cut.bytesPassed), end);
  }

  /** In order: what comes while another chunk waits, waits behind it. */
  #pass(link: Link, action: () => void): void {
    if (this.#isPaused) link.waiting.push(action);
    else if (this.latencyMs > 0) setTimeout(action, this.latencyMs);
    else action();
  }

  #end(link: Link): void {
    this.#links.delete(link);
    link.waiting.length = 0;
    link.client.destroy();
    link.server.destroy();
  }
}
