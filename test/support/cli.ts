// The `doorbuster` command as a process, and an HTTP server that records what it is asked and says
// what the test wants it to say.

import { expect } from "bun:test";
import { join } from "node:path";

export const CLI_MAIN = join(import.meta.dir, "../../src/cli/main.ts");
export const CLI_API_KEY = "dbk_a-key-that-must-never-be-printed";

export type Asked = {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
};
export type Said = {
  readonly status?: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
};

export type ScriptedApi = {
  readonly url: string;
  /** Every request since the last `reset`. */
  readonly asked: Asked[];
  /** Says 404 until told otherwise. */
  say(answer: (request: Asked) => Said | Promise<Said>): void;
  reset(): void;
  stop(): Promise<void>;
};

function notFound(): Said {
  return sayProblem("not_found", 404);
}

export function startScriptedApi(): ScriptedApi {
  const asked: Asked[] = [];
  let answerTo: (request: Asked) => Said | Promise<Said> = notFound;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    maxRequestBodySize: 32 * 1_024 * 1_024,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const { method, headers } = request;
      const one = { method, path: pathname + search, headers, body: await request.text() };
      asked.push(one);
      const said = await answerTo(one);
      const { status = 200 } = said;
      return Response.json(said.body, { status, headers: said.headers ?? {} });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    asked,
    say: (answer) => {
      answerTo = answer;
    },
    reset: () => {
      asked.length = 0;
      answerTo = notFound;
    },
    stop: () => server.stop(true),
  };
}

export function sayProblem(
  code: string,
  status: number,
  more: Readonly<Record<string, unknown>> = {},
): Said {
  return {
    status,
    body: { type: "about:blank", title: `Title of ${code}`, status, code, ...more },
  };
}

export type CliRun = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** Runs one command to its end; the API key is never in what it prints, nor is any colour. */
export async function doorbuster(
  args: readonly string[],
  options: {
    readonly cwd: string;
    readonly environment: Readonly<Record<string, string>>;
    readonly stdin?: string;
  },
): Promise<CliRun> {
  const child = Bun.spawn([process.execPath, CLI_MAIN, ...args], {
    cwd: options.cwd,
    env: { ...options.environment },
    stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  expect(stdout + stderr).not.toContain(CLI_API_KEY);
  expect(stdout + stderr).not.toContain("\u001b");
  return { exitCode, stdout, stderr };
}
