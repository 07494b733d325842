// The command as a process, against an HTTP server that records what it is asked. The server says
// what the test wants it to say: here the command's own promises are tested, its exit codes, its
// streams and what it puts on the wire. Runs against a real engine are in test/e2e.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  type Asked,
  CLI_API_KEY,
  CLI_MAIN,
  type CliRun,
  doorbuster,
  type Said,
  sayProblem,
  startScriptedApi,
} from "../../test/support/cli.ts";

const EXAMPLE = join(import.meta.dir, "../../examples/diwali-drop.yaml");

const SALE = {
  sale: "diwali-drop",
  title: "Diwali Drop",
  state: "scheduled",
  startsAt: "2026-11-30T12:30:00.000Z",
  endsAt: "2026-11-30T14:30:00.000Z",
  timeZone: "Asia/Kolkata",
  version: 3,
};
const PLAN = {
  sale: "diwali-drop",
  isNew: false,
  baseVersion: 3,
  fields: [{ field: "title", from: "Drop", to: "Diwali Drop" }],
  skus: {
    added: ["diya-lamp"],
    removed: [],
    changed: [{ sku: "phone-x-128", field: "stock", from: "900", to: "1000" }],
    total: 3,
  },
  units: 6_400,
};

const api = startScriptedApi();
const { asked } = api;
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "doorbuster-cli-"));
});
beforeEach(() => api.reset());
afterEach(() => {
  for (const { headers } of asked) {
    expect(headers.get("authorization")).toBe(`Bearer ${CLI_API_KEY}`);
  }
});
afterAll(async () => {
  await api.stop();
  await rm(folder, { recursive: true });
});

function environment(): Record<string, string> {
  return { DOORBUSTER_SERVER: api.url, DOORBUSTER_API_KEY: CLI_API_KEY };
}

function run(args: readonly string[], stdin?: string): Promise<CliRun> {
  const options = { cwd: folder, environment: environment() };
  return doorbuster(args, stdin === undefined ? options : { ...options, stdin });
}

function planThen(said: Said): (request: Asked) => Said {
  return ({ path }) => (path.includes("dryRun") ? { body: PLAN } : said);
}

describe("sale apply", () => {
  test("shows the plan in the sale's zone and in UTC, then sends the version it was made from", async () => {
    api.say(planThen({ body: { ...SALE, version: 4 } }));
    const ran = await run(["sale", "apply", "-f", EXAMPLE]);
    expect(ran.exitCode).toBe(0);
    expect(ran.stderr).toContain(
      "opens   Mon 2026-11-30 18:00:00 +05:30 Asia/Kolkata = 2026-11-30T12:30:00.000Z",
    );
    expect(ran.stderr).toContain("3 SKUs, 6400 units: 1 new, 1 changed, 0 removed");
    expect(ran.stderr).toContain("phone-x-128 stock: 900 → 1000");
    expect(ran.stderr).toContain("title: Drop → Diwali Drop");
    expect(ran.stdout).toBe("diwali-drop changed: scheduled, 3 SKUs, 6400 units, version 4\n");
    expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "PUT /v1/admin/sales/diwali-drop?dryRun=true",
      "PUT /v1/admin/sales/diwali-drop",
    ]);
    expect(asked.map(({ headers }) => headers.get("if-match"))).toEqual([null, '"3"']);
    expect(asked[1]?.headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(asked[1]?.body ?? "")).toMatchObject({
      sale: "diwali-drop",
      startsAt: "2026-11-30T18:00:00+05:30",
      skus: [{ price: "19999.00", stock: 1_000 }, {}, {}],
    });
  });

  test("--dry-run asks for the plan alone and prints it as data", async () => {
    api.say(planThen({ status: 500, body: {} }));
    const ran = await run(["sale", "apply", "--dry-run", "-f", EXAMPLE]);
    expect([ran.exitCode, ran.stderr, asked.length]).toEqual([0, "", 1]);
    expect(ran.stdout).toStartWith(
      "diwali-drop: Diwali Drop (change of version 3)\n  opens   Mon ",
    );
    const json = await run(["--json", "sale", "apply", "--dry-run", "-f", EXAMPLE]);
    expect(JSON.parse(json.stdout)).toMatchObject({ dryRun: true, plan: { baseVersion: 3 } });
  });

  test("a file that changes nothing is not sent again", async () => {
    const skus = { added: [], removed: [], changed: [], total: 3 };
    api.say(() => ({ body: { ...PLAN, fields: [], skus } }));
    const ran = await run(["sale", "apply", "-f", EXAMPLE]);
    expect([ran.exitCode, asked.length]).toEqual([0, 1]);
    expect(ran.stdout).toContain("nothing to change");
  });

  test("reads standard input", async () => {
    api.say(planThen({ body: SALE }));
    const stdin = await Bun.file(EXAMPLE).text();
    expect((await run(["sale", "apply", "-f", "-"], stdin)).exitCode).toBe(0);
  });

  test("a bad file sends nothing: exit code 2, a line for each error", async () => {
    const text = await Bun.file(EXAMPLE).text();
    const file = join(folder, "bad.yaml");
    await Bun.write(file, text.replace("stock: 400", "stock: -1").replace("INR", "inr"));
    const ran = await run(["sale", "apply", "-f", "bad.yaml"]);
    expect([ran.exitCode, ran.stdout, asked.length]).toEqual([2, "", 0]);
    expect(ran.stderr).toContain("bad.yaml:4:11: currency must be a currency code");
    expect(ran.stderr).toContain("bad.yaml:22:12: skus[1].stock must be a whole number");
    const json = await run(["sale", "apply", "-f", "bad.yaml", "--json"]);
    expect(JSON.parse(json.stderr).error).toMatchObject({
      code: "invalid_sale_file",
      exitCode: 2,
      errors: [
        { file: "bad.yaml", line: 4, column: 11, field: "currency" },
        { file: "bad.yaml", line: 22, column: 12, field: "skus[1].stock" },
      ],
    });
  });

  test("taking back sold units is a conflict that names the SKUs and the minimum", async () => {
    api.say(() => sayProblem("below_committed", 409, { skus: ["phone-x-128"], minimum: 950 }));
    const ran = await run(["sale", "apply", "-f", EXAMPLE]);
    expect(ran.exitCode).toBe(5);
    expect(ran.stderr).toContain("skus: phone-x-128\n  minimum: 950");
  });

  test("202 says how far it is", async () => {
    api.say(planThen({ status: 202, body: { applied: 2, total: 3 } }));
    const ran = await run(["sale", "apply", "-f", EXAMPLE]);
    expect(ran.exitCode).toBe(0);
    expect(ran.stdout).toBe("diwali-drop: 2 of 3 SKUs have it, the rest follows\n");
  });

  test("100,000 SKUs are sent, and told in a summary", async () => {
    const ids = Array.from({ length: 100_000 }, (_, index) => `s${index}`);
    const skus = ids.map((sku) => {
      return { sku, title: `Item ${sku}`, price: "19.99", stock: 10, limitPerShopper: 2 };
    });
    const head = Object(Bun.YAML.parse(await Bun.file(EXAMPLE).text()));
    delete head.groups;
    await Bun.write(join(folder, "large.json"), JSON.stringify({ ...head, skus }));
    const plan = { ...PLAN, skus: { ...PLAN.skus, added: ids, total: 100_000 } };
    api.say(({ path }) => ({ body: path.includes("dryRun") ? plan : SALE }));
    const ran = await run(["sale", "apply", "-f", "large.json"]);
    expect(ran.exitCode).toBe(0);
    expect(ran.stderr.length + ran.stdout.length).toBeLessThan(2_000);
    expect(ran.stdout).toContain("100000 SKUs, 1000000 units");
    expect(JSON.parse(asked[1]?.body ?? "").skus).toHaveLength(100_000);
  }, 30_000);
});

describe("exit codes", () => {
  const rows: readonly (readonly [string, number, number])[] = [
    ["invalid_request", 400, 2],
    ["unauthenticated", 401, 2],
    ["forbidden", 403, 2],
    ["not_found", 404, 4],
    ["not_changeable", 409, 5],
    ["changed_meanwhile", 412, 5],
    ["idempotency_mismatch", 422, 5],
    ["busy", 503, 69],
    ["store_unavailable", 503, 69],
    ["unknown", 503, 69],
    ["deadline", 504, 69],
    ["a_code_of_a_newer_engine", 409, 5],
    ["a_code_of_a_newer_engine", 418, 1],
  ];
  test.each(rows)("%s (%d) ends with %d", async (code, status, exitCode) => {
    api.say(() =>
      sayProblem(code, status, { errors: [{ field: "sale", message: "must be other" }] }),
    );
    const ran = await run(["sale", "pause", "diwali-drop"]);
    expect([ran.exitCode, ran.stdout]).toEqual([exitCode, ""]);
    expect(ran.stderr).toStartWith(`doorbuster: Title of ${code} (${code})\n`);
    expect(ran.stderr).toContain("sale must be other");
  });

  test.each([
    [["sale", "aply"], "Did you mean apply?"],
    [["sale", "apply"], "required option '-f, --file <path>' not specified"],
    [["sale", "pause"], "missing required argument 'sale'"],
    [["sale", "list", "--colour"], "unknown option '--colour'"],
    [["sale", "list", "--server", "ftp://x"], "must be an address such as http://127.0.0.1:3000"],
    [["sale", "list", "--server", "http://me:pw@x"], "must be an address such as"],
    [["sale", "add-stock", "a", "b", "many"], "<units> must be a whole number"],
    [["sale", "add-stock", "a", "b", "0"], "<units> must be a whole number"],
    [["sku", "explain", "lamp"], "must be a sale and one of its SKUs"],
    [["merchant", "create", " "], "<name> must be 1 to 200 characters"],
    [["sale", "end", "a", "--idempotency-key", "with space"], "1 to 255 visible ASCII"],
    [[], "Usage: doorbuster"],
  ])("%p is wrong usage: 2", async (args, message) => {
    const ran = await run(args);
    expect([ran.exitCode, ran.stdout, asked.length]).toEqual([2, "", 0]);
    expect(ran.stderr).toContain(message);
  });

  test("help was asked for: 0, on standard output", async () => {
    const ran = await run(["sale", "--help"]);
    expect([ran.exitCode, ran.stderr]).toEqual([0, ""]);
    for (const name of ["apply", "list", "show", "report", "pause", "resume", "end", "extend"]) {
      expect(ran.stdout).toContain(`  ${name} `);
    }
  });

  test("nobody listens: 69, with a hint", async () => {
    const idle = Bun.listen({ port: 0, hostname: "127.0.0.1", socket: { data: () => {} } });
    const url = `http://127.0.0.1:${idle.port}`;
    idle.stop(true);
    const ran = await run(["sale", "list", "--server", url]);
    expect(ran.exitCode).toBe(69);
    expect(ran.stderr).toContain(
      "Start one with `doorbuster serve`, or name another with --server",
    );
  });

  test("something else than an engine answers: 69; the key is not sent on to where it points", async () => {
    const hits: string[] = [];
    const other = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: ({ url }) => {
        hits.push(url);
        return new Response("<html>", { headers: { "content-type": "text/html" } });
      },
    });
    api.say(() => ({ status: 302, body: {}, headers: { location: String(other.url) } }));
    expect((await run(["sale", "list"])).exitCode).toBe(69);
    expect(hits).toEqual([]);
    expect((await run(["sale", "list", "--server", String(other.url)])).exitCode).toBe(69);
    await other.stop(true);
  });

  test("Ctrl-C while the engine is silent: 130, with the key that repeats the change", async () => {
    const reached = Promise.withResolvers<void>();
    const release = Promise.withResolvers<Said>();
    api.say(() => {
      reached.resolve();
      return release.promise;
    });
    const child = Bun.spawn([process.execPath, CLI_MAIN, "sale", "pause", "diwali-drop"], {
      cwd: folder,
      env: environment(),
      stderr: "pipe",
    });
    await reached.promise;
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    const key = asked[0]?.headers.get("idempotency-key");
    expect(await child.stderr.text()).toContain(`--idempotency-key ${key}`);
    release.resolve({ body: SALE });
  });
});

describe("changes", () => {
  test("add-stock carries a key of its own, and the same one when it is repeated", async () => {
    api.say(() => sayProblem("unknown", 503));
    const first = await run(["sale", "add-stock", "diwali-drop", "diya-lamp", "500"]);
    expect(first.exitCode).toBe(69);
    const key = asked[0]?.headers.get("idempotency-key") ?? "";
    expect(key).toMatch(/^[0-9a-f-]{36}$/);
    expect(first.stderr).toContain(`To repeat this very change: --idempotency-key ${key}`);
    api.say(() => ({ body: SALE }));
    const args = ["sale", "add-stock", "diwali-drop", "diya-lamp", "500", "--idempotency-key", key];
    const second = await run(args);
    expect(second.stdout).toBe("diwali-drop: diya-lamp +500; the sale is scheduled\n");
    expect(asked.map(({ path, body }) => [path, body])).toEqual([
      ["/v1/admin/sales/diwali-drop/skus/diya-lamp/stock", '{"delta":500}'],
      ["/v1/admin/sales/diwali-drop/skus/diya-lamp/stock", '{"delta":500}'],
    ]);
    expect(asked[1]?.headers.get("idempotency-key")).toBe(key);
  });

  test("add-stock takes back with a negative number", async () => {
    api.say(() => ({ body: SALE }));
    expect((await run(["sale", "add-stock", "--", "a", "b", "-5"])).exitCode).toBe(0);
    expect(asked[0]?.body).toBe('{"delta":-5}');
  });

  test.each(["pause", "resume", "end"])(
    "%s posts to its own path, without a body",
    async (name) => {
      api.say(() => ({ body: SALE }));
      const ran = await run(["sale", name, "../x y", "--json"]);
      expect(JSON.parse(ran.stdout)).toEqual(SALE);
      expect(asked.map(({ method, path, body }) => [method, path, body])).toEqual([
        ["POST", `/v1/admin/sales/..%2Fx%20y/${name}`, ""],
      ]);
    },
  );

  test("extend reads the time in the sale's zone and sends an instant", async () => {
    api.say(({ method }) => ({ body: method === "GET" ? { items: [SALE], next: null } : SALE }));
    const extend = ["sale", "extend", "diwali-drop", "--ends-at"];
    const ran = await run([...extend, "2026-11-30T21:00:00"]);
    expect(ran.exitCode).toBe(0);
    expect(asked.at(-1)?.body).toBe('{"endsAt":"2026-11-30T15:30:00.000Z"}');
    expect(ran.stderr).toContain("2026-11-30T21:00:00+05:30 = 2026-11-30T15:30:00.000Z");
    expect((await run([...extend, "2026-11-30T15:30:00Z"])).exitCode).toBe(0);
    expect(asked.at(-1)?.body).toBe('{"endsAt":"2026-11-30T15:30:00.000Z"}');
    const wrong = await run([...extend, "2026-11-30T21:00:00+01:00"]);
    expect(wrong.exitCode).toBe(2);
    expect(wrong.stderr).toContain("which is +05:30 then");
  });
});
