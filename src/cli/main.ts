#!/usr/bin/env bun
// The entry of the `doorbuster` command: the process's arguments, environment and streams.

import { writeSync } from "node:fs";

import { EXIT } from "./exit-codes.ts";
import { run } from "./program.ts";
import { wire } from "./wire.ts";

const args = process.argv.slice(2);
const interrupted = new AbortController();

// An engine stops gracefully on its own account.
if (!args.includes("serve")) {
  process.once("SIGINT", () => {
    interrupted.abort();
    // Whoever waits for something else than the network is not waited for.
    setTimeout(() => process.exit(EXIT.interrupted), 500).unref();
  });
}

process.exitCode = await run(args, {
  environment: process.env,
  out: (text) => write(1, text),
  err: (text) => write(2, text),
  wire,
  interrupted: interrupted.signal,
});
// A start that was given up may still wait for a server.
if (args.includes("serve")) process.exit();

/** Whole and in order, also into a pipe; a reader that has gone away (`| head`) is no error. */
function write(descriptor: 1 | 2, text: string): void {
  let bytes = Buffer.from(`${text}\n`);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(descriptor, bytes));
    } catch (cause) {
      const code = cause instanceof Error ? Reflect.get(cause, "code") : undefined;
      if (code === "EPIPE") process.exit(EXIT.ok);
      if (code !== "EAGAIN") throw cause;
      Bun.sleepSync(1);
    }
  }
}
