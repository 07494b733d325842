// A real redis-server with the durability that design §7 asks for.

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { freePort } from "./ports.ts";
import { ServerProcess, temporaryFolder } from "./process.ts";

export type RedisOptions = {
  /** Settings that replace the defaults below, or are added to them. */
  readonly config?: Record<string, string>;
  /** Kept by `stop` when given; a temporary folder otherwise. */
  readonly dataDir?: string;
  readonly port?: number;
};

const DURABLE: Record<string, string> = {
  appendonly: "yes",
  appendfsync: "always",
  "no-appendfsync-on-rewrite": "no",
  "maxmemory-policy": "noeviction",
  save: "",
};

export type TestRedis = {
  readonly port: number;
  readonly url: string;
  readonly dataDir: string;
  readonly pid: number;
  /** SIGKILL; the data stays. */
  kill(): Promise<void>;
  /** Ends it and deletes its temporary data. */
  stop(): Promise<void>;
  /** Same port, same data, running or killed before; `config` changes settings from here on. */
  restart(options?: { config?: Record<string, string> }): Promise<void>;
  /** SIGSTOP and SIGCONT: connections stay open and nobody answers. */
  pause(): void;
  resume(): void;
  output(): string;
};

export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const port = options.port ?? (await freePort());
  const folder = temporaryFolder("redis");
  const dataDir = options.dataDir ?? join(folder, "data");
  mkdirSync(dataDir, { recursive: true });

  const network = { port: String(port), bind: "127.0.0.1", dir: dataDir, daemonize: "no" };
  let config: Record<string, string> = { ...DURABLE, ...options.config, ...network };
  const server = new ServerProcess(folder, {
    name: "redis-server",
    get args() {
      const settings = Object.entries(config).flatMap(([name, value]) => [`--${name}`, value]);
      return ["redis-server", ...settings];
    },
    isReady: () => answersPing(port),
    stopSignal: "SIGTERM",
  });
  await server.start();

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    dataDir,
    get pid() {
      return server.pid;
    },
    kill: () => server.kill(),
    stop: async () => void (await server.stop()),
    restart: async (change) => {
      await server.end();
      config = { ...config, ...change?.config };
      await server.start();
    },
    pause: () => server.pause(),
    resume: () => server.resume(),
    output: () => server.output(),
  };
}

/** While Redis loads its file it answers -LOADING: connected is not ready. */
async function answersPing(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (opened) => void opened.write("PING\r\n"),
      data: (_, bytes) => resolve(bytes.toString().startsWith("+PONG")),
      close: () => resolve(false),
      error: () => resolve(false),
    },
  });
  try {
    return await promise;
  } finally {
    socket.end();
  }
}
