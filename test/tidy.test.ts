// The architecture, as a test: design §4 and the house style. Each rule is also fed a bad sample,
// because a check that cannot fail is a defect.
//
// Function length, floating promises and `any` behind types are oxlint's (`bun run lint`); that it
// is configured to refuse them is tested here.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { forgetFolder, temporaryFolder } from "./support/process.ts";
import {
  corePurityProblems,
  importCycleProblems,
  importDirectionProblems,
} from "./support/tidy/imports.ts";
import {
  anyProblems,
  environmentProblems,
  fileNameProblems,
  foreignProblems,
  leftToDoProblems,
  luaHeaderProblems,
  sizeProblems,
  skipProblems,
} from "./support/tidy/rules.ts";
import { codeOf, type Problem, ROOT, type Source, sourcesOf } from "./support/tidy/source.ts";

const sources = await sourcesOf(ROOT);

const file = (path: string, ...lines: string[]): Source => ({ path, text: lines.join("\n") });
const filled = (path: string, lineCount: number): Source => ({
  path,
  text: "-- line\n".repeat(lineCount),
});

type Rule = {
  readonly name: string;
  readonly problemsOf: (source: Source) => Problem[];
  readonly bad: readonly Source[];
  readonly good: readonly Source[];
};

const RULES: readonly Rule[] = [
  {
    name: "imports point down: main, cli → engine → http … payments → core",
    problemsOf: importDirectionProblems,
    bad: [
      file("src/core/a.ts", 'import { x } from "../store/x.ts";'),
      file("src/actors/a.ts", 'import type { X } from "../http/x.ts";'),
      file("src/shop/a.ts", 'export * from "../http/x.ts";'),
      file("src/http/a.ts", 'const x = await import("../actors/x.ts");'),
      file("src/engine/a.ts", 'import "../cli/main.ts";'),
      file("src/store/redis/a.ts", 'import { x } from "../../config.ts";'),
      file("src/core/a.ts", 'import { x } from "../../test/support/x.ts";'),
      file("src/core/a.ts", 'import { x } from "./x";'),
      file("src/core/a.ts", "import {", "  x,", '} from "../shop/x.ts";'),
      file("src/helpers/a.ts"),
    ],
    good: [
      file("src/http/a.ts", 'import { x } from "../shop/x.ts";', 'import { y } from "./y.ts";'),
      file("src/engine/a.ts", 'import { x } from "../actors/x.ts";', 'import z from "zod";'),
      file("src/core/a.ts", '// import { x } from "../store/x.ts"'),
      file("src/actors/a.test.ts", 'import { x } from "../store/sqlite/x.ts";'),
    ],
  },
  {
    name: "src/core is pure: no package, I/O, clock or chance",
    problemsOf: corePurityProblems,
    bad: [
      file("src/core/a.ts", 'import { readFileSync } from "node:fs";'),
      file("src/core/a.ts", 'import { z } from "zod";'),
      file("src/core/a.ts", 'import { Database } from "bun:sqlite";'),
      file("src/core/a.ts", "const now = Date.now();"),
      file("src/core/a.ts", "const now = new Date();"),
      file("src/core/a.ts", "const now = performance.now();"),
      file("src/core/a.ts", "const chance = Math.random();"),
      file("src/core/a.ts", "const id = crypto.randomUUID();"),
      file("src/core/a.ts", "const { pid } = process['versions'];"),
      file("src/core/a.ts", "setTimeout(f, 1);"),
      file("src/core/a.ts", "const hash = Bun.hash(x);"),
      file("src/core/ids.ts", 'const file = Bun.file("x");'),
      file("src/core/a.ts", "const text = `${Date.now()}`;"),
    ],
    good: [
      file("src/core/ids.ts", "const hash = Bun.hash.xxHash64(text);"),
      file("src/core/a.ts", "// Date.now() is an argument", "const at = new Date(nowMs);"),
      file("src/core/a.ts", 'const message = "Math.random() is not used";'),
      file("src/core/a.test.ts", 'import fc from "fast-check";'),
      file("src/shop/a.ts", "const now = Date.now();"),
    ],
  },
  {
    name: "files have at most 400 lines, Lua scripts 125",
    problemsOf: sizeProblems,
    bad: [
      filled("src/core/a.ts", 401),
      filled("src/store/redis/scripts/a.lua", 126),
      file("scripts/a.sh", "x".repeat(101)),
    ],
    good: [
      filled("src/core/a.ts", 400),
      filled("src/store/redis/scripts/a.lua", 125),
      filled("docs/adr/0001-x.md", 900),
    ],
  },
  {
    name: "each Lua script begins with its contract",
    problemsOf: luaHeaderProblems,
    bad: [
      file("src/a.lua", "local x = 1"),
      file("src/a.lua", "#!lua flags=allow-oom", "--", "local x = 1"),
    ],
    good: [
      file("src/a.lua", "-- commit: appends one batch", "local x = 1"),
      file("src/a.lua", "#!lua flags=allow-oom", "--[[", "  Appends one batch.", "]]"),
    ],
  },
  {
    name: "no any, and nothing that silences the type checker",
    problemsOf: anyProblems,
    bad: [
      file("src/core/a.ts", "let x: any;"),
      file("test/a.ts", "const x = y as any;"),
      file("src/core/a.ts", "type X = Record<string, any>;"),
      file("src/core/a.ts", "const f = (...rest: any[]) => rest;"),
      file("src/core/a.ts", "// @ts-" + "ignore", "f();"),
    ],
    good: [
      file("src/core/a.ts", "// any order", 'const x = "any"; const y = /any/;'),
      file("src/core/a.ts", "await Promise.any([a, b]);", "const many: string[] = [];"),
    ],
  },
  {
    name: "nothing is left to do",
    problemsOf: leftToDoProblems,
    bad: [file("src/core/a.ts", `// ${"TO" + "DO"}: later`), file("scripts/a.sh", "# FIX" + "ME")],
    good: [file("src/core/a.ts", "const todo = 1;"), file("docs/a.md", "TO" + "DO")],
  },
  {
    name: "only src/config.ts, the programs' main files and the CLI read the environment",
    problemsOf: environmentProblems,
    bad: [
      file("src/engine/a.ts", "const x = process.env.PORT;"),
      file("src/http/a.ts", 'const x = Bun.env["PORT"];'),
      file("src/payments/simulator/book.ts", "const x = import.meta.env.X;"),
    ],
    good: [
      file("src/config.ts", "const x = process.env;"),
      file("src/main.ts", "run(process.env);"),
      file("src/cli/commands/a.ts", "const x = process.env;"),
      file("src/payments/simulator/main.ts", "const x = process.env;"),
      file("src/http/a.ts", "// process.env is read by src/config.ts"),
    ],
  },
  {
    name: "no file names a package registry or a folder of one machine",
    problemsOf: foreignProblems,
    bad: [
      file("README.md", "see https://reg" + "istry.example.org/x"),
      file("scripts/a.sh", "cd /wo" + "rk/main"),
      file("src/a.ts", 'const x = "/ho' + 'me/me/data";'),
    ],
    good: [
      file("README.md", "see ./work/list and https://example.org/home/x"),
      file("Dockerfile", "WORKDIR /app"),
    ],
  },
  {
    name: "a test that does not run says why in its name",
    problemsOf: skipProblems,
    bad: [
      file("src/a.test.ts", 'test.skip("sells", () => {});'),
      file("src/a.test.ts", 'test.skipIf(noRedis)("sells", () => {});'),
      file("src/a.test.ts", 'test.todo("sells");'),
      file("src/a.test.ts", 'test.only("sells (skipped: x)", () => {});'),
      file("src/a.test.ts", 'describe.skip("a", () => {});'),
    ],
    good: [
      file("src/a.test.ts", 'test.skip("sells (skipped: no faketime here)", () => {});'),
      file("src/a.test.ts", 'test.skipIf(x)("sells (skipped: no faketime here)", () => {});'),
      file("src/a.test.ts", 'test("sells", () => {});'),
    ],
  },
  {
    name: "files are named in kebab-case",
    problemsOf: fileNameProblems,
    bad: [file("src/core/saleState.ts"), file("src/Core.ts"), file("test/a_b.test.ts")],
    good: [file("src/core/sale-state.test.ts"), file("scripts/up.sh"), file("README.md")],
  },
];

describe.each([...RULES])("$name", ({ problemsOf, bad, good }) => {
  test("holds for every file", () => {
    expect(sources.flatMap(problemsOf)).toEqual([]);
  });

  test.each(bad.map((source) => [source.text.slice(0, 60), source] as const))(
    "refuses %j",
    (_, source) => {
      expect(problemsOf(source)).not.toEqual([]);
    },
  );

  test("leaves the good samples alone", () => {
    expect(good.flatMap(problemsOf)).toEqual([]);
  });
});

describe("no import cycles", () => {
  test("holds for every file", () => {
    expect(importCycleProblems(sources)).toEqual([]);
  });

  test("refuses a cycle of three files, also through types", () => {
    const cycle = [
      file("src/core/a.ts", 'import { b } from "./b.ts";'),
      file("src/core/b.ts", 'import type { C } from "./sale/c.ts";'),
      file("src/core/sale/c.ts", 'export { a } from "../a.ts";'),
    ];
    expect(importCycleProblems(cycle)).toEqual([
      "import cycle: src/core/a.ts → src/core/b.ts → src/core/sale/c.ts → src/core/a.ts",
    ]);
    expect(importCycleProblems(cycle.slice(0, 2))).toEqual([]);
  });
});

describe("the scanner behind the rules", () => {
  test("keeps code, offsets and lines, and blanks comments and strings", () => {
    const text = 'const a = "x"; // y\nconst b = `p${c /* d */}q` / 2 / e;\nconst f = /["\'`]/g;\n';
    const code = codeOf(text);
    expect(code.length).toBe(text.length);
    expect(code.replace(/ +/g, " ")).toBe(
      "const a = ; \nconst b = ` ${c } ` / 2 / e;\nconst f = ;\n",
    );
  });

  test("sees the whole repository", () => {
    const paths = sources.map(({ path }) => path);
    expect(paths).toContain("src/core/ids.ts");
    expect(paths).toContain("test/tidy.test.ts");
  });
});

describe("oxlint is set up to refuse", () => {
  const folder = temporaryFolder("lint");
  afterAll(() => forgetFolder(folder));

  const SAMPLES: Record<string, string> = {
    "src/long.ts": `export function long(): void {\n${"  f();\n".repeat(71)}}\nfunction f(): void {}\n`,
    "src/floating.ts":
      "async function f(): Promise<void> {}\nexport const g = (): void => {\n  f();\n};\n",
    "src/misused.ts":
      "async function f(): Promise<void> {}\n[1].forEach(async () => {\n  await f();\n});\nexport {};\n",
    "src/not-awaitable.ts": "export const n = await 1;\n",
    "src/anything.ts": "export const x = JSON.parse('1') as any;\n",
    "src/big.ts": "export const x = 1;\n" + "// line\n".repeat(400),
    "src/left.ts":
      'import { right } from "./right.ts";\nexport const left = (): number => right();\n',
    "src/right.ts":
      'import { left } from "./left.ts";\nexport const right = (): number => left();\n',
    "src/good.ts": "export const f = async (): Promise<void> => {};\nawait f();\n",
  };

  test("long functions and files, floating and misused promises, any and cycles", async () => {
    for (const [path, text] of Object.entries(SAMPLES)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    writeFileSync(
      join(folder, "tsconfig.json"),
      await Bun.file(join(ROOT, "tsconfig.json")).text(),
    );
    // oxlint looks for its type-aware half from the folder that it lints.
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    const oxlint = join(ROOT, "node_modules/oxlint/bin/oxlint");
    const config = join(ROOT, ".oxlintrc.json");
    const report = Bun.file(join(folder, "report.json"));
    const child = Bun.spawn(
      [process.execPath, oxlint, "-c", config, "--type-aware", "-f", "json", "src"],
      // A file, as oxlint exits before a pipe is read to its end.
      { cwd: folder, stdin: "ignore", stdout: report, stderr: "inherit" },
    );
    expect(await child.exited).toBe(1);
    const output = await report.text();
    const { diagnostics } = JSON.parse(output) as {
      diagnostics: { code: string; filename: string }[];
    };
    const found = diagnostics.map(({ code, filename }) => `${filename}: ${code}`);
    const expected = [
      "src/long.ts: eslint(max-lines-per-function)",
      "src/big.ts: eslint(max-lines)",
      "src/floating.ts: typescript(no-floating-promises)",
      "src/misused.ts: typescript(no-misused-promises)",
      "src/not-awaitable.ts: typescript(await-thenable)",
      "src/anything.ts: typescript(no-explicit-any)",
      "src/left.ts: import(no-cycle)",
    ];
    expect(found).toEqual(expect.arrayContaining(expected));
    expect(found.filter((line) => line.includes("good.ts"))).toEqual([]);
  });
});
