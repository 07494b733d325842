// A real nats-server with JetStream.

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { freePort } from "./ports.ts";
import { ServerProcess, temporaryFolder } from "./process.ts";

export type NatsOptions = {
  /** Kept by `stop` when given; a temporary folder otherwise. */
  readonly dataDir?: string;
  readonly port?: number;
  readonly args?: readonly string[];
};

export type TestNats = {
  readonly port: number;
  readonly url: string;
  readonly dataDir: string;
  readonly pid: number;
  kill(): Promise<void>;
  stop(): Promise<void>;
  restart(): Promise<void>;
  pause(): void;
  resume(): void;
  output(): string;
};

export async function startNats(options: NatsOptions = {}): Promise<TestNats> {
  const port = options.port ?? (await freePort());
  const folder = temporaryFolder("nats");
  const dataDir = options.dataDir ?? join(folder, "data");
  mkdirSync(dataDir, { recursive: true });

  const network = ["-a", "127.0.0.1", "-p", String(port)];
  const server = new ServerProcess(folder, {
    name: "nats-server",
    args: [natsBinary(), ...network, "-js", "-sd", dataDir, ...(options.args ?? [])],
    isReady: () => sendsInfo(port),
    stopSignal: "SIGTERM",
  });
  await server.start();

  return {
    port,
    url: `nats://127.0.0.1:${port}`,
    dataDir,
    get pid() {
      return server.pid;
    },
    kill: () => server.kill(),
    stop: async () => void (await server.stop()),
    restart: () => server.restart(),
    pause: () => server.pause(),
    resume: () => server.resume(),
    output: () => server.output(),
  };
}

/** Debian puts it into /usr/sbin, which is not in every user's PATH. */
function natsBinary(): string {
  const path = Bun.which("nats-server") ?? Bun.which("/usr/sbin/nats-server");
  if (path === null) throw new Error("nats-server not found: sh scripts/setup.sh servers");
  return path;
}

/** The server speaks first: INFO, with "jetstream":true once that is up. */
async function sendsInfo(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_, bytes) => {
        const text = bytes.toString();
        resolve(text.startsWith("INFO ") && text.includes('"jetstream":true'));
      },
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
