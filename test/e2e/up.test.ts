// The two commands and the README's walk, as a reader runs them.

import { afterAll, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { openSaleOf, sampleSale } from "../../scripts/lib/sample-sale.ts";
import { walkOf } from "../../scripts/lib/walk.ts";
import { readSaleText } from "../../src/cli/read-sale-file.ts";
import { signal } from "../support/cleanup.ts";
import { freePort } from "../support/ports.ts";
import { forgetFolder, temporaryFolder } from "../support/process.ts";
import { ROOT } from "../support/tidy/source.ts";

const folder = temporaryFolder("up");
afterAll(() => forgetFolder(folder));

const template = readFileSync(join(ROOT, "examples/flash-sale.yaml"), "utf8");
const readme = readFileSync(join(ROOT, "README.md"), "utf8");

test("the sample sale is a valid sale file that is open from now for two hours", () => {
  const nowMs = Date.UTC(2026, 10, 30, 18, 0, 0, 500);
  const { sale, text } = sampleSale(template, nowMs);
  expect(sale).toBe("flash-sale-20261130180000");
  const read = readSaleText("flash-sale.yaml", text);
  expect(read).toMatchObject({ ok: true });

  expect(openSaleOf(text, nowMs)).toBe(sale);
  expect(openSaleOf(text, nowMs - 1000)).toBeNull();
  expect(openSaleOf(text, nowMs + 2 * 60 * 60 * 1000)).toBeNull();
});

test("the walk needs its URL and SALE lines", () => {
  const walk = walkOf(readme, "http://127.0.0.1:4", "s-1");
  expect(walk).toStartWith("URL=http://127.0.0.1:4\nSALE=s-1\n");
  expect(() => walkOf(readme.replace("SALE=", "ITEM="), "u", "s")).toThrow("SALE=");
  expect(() => walkOf("# Another", "u", "s")).toThrow("no <!-- walk --> block");
});

test("up.sh opens a sale, the README's walk buys, and the order is there after a restart", async () => {
  const port = await freePort();
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: process.env["HOME"] ?? "/",
    DOORBUSTER_PORT: String(port),
    DOORBUSTER_DATA_DIR: folder,
  };
  const shell = (...args: string[]): Promise<Ran> => run(["sh", ...args], env);

  const first = await shell(join(ROOT, "scripts/up.sh"), "--detach");
  expect(first, first.output).toMatchObject({ exitCode: 0 });
  const sale = /Doorbuster sells (\S+) at/.exec(first.output)?.[1] ?? "";
  const walk = walkOf(readme, `http://127.0.0.1:${port}`, sale);
  expect(first.output).toContain(walk);
  const firstPid = pidIn(first.output);
  try {
    const bought = await shell("-ec", `${walk}\nprintf '\\nTOKEN=%s\\n' "$TOKEN"`);
    expect(bought, bought.output).toMatchObject({ exitCode: 0 });
    const orders = bought.output.trim().split("\n").at(-2) ?? "";
    expect(orders).toContain('"status":"paid"');
    expect(orders).toContain('"amountMinor":69900');
    const token = /^TOKEN=(.+)$/m.exec(bought.output)?.[1] ?? "";
    expect(await released(port, sale, { adding: 7 })).toBe(5007);
    await ended(firstPid);

    const second = await shell(join(ROOT, "scripts/up.sh"), "--detach");
    expect(second, second.output).toMatchObject({ exitCode: 0 });
    try {
      expect(second.output).toContain(`Doorbuster sells ${sale} at`);
      const kept = await fetch(`http://127.0.0.1:${port}/v1/orders`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect(kept.status).toBe(200);
      expect(await kept.json()).toMatchObject({ items: [{ sale, status: "paid" }] });
      // What its merchant has changed since is not set back to the sample's file.
      expect(await released(port, sale)).toBe(5007);
    } finally {
      await ended(pidIn(second.output));
    }
  } finally {
    await ended(firstPid);
  }
});

test("up.sh refuses an argument it does not know", async () => {
  const ran = await run(["sh", join(ROOT, "scripts/up.sh"), "--daemon"], {
    PATH: process.env["PATH"] ?? "",
    DOORBUSTER_DATA_DIR: folder,
  });
  expect(ran).toEqual({ exitCode: 2, output: "unknown argument '--daemon'; known: --detach\n" });
});

/** The lamps of the sale, after some were added to them. */
async function released(port: number, sale: string, { adding = 0 } = {}): Promise<number> {
  const url = `http://127.0.0.1:${port}/v1/admin/sales/${sale}`;
  const key = readFileSync(join(folder, "merchant.key"), "utf8").trim();
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  if (adding > 0) {
    const added = await fetch(`${url}/skus/diya-lamp/stock`, {
      method: "POST",
      headers: { ...headers, "idempotency-key": "more" },
      body: JSON.stringify({ delta: adding }),
    });
    expect(added.status).toBe(200);
  }
  const report = (await (await fetch(`${url}/report`, { headers })).json()) as {
    skus: { sku: string; released: number }[];
  };
  return report.skus.find(({ sku }) => sku === "diya-lamp")?.released ?? 0;
}

type Ran = { readonly exitCode: number; readonly output: string };

/** Standard output and error go to a file: a detached engine would hold a pipe open. */
async function run(command: string[], env: Record<string, string>): Promise<Ran> {
  const path = join(folder, `run-${Bun.randomUUIDv7()}.log`);
  const log = openSync(path, "a");
  const child = Bun.spawn(command, { cwd: folder, env, stdin: "ignore", stdout: log, stderr: log });
  const exitCode = await child.exited;
  closeSync(log);
  return { exitCode, output: readFileSync(path, "utf8") };
}

function pidIn(output: string): number {
  const pid = Number(/The engine runs as pid (\d+)/.exec(output)?.[1]);
  expect(pid, output).toBeGreaterThan(1);
  return pid;
}

/** SIGTERM to a process that is not our child, and the wait until it is gone. */
async function ended(pid: number): Promise<void> {
  signal(pid, "SIGTERM");
  while (isRunning(pid)) await Bun.sleep(10);
}

/** A process whose parent never fetches its end stays as a zombie: that one has ended too. */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/\) [ZX] /.test(stat);
  } catch {
    return false;
  }
}
