// An engine as a process that cannot start: it hears a signal all the same, and says why in a line.

import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";

import { freePort } from "../../test/support/ports.ts";
import { forgetFolder, temporaryFolder } from "../../test/support/process.ts";
import { ROOT } from "../../test/support/tidy/source.ts";

const folder = temporaryFolder("run");
const children: Bun.Subprocess[] = [];
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(children.map(({ exited }) => exited));
  forgetFolder(folder);
});

function startMain(env: Record<string, string>) {
  const child = Bun.spawn([process.execPath, join(ROOT, "src/main.ts")], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", DOORBUSTER_DATA_DIR: folder, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  children.push(child);
  return child;
}

test("SIGTERM ends an engine that still waits for its servers, at once and with 0", async () => {
  const nowhere = `127.0.0.1:${await freePort()}`;
  const engine = startMain({
    DOORBUSTER_REDIS_URL: `redis://${nowhere}`,
    DOORBUSTER_CONTROL_DATABASE_URL: `postgres://user@${nowhere}/control`,
    DOORBUSTER_SHARD_DATABASE_URLS: `postgres://user@${nowhere}/shard`,
    DOORBUSTER_JWT_SECRET: "0123456789abcdef0123456789abcdef",
    DOORBUSTER_PAYMENT_URL: `http://${nowhere}`,
    DOORBUSTER_PAYMENT_WEBHOOK_SECRET: `whsec_${"A".repeat(32)}`,
  });
  // Which server: there may be many.
  const waiting = `${nowhere}/control`;
  expect(await textUntil(engine.stdout, waiting)).toContain("waiting for a server");
  const startedMs = performance.now();
  engine.kill("SIGTERM");
  expect(await engine.exited).toBe(0);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});

test("a host that is not this machine's is refused in one line, exit 2", async () => {
  const engine = startMain({ DOORBUSTER_HOST: "192.0.2.1", DOORBUSTER_PORT: "0" });
  const [said, exitCode] = await Promise.all([new Response(engine.stderr).text(), engine.exited]);
  expect(said.trim().split("\n")).toEqual([
    'doorbuster: config_invalid: DOORBUSTER_HOST is "192.0.2.1" and DOORBUSTER_PORT 0 ' +
      "(EADDRNOTAVAIL); allowed: an address of this machine, a port that its user may take",
  ]);
  expect(exitCode).toBe(2);
});

/** What came up to `wanted`; all there was when it never came. */
async function textUntil(stream: ReadableStream<Uint8Array>, wanted: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of stream) {
    text += decoder.decode(piece, { stream: true });
    if (text.includes(wanted)) break;
  }
  return text;
}
