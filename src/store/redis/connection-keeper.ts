// Keeps one connection of a kind: after a doubt it opens the next, in the background.
//
//   K1  no call waits for a connection, but those made while the very first is being opened
//   K2  a connection that served for a while is replaced at once; after a failure there is a pause

import { Fault, faultOf } from "../../core/errors.ts";
import { type ConnectionOptions, RedisConnection } from "./redis-connection.ts";

export type Log = (
  level: "debug" | "info" | "warn" | "error",
  fields: Readonly<Record<string, unknown>>,
  message: string,
) => void;

export type KeeperOptions = ConnectionOptions & {
  /** For the log: what the connection is for. */
  readonly purpose: string;
  readonly log: Log;
};

/** Short against the 2 s in which selling resumes, long against one round trip. */
const RECONNECT_PAUSE_MS = 100;

export class ConnectionKeeper {
  readonly #options: KeeperOptions;
  readonly #stopped = Promise.withResolvers<void>();
  readonly #first = Promise.withResolvers<void>();
  readonly #ended: Promise<void>;
  #current: RedisConnection | null = null;
  #reason = "not connected yet";
  #isFirstOver = false;
  #isStopped = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#ended = this.#keep();
  }

  /** Throws Fault("store_unavailable") at once when there is no connection (K1). */
  get(): RedisConnection | Promise<RedisConnection> {
    if (this.#current !== null) return this.#current;
    if (!this.#isFirstOver) return this.#first.promise.then(() => this.#present());
    return this.#present();
  }

  async close(): Promise<void> {
    this.#isStopped = true;
    this.#reason = "the journal was closed";
    this.#stopped.resolve();
    this.#current?.distrust(this.#reason);
    this.#current = null;
    await this.#ended;
  }

  #present(): RedisConnection {
    if (this.#current !== null) return this.#current;
    throw new Fault("store_unavailable", this.#reason);
  }

  async #keep(): Promise<void> {
    while (!this.#isStopped) {
      const servedMs = await this.#serveOne();
      // A server that accepts, answers and closes again must not be hammered (K2).
      if (servedMs < RECONNECT_PAUSE_MS) await this.#pause();
    }
  }

  /** Opens a connection and stays with it until its doubt. Returns how long it served. */
  async #serveOne(): Promise<number> {
    const { purpose, log } = this.#options;
    try {
      const connection = await RedisConnection.open(this.#options);
      this.#endFirst(connection);
      if (this.#isStopped) {
        connection.distrust(this.#reason);
        return 0;
      }
      this.#reason = "connected";
      log("info", { purpose }, "connected to Redis");
      const fromMs = performance.now();
      const reason = await connection.doubted;
      this.#current = null;
      if (!this.#isStopped) this.#lose(reason);
      return performance.now() - fromMs;
    } catch (error) {
      this.#lose(faultOf(error, "store_unavailable", "Redis does not serve").message);
      this.#endFirst(null);
      return 0;
    }
  }

  #endFirst(connection: RedisConnection | null): void {
    if (!this.#isStopped) this.#current = connection;
    this.#isFirstOver = true;
    this.#first.resolve();
  }

  /** Says each reason once, not at every attempt. */
  #lose(reason: string): void {
    if (this.#isStopped || reason === this.#reason) return;
    this.#reason = reason;
    this.#options.log("warn", { purpose: this.#options.purpose, reason }, "lost Redis");
  }

  async #pause(): Promise<void> {
    if (this.#isStopped) return;
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, RECONNECT_PAUSE_MS);
    await Promise.race([over.promise, this.#stopped.promise]);
    clearTimeout(timer);
  }
}
