// The engine and the payment simulator as real processes, configured by environment alone.

import { join } from "node:path";

import { freePort } from "./ports.ts";
import { ServerProcess, temporaryFolder } from "./process.ts";

export type ProgramOptions = {
  /** Nothing of this process' environment but PATH reaches the program: this is all it gets. */
  readonly env?: Record<string, string>;
  readonly port?: number;
  /** Kept by `stop` when given; a temporary folder otherwise. */
  readonly dataDir?: string;
  /** For Bun itself, e.g. `["--preload", "clock-shim.ts"]`. */
  readonly bunArgs?: readonly string[];
  /** Another tree than this one: a build of another version. */
  readonly root?: string;
  /** What says that an engine has started: /readyz, or /livez for one that must not be ready. */
  readonly probe?: () => "/readyz" | "/livez";
};

export type TestProgram = {
  readonly port: number;
  readonly url: string;
  readonly dataDir: string;
  readonly pid: number;
  /** Resolves with the exit code when the process that runs now ends. */
  readonly exited: Promise<number>;
  kill(): Promise<void>;
  /** SIGTERM; deletes temporary data; returns the exit code. */
  stop(): Promise<number>;
  /** SIGTERM when it runs; the data stays; returns the exit code. */
  end(): Promise<number>;
  /** The same program on the same port and data, after `kill` or `end` or while it runs. */
  restart(): Promise<void>;
  pause(): void;
  resume(): void;
  /** All that it printed, over all of its starts. */
  output(): string;
};

const ROOT = join(import.meta.dir, "..", "..");

/** Starts `src/main.ts` and waits until its probe says 200. Throws StartFailure with its exit code. */
export async function startEngine(options: ProgramOptions = {}): Promise<TestProgram> {
  const port = options.port ?? (await freePort());
  const folder = temporaryFolder("engine");
  const dataDir = options.dataDir ?? join(folder, "data");
  const probe = options.probe ?? (() => "/readyz" as const);
  return startProgram({
    name: "engine",
    entry: "src/main.ts",
    folder,
    dataDir,
    port,
    root: options.root ?? ROOT,
    env: { DOORBUSTER_PORT: String(port), DOORBUSTER_DATA_DIR: dataDir, ...options.env },
    bunArgs: options.bunArgs ?? [],
    isReady: async () => (await fetch(`http://127.0.0.1:${port}${probe()}`)).status === 200,
  });
}

/** Starts the payment simulator and waits until it answers HTTP. */
export async function startSimulator(options: ProgramOptions = {}): Promise<TestProgram> {
  const port = options.port ?? (await freePort());
  const folder = temporaryFolder("simulator");
  const dataDir = options.dataDir ?? join(folder, "data");
  return startProgram({
    name: "payment simulator",
    entry: "src/payments/simulator/main.ts",
    folder,
    dataDir,
    port,
    root: ROOT,
    env: {
      DOORBUSTER_SIMULATOR_PORT: String(port),
      DOORBUSTER_SIMULATOR_DATA_DIR: dataDir,
      ...options.env,
    },
    bunArgs: options.bunArgs ?? [],
    isReady: async () => (await fetch(`http://127.0.0.1:${port}/livez`)).status < 500,
  });
}

type Program = {
  readonly name: string;
  readonly entry: string;
  readonly folder: string;
  readonly dataDir: string;
  readonly port: number;
  readonly root: string;
  readonly env: Record<string, string>;
  readonly bunArgs: readonly string[];
  readonly isReady: () => Promise<boolean>;
};

async function startProgram(program: Program): Promise<TestProgram> {
  const server = new ServerProcess(program.folder, {
    name: program.name,
    args: [process.execPath, ...program.bunArgs, join(program.root, program.entry)],
    env: program.env,
    cwd: program.root,
    isReady: program.isReady,
    stopSignal: "SIGTERM",
  });
  await server.start();
  return {
    port: program.port,
    url: `http://127.0.0.1:${program.port}`,
    dataDir: program.dataDir,
    get pid() {
      return server.pid;
    },
    get exited() {
      return server.exited;
    },
    kill: () => server.kill(),
    stop: () => server.stop(),
    end: () => server.end(),
    restart: () => server.restart(),
    pause: () => server.pause(),
    resume: () => server.resume(),
    output: () => server.output(),
  };
}
