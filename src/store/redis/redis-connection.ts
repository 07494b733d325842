// One connection to Redis, from its opening to its first doubt.
//
// ioredis may re-send a command after a reconnect, keep a timed-out one in its queue, or never
// settle its promise. So a client is used for one socket only, every call is settled here, and the
// first thing that is not as it should be (deadline, close, error, an echo that does not match) ends
// the connection for good.
//
//   R1  a connection serves only after its durability settings and scripts were checked
//   R2  nothing is ever sent twice (but a script that Redis surely did not have)
//   R3  every call settles by its deadline, whatever ioredis or the socket does
//   R4  after the first doubt nothing is sent; what was in flight is Fault("unknown")

import { Redis } from "ioredis";

import { Fault } from "../../core/errors.ts";
import { gatherWrites } from "./gathered-writes.ts";
import { DURABILITY_REQUIRED, durabilityProblems } from "./redis-durability.ts";
import { isMissingScript, isSecretive, verdictOf } from "./redis-errors.ts";
import { SCRIPT_SHAS, type ScriptName, SCRIPTS } from "./scripts.ts";

export type ConnectionOptions = {
  readonly url: string;
  readonly deadlineMs: number;
  /** Decides on what is wrong with the settings: a thrown Fault ends the connection. */
  readonly judge: (problems: readonly string[]) => void;
};

/** What a script answered, without the echoed call number: its kind, then its fields. */
export type ScriptReply = readonly [kind: string, ...fields: string[]];

const SLOTS_SETTING = "cluster-enabled";

type Call = {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (cause: Error) => void;
  readonly deadlineAtMs: number;
  readonly what: string;
};

export class RedisConnection {
  readonly #client: Redis;
  readonly #deadlineMs: number;
  readonly #inFlight = new Set<Call>();
  readonly #doubted = Promise.withResolvers<string>();
  #doubt: string | null = null;
  #sweep: ReturnType<typeof setTimeout> | null = null;
  #lastCall = 0;
  #hasSlots = true;

  private constructor(options: ConnectionOptions) {
    this.#deadlineMs = options.deadlineMs;
    this.#client = new Redis(options.url, {
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      // Our own checks on opening say more than INFO does, and cost one round trip less.
      enableReadyCheck: false,
      disableClientInfo: true,
      protocol: 2,
      connectTimeout: options.deadlineMs,
    });
    this.#client.on("error", (error: Error) => this.distrust(error.message));
    this.#client.on("close", () => this.distrust("the connection was closed"));
  }

  /** Throws Fault("store_unavailable") when it cannot serve; the detail says why. */
  static async open(options: ConnectionOptions): Promise<RedisConnection> {
    const connection = new RedisConnection(options);
    try {
      await connection.#connect();
      const [settings] = await Promise.all([connection.#settings(), connection.#loadScripts()]);
      options.judge(durabilityProblems(settings));
      connection.#hasSlots = settings.get(SLOTS_SETTING) !== "no";
      return connection;
    } catch (error) {
      const reason = connection.#doubt ?? (error instanceof Error ? error.message : String(error));
      connection.distrust(reason);
      if (error instanceof Fault && error.code === "store_unavailable") throw error;
      // Nothing but questions was sent: whatever happened, nothing was written.
      throw new Fault("store_unavailable", `Redis does not serve: ${reason}`, { cause: error });
    }
  }

  /** Settles with the reason of the first doubt. */
  get doubted(): Promise<string> {
    return this.#doubted.promise;
  }

  /**
   * True for Redis Cluster, and for a server that does not tell: all keys of a script have to be in
   * one slot.
   */
  get hasSlots(): boolean {
    return this.#hasSlots;
  }

  /**
   * Runs one script: one EVALSHA on the wire.
   *
   * Throws Fault("store_unavailable" | "unknown" | "journal_corrupt").
   */
  async run(
    script: ScriptName,
    keys: readonly string[],
    argv: readonly string[],
  ): Promise<ScriptReply> {
    const reply = scriptReplyOf(await this.#evalsha(script, keys, argv));
    if (reply === null) throw this.mismatch(script);
    return reply;
  }

  /**
   * Runs a script that answers `count` things in one call, each as a script of its own would; null
   * for an answer that is none. Hot: bench/journal.ts. Throws as `run` does, for all of them.
   */
  async runEach(
    script: ScriptName,
    request: {
      readonly keys: readonly string[];
      readonly argv: readonly string[];
      readonly count: number;
    },
  ): Promise<readonly (ScriptReply | null)[]> {
    const answers = await this.#evalsha(script, request.keys, request.argv);
    if (answers.length !== request.count) throw this.mismatch(script);
    return answers.map((answer) => (Array.isArray(answer) ? scriptReplyOf(answer) : null));
  }

  /** One ordinary command: reads. Throws as `run` does. */
  async command(name: string, ...args: string[]): Promise<unknown> {
    try {
      return await this.#send([name, ...args], name, performance.now() + this.#deadlineMs);
    } catch (error) {
      throw this.#faultOf(error, name);
    }
  }

  /** The first call ends the connection; everything in flight is unknown from now on. */
  distrust(reason: string): void {
    if (this.#doubt !== null) return;
    this.#doubt = reason;
    if (this.#sweep !== null) clearTimeout(this.#sweep);
    const calls = [...this.#inFlight];
    this.#inFlight.clear();
    this.#client.disconnect();
    // disconnect() says goodbye and waits for it; a server that hangs never answers that.
    // (Before the connecting there is no stream, whatever its type says.)
    (this.#client.stream as { destroy(): void } | undefined)?.destroy();
    for (const call of calls) call.reject(new Fault("unknown", `${call.what}: ${reason}`));
    this.#doubted.resolve(reason);
  }

  /** What the script answered behind the echo of its call number. */
  async #evalsha(
    script: ScriptName,
    keys: readonly string[],
    argv: readonly string[],
  ): Promise<readonly unknown[]> {
    const call = String(++this.#lastCall);
    const parts = ["EVALSHA", SCRIPT_SHAS[script], String(keys.length), ...keys, call, ...argv];
    const deadlineAtMs = performance.now() + this.#deadlineMs;
    let reply: unknown;
    try {
      reply = await this.#send(parts, script, deadlineAtMs);
    } catch (error) {
      if (!(error instanceof Error) || !isMissingScript(error)) throw this.#faultOf(error, script);
      reply = await this.#reloadAndSend(parts, script, deadlineAtMs);
    }
    if (!Array.isArray(reply) || reply[0] !== call) throw this.mismatch(script);
    return reply.slice(1);
  }

  async #connect(): Promise<void> {
    const timer = setTimeout(() => this.distrust("connecting took too long"), this.#deadlineMs);
    try {
      // ioredis' promise may stay open when the socket is destroyed under it: our own doubt ends it.
      const doubted = this.doubted.then((reason): never => {
        throw new Fault("store_unavailable", `Redis is not reached: ${reason}`);
      });
      await Promise.race([this.#client.connect(), doubted]);
      gatherWrites(this.#client.stream);
    } finally {
      clearTimeout(timer);
    }
  }

  async #settings(): Promise<ReadonlyMap<string, string>> {
    const question = ["CONFIG", "GET", ...Object.keys(DURABILITY_REQUIRED), SLOTS_SETTING];
    const settings = new Map<string, string>();
    let reply: unknown;
    try {
      reply = await this.#send(question, "CONFIG GET", performance.now() + this.#deadlineMs);
    } catch (error) {
      // Nothing known is for `judge` to decide on.
      if (isSecretive(error)) return settings;
      throw this.#faultOf(error, "CONFIG GET");
    }
    if (!Array.isArray(reply)) return settings;
    for (let at = 0; at + 1 < reply.length; at += 2) {
      settings.set(String(reply[at]), String(reply[at + 1]));
    }
    return settings;
  }

  async #loadScripts(): Promise<void> {
    const names = Object.keys(SCRIPTS) as ScriptName[];
    const loaded = await Promise.all(
      names.map((name) => this.command("SCRIPT", "LOAD", SCRIPTS[name])),
    );
    const mixedUp = names.find((name, index) => loaded[index] !== SCRIPT_SHAS[name]);
    if (mixedUp !== undefined) throw this.mismatch(`SCRIPT LOAD ${mixedUp}`);
  }

  /** Redis lost its scripts (SCRIPT FLUSH): it ran nothing, so the same call may go out again. */
  async #reloadAndSend(
    parts: readonly string[],
    what: string,
    deadlineAtMs: number,
  ): Promise<unknown> {
    await this.#loadScripts();
    try {
      return await this.#send(parts, what, deadlineAtMs);
    } catch (error) {
      throw this.#faultOf(error, what);
    }
  }

  #send(parts: readonly string[], what: string, deadlineAtMs: number): Promise<unknown> {
    if (this.#doubt !== null) {
      return Promise.reject(new Fault("store_unavailable", `${what}: ${this.#doubt}`));
    }
    if (this.#client.status !== "ready") {
      this.distrust(`the connection is ${this.#client.status}`);
      return Promise.reject(new Fault("store_unavailable", `${what}: ${this.#doubt}`));
    }
    return new Promise((resolve, reject) => {
      const call: Call = { resolve, reject, deadlineAtMs, what };
      this.#inFlight.add(call);
      this.#sweep ??= setTimeout(() => this.#sweepDeadlines(), this.#deadlineMs);
      const [name, ...args] = parts;
      this.#client.call(name as string, args).then(
        (reply) => {
          if (this.#inFlight.delete(call)) resolve(reply);
        },
        (error: Error) => {
          if (this.#inFlight.delete(call)) reject(error);
        },
      );
    });
  }

  /** One timer for all calls: armed by the first, then for the earliest that is still there. */
  #sweepDeadlines(): void {
    this.#sweep = null;
    let earliestAtMs = Infinity;
    for (const call of this.#inFlight) earliestAtMs = Math.min(earliestAtMs, call.deadlineAtMs);
    if (earliestAtMs === Infinity) return;
    const leftMs = earliestAtMs - performance.now();
    if (leftMs <= 0) return this.distrust(`no answer within ${this.#deadlineMs} ms`);
    this.#sweep = setTimeout(() => this.#sweepDeadlines(), Math.ceil(leftMs));
  }

  /** For a reply to something else: it ends the connection. */
  mismatch(what: string): Fault {
    this.distrust(`${what}: the reply does not answer the call`);
    return new Fault("unknown", `${what}: the reply does not answer the call`);
  }

  #faultOf(error: unknown, what: string): Fault {
    if (error instanceof Fault) return error;
    const verdict = verdictOf(error instanceof Error ? error : new Error(String(error)), what);
    if (verdict.isDoubt) this.distrust(verdict.fault.message);
    return verdict.fault;
  }
}

function scriptReplyOf(values: readonly unknown[]): ScriptReply | null {
  const [kind, ...fields] = values;
  const isText = typeof kind === "string" && fields.every((field) => typeof field === "string");
  return isText ? [kind, ...fields] : null;
}
