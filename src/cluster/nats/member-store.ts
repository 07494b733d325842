// The member list in JetStream: one key of a key-value bucket named by the cluster, so that two
// clusters on one NATS never meet. Only what nats-server 2.9 knows.
//
// JetStream syncs its disk every two minutes (c-24): the list may go back after a power loss. Then
// its views are behind those of members and fences, and the next change is above them all.

import { type KV, KvWatchInclude, type NatsConnection, NatsError, StorageType } from "nats";

import { Fault } from "../../core/errors.ts";
import type { Logger } from "../../core/ports/logger.ts";
import type { MemberList, MemberStore } from "../../core/ports/members.ts";
import { encodeMemberList, parseMemberList } from "../member-list.ts";

const KEY = "members";
const CALL_MS = 2_000;
/** The client waits for ever when a connection goes while it opens a bucket. */
const CALL_MS_MAX = CALL_MS + 500;
/** JetStream's answer to a compare-and-set that lost. */
const WRONG_LAST_SEQUENCE = 10_071;
const NO_SUCH_STREAM = 10_059;
/** A cluster of servers keeps three copies; fewer servers than that keep one. */
const REPLICAS_OF_MANY = 3;
/** Tries to make a bucket of three copies before one has to do. */
const PATIENT_OPENS = 20;
const WATCH_AGAIN_MS = 1_000;

export class NatsMemberStore implements MemberStore {
  readonly #connection: NatsConnection;
  readonly #bucket: string;
  readonly #log: Logger;
  readonly #handlers: (() => void)[] = [];
  #opening: Promise<KV> | null = null;
  #patience = PATIENT_OPENS;

  /** `connection` stays the caller's. */
  constructor(options: {
    readonly connection: NatsConnection;
    readonly clusterId: string;
    readonly log: Logger;
  }) {
    this.#connection = options.connection;
    this.#bucket = `doorbuster_${options.clusterId.replaceAll(/[^A-Za-z0-9_-]/g, "_")}`;
    this.#log = options.log;
  }

  read(): Promise<{ readonly list: MemberList | null; readonly revision: number } | null> {
    return this.#call(async (kv) => {
      const entry = await kv.get(KEY);
      if (entry === null) return null;
      const list = entry.operation === "PUT" ? parseMemberList(entry.string()) : null;
      return { list, revision: entry.revision };
    });
  }

  write(list: MemberList, revision: number | null): Promise<boolean> {
    const text = encodeMemberList(list);
    return this.#call(async (kv) => {
      try {
        await (revision === null ? kv.create(KEY, text) : kv.update(KEY, text, revision));
        return true;
      } catch (cause) {
        if (codeOf(cause) === WRONG_LAST_SEQUENCE) return false;
        throw cause;
      }
    });
  }

  onChange(handler: () => void): void {
    this.#handlers.push(handler);
    if (this.#handlers.length === 1) void this.#watch();
  }

  async #call<T>(work: (kv: KV) => Promise<T>): Promise<T> {
    if (this.#connection.isClosed()) throw new Fault("store_unavailable", "NATS is closed");
    try {
      return await within(this.#opened().then(work));
    } catch (cause) {
      // Whatever it was, the bucket is opened anew: it may be gone, as after a server's new disk.
      this.#opening = null;
      if (cause instanceof Fault) throw cause;
      const code = codeOf(cause) === NO_SUCH_STREAM ? "store_unavailable" : "unknown";
      throw new Fault(code, `the member list in bucket ${this.#bucket}`, { cause });
    }
  }

  #opened(): Promise<KV> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<KV> {
    const jetStream = this.#connection.jetstream({ timeout: CALL_MS });
    const options = { history: 1, storage: StorageType.File, allow_direct: false };
    const replicas = this.#connection.info?.cluster === undefined ? 1 : REPLICAS_OF_MANY;
    try {
      const kv = await jetStream.views.kv(this.#bucket, { ...options, replicas });
      if (replicas > 1) await this.#replicate(kv, replicas);
      return kv;
    } catch (cause) {
      if (replicas === 1 || !(cause instanceof NatsError) || this.#patience-- > 0) throw cause;
      // Three servers may still be finding each other; two never keep three copies.
      this.#log.warn({ bucket: this.#bucket, err: cause.message }, "member list without replicas");
      return await jetStream.views.kv(this.#bucket, { ...options, replicas: 1 });
    }
  }

  /** A bucket that was made by one server alone, or before the others were there. */
  async #replicate(kv: KV, replicas: number): Promise<void> {
    const status = await kv.status();
    if (status.replicas >= replicas) return;
    const manager = await this.#connection.jetstreamManager({ timeout: CALL_MS });
    try {
      await manager.streams.update(`KV_${this.#bucket}`, { num_replicas: replicas });
    } catch (cause) {
      const err = String(cause);
      this.#log.warn({ bucket: this.#bucket, err }, "member list without replicas");
    }
  }

  /** A hint only, so it may end and begin again as it likes. */
  async #watch(): Promise<void> {
    while (!this.#connection.isClosed()) {
      try {
        const kv = await this.#opened();
        const entries = await kv.watch({ key: KEY, include: KvWatchInclude.UpdatesOnly });
        for await (const _ of entries) for (const handler of this.#handlers) handler();
      } catch (cause) {
        this.#log.info({ err: String(cause) }, "the member list is not watched for a moment");
      }
      if (!this.#connection.isClosed()) await Bun.sleep(WATCH_AGAIN_MS);
    }
  }
}

function codeOf(cause: unknown): number | null {
  return cause instanceof NatsError ? (cause.api_error?.err_code ?? null) : null;
}

async function within<T>(work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Fault("unknown", "JetStream is silent")), CALL_MS_MAX);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
