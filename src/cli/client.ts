// Calls of the engine's HTTP interface: one request, one deadline, every failure a CommandFailure.

import { CommandFailure, EXIT, exitCodeOfProblem } from "./exit-codes.ts";
import { printable } from "./output.ts";

export type Call = {
  readonly method: "GET" | "PUT" | "POST";
  /** With its query; parts from outside are encoded by `path`. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
};

export type Answer = { readonly status: number; readonly body: JsonObject };
export type JsonObject = Readonly<Record<string, unknown>>;

/** The engine ends each request within 3 s; the rest is for the network. */
const CALL_TIMEOUT_MS = 10_000;

/** `path\`/v1/sales/${saleId}\``: what comes from outside is encoded. */
export function path(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return String.raw({ raw: parts }, ...values.map((value) => encodeURIComponent(value)));
}

export class AdminClient {
  readonly #server: string;
  readonly #apiKey: string;
  readonly #interrupted: AbortSignal;

  constructor(request: { server: string; apiKey: string; interrupted: AbortSignal }) {
    this.#server = request.server;
    this.#apiKey = request.apiKey;
    this.#interrupted = request.interrupted;
  }

  /** Returns answers below 400. Throws CommandFailure otherwise; see `exit-codes.ts`. */
  async call(call: Call): Promise<Answer> {
    const { status, text } = await this.#send(call);
    const body = objectOf(text);
    if (status >= 400) throw problemOf(status, body);
    if (body === null || status >= 300) throw this.#notAnEngine(`it answered ${status}`);
    return { status, body };
  }

  async #send({ method, path: target, body, headers, timeoutMs }: Call) {
    const timeout = AbortSignal.timeout(timeoutMs ?? CALL_TIMEOUT_MS);
    try {
      const response = await fetch(`${this.#server}${target}`, {
        method,
        headers: {
          accept: "application/json",
          authorization: `Bearer ${this.#apiKey}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // The key goes where the user said and nowhere else.
        redirect: "manual",
        signal: AbortSignal.any([timeout, this.#interrupted]),
      });
      return { status: response.status, text: await response.text() };
    } catch (cause) {
      throw this.#failureOf(cause, method, timeout);
    }
  }

  #failureOf(cause: unknown, method: string, timeout: AbortSignal): CommandFailure {
    if (this.#interrupted.aborted) {
      const message = "interrupted";
      return new CommandFailure({
        exitCode: EXIT.interrupted,
        code: "interrupted",
        message,
        cause,
      });
    }
    if (timeout.aborted) {
      const isRead = method === "GET";
      return new CommandFailure({
        exitCode: EXIT.unavailable,
        code: "timeout",
        message: `${this.#server} did not answer in time`,
        lines: isRead ? [] : ["The change may have been made. The same command again will tell."],
        cause,
      });
    }
    return this.#notAnEngine("it does not answer", cause);
  }

  #notAnEngine(what: string, cause?: unknown): CommandFailure {
    return new CommandFailure({
      exitCode: EXIT.unavailable,
      code: "server_unavailable",
      message: `no engine at ${this.#server}: ${what}`,
      lines: [
        "Start one with `doorbuster serve`, or name another with --server or DOORBUSTER_SERVER.",
      ],
      cause,
    });
  }
}

function problemOf(status: number, body: JsonObject | null): CommandFailure {
  const code = typeof body?.["code"] === "string" ? printable(body["code"]) : `http_${status}`;
  const said = body?.["detail"] ?? body?.["title"];
  const message = typeof said === "string" ? printable(said) : `the engine answered ${status}`;
  return new CommandFailure({
    exitCode: exitCodeOfProblem(code, status),
    code,
    message,
    lines: [...fieldLines(body), ...hintsOf(code)],
    details: body ?? { status },
  });
}

/** What the problem says beyond its text: the fields that were wrong, the SKUs concerned. */
function fieldLines(body: JsonObject | null): readonly string[] {
  const lines: string[] = [];
  const errors = body?.["errors"];
  for (const error of Array.isArray(errors) ? errors : []) {
    const { field, message } = Object(error);
    lines.push(printable(`${String(field)} ${String(message)}`));
  }
  for (const name of ["skus", "minimum", "fields", "version"]) {
    const value = body?.[name];
    if (Array.isArray(value)) lines.push(printable(`${name}: ${firstOf(value)}`));
    else if (typeof value === "number") lines.push(`${name}: ${value}`);
  }
  return lines;
}

function firstOf(values: readonly unknown[]): string {
  const shown = values.slice(0, 20).map(String).join(", ");
  return values.length > 20 ? `${shown} and ${values.length - 20} more` : shown;
}

function hintsOf(code: string): readonly string[] {
  if (code === "unauthenticated") return ["Check DOORBUSTER_API_KEY: the engine does not know it."];
  if (code === "changed_meanwhile")
    return ["Somebody else changed the sale: look, then apply again."];
  if (code === "unknown" || code === "deadline") {
    return ["The change may have been made. The same command again will tell."];
  }
  return [];
}

function objectOf(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? Object(value) : null;
  } catch (cause) {
    if (cause instanceof SyntaxError) return null;
    throw cause;
  }
}
