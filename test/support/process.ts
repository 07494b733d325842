// A server as a child process: started, probed until it really answers, ended, started again.
//
// P1  No child outlives the test process, also when that one is killed: Linux' parent-death signal.
// P2  What a server wrote into its temporary folder is gone after `stop`, and after the run.
// P3  `start` fails with the server's own output, never with a bare timeout.

import { closeSync, existsSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { descendantsOf, forget, remember, removeFolder, signal } from "./cleanup.ts";

const START_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 20_000;
const PROBE_PAUSE_MS = 10;

export type ServerCommand = {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** True once the server answers what it is for; throws or false = not yet. */
  readonly isReady: () => Promise<boolean>;
  /** What asks the server to end in good order. */
  readonly stopSignal: NodeJS.Signals;
  /** The user to run as, when this process is root. */
  readonly uid?: number;
  readonly gid?: number;
  /** Runs after the process is gone for good, for what a SIGKILL leaves behind. */
  readonly afterEnd?: () => void;
};

/** A server that ended instead of starting. */
export class StartFailure extends Error {
  readonly exitCode: number | null;
  readonly output: string;

  constructor(name: string, exitCode: number | null, output: string) {
    super(`${name} did not start (exit code ${exitCode}):\n${output}`);
    this.name = "StartFailure";
    this.exitCode = exitCode;
    this.output = output;
  }
}

/** A temporary folder that the run removes at its end. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `doorbuster-${name}-`));
  remember(folder, () => removeFolder(folder));
  return folder;
}

export function forgetFolder(folder: string): void {
  removeFolder(folder);
  forget(folder);
}

export class ServerProcess {
  /** Holds the log, and whatever else the server keeps; removed by `stop`. */
  readonly folder: string;
  readonly #command: ServerCommand;
  readonly #logPath: string;
  #child: Bun.Subprocess | undefined;
  #lastOutput = "";

  constructor(folder: string, command: ServerCommand) {
    this.folder = folder;
    this.#command = command;
    this.#logPath = join(folder, "output.log");
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error(`${this.#command.name} is not running`);
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && !this.#child.killed;
  }

  /** Resolves with the exit code when the running process ends by itself or is ended. */
  get exited(): Promise<number> {
    if (this.#child === undefined) throw new Error(`${this.#command.name} is not running`);
    return this.#child.exited;
  }

  /** All that the server has printed since it was first started. */
  output(): string {
    if (existsSync(this.#logPath)) this.#lastOutput = readFileSync(this.#logPath, "utf8");
    return this.#lastOutput;
  }

  /** Throws StartFailure when the process ends, or does not answer in time. */
  async start(): Promise<void> {
    if (!existsSync(this.folder)) throw new Error(`${this.#command.name}: its folder is gone`);
    const child = this.#spawn();
    this.#child = child;
    remember(this, () => {
      endNow(child);
      this.#command.afterEnd?.();
    });
    const deadline = performance.now() + START_DEADLINE_MS;
    while (child.exitCode === null && child.signalCode === null) {
      if (await this.#command.isReady().catch(() => false)) return;
      if (performance.now() > deadline) break;
      await Promise.race([child.exited, Bun.sleep(PROBE_PAUSE_MS)]);
    }
    const exitCode = child.exitCode;
    await this.kill();
    throw new StartFailure(this.#command.name, exitCode, this.output());
  }

  /** SIGKILL to the process and all of its children; its data stays. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    endNow(child);
    await child.exited;
    this.#child = undefined;
  }

  /** Ends in good order; its data stays. Returns the exit code. */
  async end(): Promise<number> {
    const child = this.#child;
    if (child === undefined) return 0;
    this.resume();
    child.kill(this.#command.stopSignal);
    const isLate = await Promise.race([
      child.exited.then(() => false),
      Bun.sleep(STOP_DEADLINE_MS).then(() => true),
    ]);
    if (isLate) {
      await this.kill();
      const name = this.#command.name;
      throw new Error(`${name} ignored ${this.#command.stopSignal}:\n${this.output()}`);
    }
    this.#child = undefined;
    return child.exited;
  }

  /** Ends in good order and deletes the temporary folder. Returns the exit code. */
  async stop(): Promise<number> {
    try {
      return await this.end();
    } finally {
      this.#command.afterEnd?.();
      this.output();
      forget(this);
      forgetFolder(this.folder);
    }
  }

  async restart(): Promise<void> {
    await this.end();
    await this.start();
  }

  /** Stops the process and its children in their tracks; connections stay open and go silent. */
  pause(): void {
    for (const pid of [this.pid, ...descendantsOf(this.pid)]) signal(pid, "SIGSTOP");
  }

  resume(): void {
    if (this.#child === undefined) return;
    for (const pid of [...descendantsOf(this.pid), this.pid]) signal(pid, "SIGCONT");
  }

  #spawn(): Bun.Subprocess {
    const { args, env, cwd, uid, gid } = this.#command;
    const log = openSync(this.#logPath, "a");
    try {
      return Bun.spawn([...tiedToParent(uid, gid), ...args], {
        cwd: cwd ?? this.folder,
        env: { PATH: process.env["PATH"] ?? "", ...env },
        stdin: "ignore",
        stdout: log,
        stderr: log,
      });
    } finally {
      closeSync(log);
    }
  }
}

/** The command in front of a server's own that ties its life to ours and gives up root. */
export function tiedToParent(uid?: number, gid?: number): string[] {
  const setpriv = Bun.which("setpriv");
  if (setpriv === null) {
    if (uid === undefined) return [];
    throw new Error("setpriv (util-linux) is needed to start a server as another user");
  }
  const user = uid === undefined ? [] : [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  return [setpriv, "--pdeathsig", "KILL", ...user];
}

function endNow(child: Bun.Subprocess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  // Children first counted, then all ended: a postmaster's backends would linger for a moment.
  const pids = [child.pid, ...descendantsOf(child.pid)];
  for (const pid of pids) signal(pid, "SIGKILL");
}
