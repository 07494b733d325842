// The commands that look, and those that go past HTTP: a merchant made in a real database, the
// engine's own commands, and where the key is found.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  CLI_API_KEY,
  type CliRun,
  doorbuster,
  startScriptedApi,
} from "../../../test/support/cli.ts";
import { Fault } from "../../core/errors.ts";
import { SqliteAccounts } from "../../store/sqlite/accounts.ts";
import { migrateSqlite } from "../../store/sqlite/migrate.ts";
import { SqliteDatabase } from "../../store/sqlite/open.ts";
import { run } from "../program.ts";
import type { Environment, Wire } from "../wire.ts";

const SALE = {
  sale: "diwali-drop",
  title: "दीवाली Drop",
  state: "open",
  startsAt: "2026-11-30T12:30:00.000Z",
  endsAt: "2026-11-30T14:30:00.000Z",
  timeZone: "Asia/Kolkata",
  version: 3,
};
const api = startScriptedApi();
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "doorbuster-commands-"));
});
beforeEach(() => api.reset());
afterAll(async () => {
  await api.stop();
  await rm(folder, { recursive: true });
});

function command(...args: readonly string[]): Promise<CliRun> {
  const environment = { DOORBUSTER_SERVER: api.url, DOORBUSTER_API_KEY: CLI_API_KEY };
  return doorbuster(args, { cwd: folder, environment });
}

describe("looking", () => {
  test("list goes through all pages", async () => {
    const other = { ...SALE, sale: "holi-drop" };
    api.say(({ path }) => {
      return {
        body: path.includes("after")
          ? { items: [other], next: null }
          : { items: [SALE], next: "diwali-drop" },
      };
    });
    const ran = await command("sale", "list");
    expect(ran.stdout.split("\n").map((line) => line.split(/ {2,}/)[0])).toEqual([
      "SALE",
      "diwali-drop",
      "holi-drop",
      "",
    ]);
    expect(api.asked.map(({ path }) => path)).toEqual([
      "/v1/admin/sales?limit=100",
      "/v1/admin/sales?limit=100&after=diwali-drop",
    ]);
    expect(JSON.parse((await command("sale", "list", "--json")).stdout).items).toHaveLength(2);
  });

  test("show tells the times in the sale's zone and the SKUs with their prices", async () => {
    const unitPrice = { amountMinor: 1_999_900, currency: "INR" };
    const sku = { sku: "x", title: "X\u001b[31m", unitPrice, limitPerShopper: 2, level: "low" };
    api.say(({ path }) => {
      return {
        body: { items: [path.includes("skus") ? { ...sku, group: null } : SALE], next: null },
      };
    });
    const ran = await command("sale", "show", "diwali-drop");
    expect(ran.stdout).toContain("Mon 2026-11-30 18:00:00 +05:30 Asia/Kolkata");
    expect(ran.stdout).toContain("19999.00 INR");
    expect(await command("sale", "show", "holi-drop")).toMatchObject({ exitCode: 4, stdout: "" });
  });

  test("report sums all SKUs, also those it does not list", async () => {
    const counts = { released: 10, available: 4, held: 3, paying: 1, sold: 3 };
    const skus = Array.from({ length: 150 }, (_, index) => ({ sku: `s${index}`, ...counts }));
    const body = { sale: "diwali-drop", asOf: SALE.startsAt, skus, orders: { paid: 2, failed: 1 } };
    api.say(() => ({ body }));
    const ran = await command("sale", "report", "diwali-drop");
    expect(ran.stdout).toMatch(/\n\(all\) +1500 +600 +450 +150 +450\n/);
    expect(ran.stdout).toContain("50 more SKUs; --all shows every one\norders: paid 2, failed 1\n");
    expect(ran.stdout).not.toContain("s120 ");
    expect((await command("sale", "report", "diwali-drop", "--all")).stdout).toContain("s120 ");
  });

  test("explain reads page after page up to its limit", async () => {
    const counts = { released: 10, available: 4, held: 3, paying: 1, sold: 3 };
    const event = { kind: "held", shopper: "s-1", quantity: 2 };
    const at = SALE.startsAt;
    api.say(({ path }) => {
      const after = Number(new URL(path, api.url).searchParams.get("after") ?? 0);
      const events = [{ partition: 7, seq: after + 1, claim: 2, at, event }];
      return { body: { sale: "a", sku: "b", counts, events, next: after < 4 ? after + 1 : null } };
    });
    const ran = await command("sku", "explain", "a/b", "--limit", "3");
    expect(ran.stdout).toContain("a/b: released=10 available=4 held=3 paying=1 sold=3");
    expect(ran.stdout).toMatch(
      /\n7\/3 +2 +2026-11-30T12:30:00.000Z +held +shopper="s-1" quantity=2\n/,
    );
    expect(ran.stdout).not.toContain("7/4");
    expect(ran.stderr).toBe("there are more events: see --limit\n");
    const all = await command("sku", "explain", "a/b", "--json");
    expect(JSON.parse(all.stdout).events).toHaveLength(5);
    expect(all.stderr).toBe("");
  });

  test("an answer of another form is said to be one", async () => {
    api.say(() => ({ body: { items: [{ sale: 1 }], next: null } }));
    const ran = await command("sale", "list");
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain("the engine's answer is not what this command reads");
  });
});

describe("the key", () => {
  test("comes from the data folder when nothing else names one", async () => {
    await mkdir(join(folder, "data"));
    await Bun.write(join(folder, "data/merchant.key"), `${CLI_API_KEY}\n`);
    api.say(() => ({ body: { items: [], next: null } }));
    const environment = { DOORBUSTER_SERVER: api.url, DOORBUSTER_DATA_DIR: "data" };
    const ran = await doorbuster(["sale", "list"], { cwd: folder, environment });
    expect(ran.exitCode).toBe(0);
    expect(api.asked[0]?.headers.get("authorization")).toBe(`Bearer ${CLI_API_KEY}`);
  });

  test("--api-key goes before the environment", async () => {
    api.say(() => ({ body: { items: [], next: null } }));
    await command("sale", "list", "--api-key", "dbk_other");
    expect(api.asked[0]?.headers.get("authorization")).toBe("Bearer dbk_other");
  });

  test("missing: exit code 2 and how to get one; nothing is asked", async () => {
    const environment = { DOORBUSTER_SERVER: api.url };
    const ran = await doorbuster(["sale", "list"], { cwd: folder, environment });
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain("doorbuster merchant create NAME");
    expect(api.asked).toEqual([]);
  });
});

type Local = { exitCode: number; out: string[]; err: string[] };

async function refuse(): Promise<never> {
  throw new Fault("config_invalid", "not in this test");
}

/** In this process, with these parts in place of the engine's. */
async function local(wire: Partial<Wire>, ...args: readonly string[]): Promise<Local> {
  const [out, err]: string[][] = [[], []];
  const exitCode = await run(args, {
    environment: { DOORBUSTER_HOST: "127.0.0.1" },
    out: (text) => out?.push(text),
    err: (text) => err?.push(text),
    wire: { openAccounts: refuse, migrate: refuse, serve: refuse, ...wire },
    interrupted: new AbortController().signal,
  });
  return { exitCode, out: out ?? [], err: err ?? [] };
}

describe("merchant create", () => {
  test.each([
    ["merchant", []],
    ["operator", ["--operator"]],
  ])("prints a key of a %s once; the database knows its hash alone", async (role, flags) => {
    const path = join(folder, `${role}.db`);
    const opened: SqliteDatabase[] = [];
    const openAccounts: Wire["openAccounts"] = async () => {
      const database = new SqliteDatabase({ path });
      opened.push(database);
      migrateSqlite(database);
      return { accounts: new SqliteAccounts({ database }), close: async () => database.close() };
    };
    const { exitCode, out, err } = await local(
      { openAccounts },
      "merchant",
      "create",
      "Acme",
      ...flags,
    );
    expect(exitCode).toBe(0);
    const [apiKey = ""] = out;
    expect(apiKey).toMatch(/^dbk_[A-Za-z0-9_-]{43}$/);
    expect(err.join("\n")).not.toContain(apiKey);
    // Closed by the command.
    expect(() => opened[0]?.client.query("select 1").get()).toThrow();
    const { accounts, close } = await openAccounts({});
    const keySha256 = createHash("sha256").update(apiKey).digest("hex");
    expect(await accounts.merchantByKey(keySha256)).toMatchObject({ name: "Acme", role });
    const files = [path, `${path}-wal`].map((name) => Bun.file(name));
    const bytes = Buffer.concat(await Promise.all(files.map((file) => file.bytes())));
    expect([bytes.includes("Acme"), bytes.includes(apiKey)]).toEqual([true, false]);
    await close();
  });
});

describe("the engine's own commands", () => {
  test("serve gets the environment, and its exit code is the command's", async () => {
    const seen: Environment[] = [];
    for (const exitCode of [0, 1, 2]) {
      const serve = async (environment: Environment): Promise<number> => {
        seen.push(environment);
        return exitCode;
      };
      expect((await local({ serve }, "serve")).exitCode).toBe(exitCode);
    }
    expect(seen[0]).toEqual({ DOORBUSTER_HOST: "127.0.0.1" });
  });

  test("migrate says what it did", async () => {
    const done = ["control: 2 migrations", "64 partitions created"];
    const { exitCode, out } = await local({ migrate: async () => ({ done }) }, "migrate", "--json");
    expect(exitCode).toBe(0);
    expect(JSON.parse(out.join(""))).toEqual({ done });
  });

  test.each([
    ["config_invalid", 2],
    ["second_engine", 2],
    ["store_unavailable", 69],
    ["halted", 1],
  ] as const)("a fault %s ends with %d", async (code, exitCode) => {
    const migrate = async (): Promise<never> => {
      throw new Fault(code, "what an operator reads");
    };
    const ran = await local({ migrate }, "migrate");
    expect(ran.exitCode).toBe(exitCode);
    expect(ran.err.join("\n")).toContain("what an operator reads");
  });

  test("a bug is said in one line, with exit code 1", async () => {
    const broken: Partial<Wire> = { serve: () => Promise.reject(new TypeError("it broke")) };
    const ran = await local(broken, "serve", "--json");
    expect(ran.exitCode).toBe(1);
    const error = { code: "bug", message: "it broke" };
    expect(JSON.parse(ran.err.join(""))).toMatchObject({ error });
  });
});
