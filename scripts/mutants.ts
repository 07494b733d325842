#!/usr/bin/env bun
// Breaks the code on purpose, one way at a time, and runs the tests that must notice.
//
// Usage   bun run mutants [part of a name]
// Exit    0 when every mutant was caught, 1 when one survived, 2 when one no longer applies or a suite
//         fails with nothing broken.

import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { ACTOR_MUTANTS, PROJECTION_MUTANTS } from "../test/mutants/actors.ts";
import { CLUSTER_MUTANTS, ROUTER_MUTANTS, SCRIPT_MUTANTS } from "../test/mutants/cluster.ts";
import { CORE_MUTANTS, HOLD_MUTANTS } from "../test/mutants/core.ts";
import type { Mutant } from "../test/mutants/mutant.ts";

const ROOT = resolve(import.meta.dir, "..");
const PART = process.argv[2] ?? "";

type Suite = { readonly mutants: readonly Mutant[]; readonly command: readonly string[] };

/** A broken build may never settle: that is noticed too, and need not take long. */
const FAST = ["--bail", "--timeout", "10000"];
/** Properties are computed, not waited for: on a busy machine they take longer, and mean nothing by it. */
const COMPUTED = ["--bail", "--timeout", "40000"];
const RUN_MS_MAX = 60_000;

/** Seeds within which the simulator must notice; it ends before its time is up. */
const SIM_RUNS = ["--seed", "1", "--runs", "400", "--minutes", "0.8", "--workers", "1", "--brief"];

const SUITES: readonly Suite[] = [
  { mutants: CORE_MUTANTS, command: ["test", ...COMPUTED, "src/core/stock/book.property.test.ts"] },
  { mutants: HOLD_MUTANTS, command: ["test", ...COMPUTED, "src/core/stock/holds"] },
  { mutants: ACTOR_MUTANTS, command: ["test", ...FAST, "src/actors"] },
  { mutants: PROJECTION_MUTANTS, command: ["test", ...FAST, "src/projections"] },
  { mutants: CLUSTER_MUTANTS, command: ["test/sim/main.ts", ...SIM_RUNS] },
  { mutants: ROUTER_MUTANTS, command: ["test", ...FAST, "src/cluster/router.test.ts"] },
  {
    mutants: SCRIPT_MUTANTS,
    command: ["test", ...FAST, "test/conformance/journal.test.ts", "src/store/redis"],
  },
];

/** Runs one suite over a copy with one change, or none. True when the tests noticed. */
async function isCaught(mutant: Mutant | null, command: readonly string[]): Promise<boolean> {
  const copy = await mkdtemp(join(tmpdir(), "doorbuster-mutant-"));
  try {
    for (const part of ["src", "test", "package.json", "tsconfig.json", "bunfig.toml"]) {
      await cp(join(ROOT, part), join(copy, part), { recursive: true });
    }
    await symlink(join(ROOT, "node_modules"), join(copy, "node_modules"));
    if (mutant !== null) await breakIn(copy, mutant);
    // Tests that are cut short leave their servers' data: it goes with the copy.
    const folder = join(copy, "tmp");
    await mkdir(folder);
    const run = Bun.spawn([process.execPath, ...command], {
      cwd: copy,
      env: { ...process.env, TMPDIR: folder },
      stdout: "ignore",
      stderr: "ignore",
      timeout: RUN_MS_MAX,
      killSignal: "SIGKILL",
    });
    return (await run.exited) !== 0;
  } finally {
    // Its servers end a moment after it, and may still write.
    await rm(copy, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

async function breakIn(copy: string, mutant: Mutant): Promise<void> {
  const path = join(copy, mutant.file);
  const source = await readFile(path, "utf8");
  const places = source.split(mutant.find).length - 1;
  if (places !== 1) {
    process.stderr.write(`${mutant.name}: its text stands ${places} times in ${mutant.file}\n`);
    process.exit(2);
  }
  await writeFile(
    path,
    source.replace(mutant.find, () => mutant.replace),
  );
}

let total = 0;
let caught = 0;
for (const { mutants, command } of SUITES) {
  const chosen = mutants.filter(({ name }) => name.includes(PART));
  // A suite that always fails would notice everything.
  if (chosen.length > 0 && (await isCaught(null, command))) {
    process.stderr.write(`fails with nothing broken: bun ${command.join(" ")}\n`);
    process.exit(2);
  }
  for (const mutant of chosen) {
    total++;
    const noticed = await isCaught(mutant, command);
    if (noticed) caught++;
    process.stdout.write(`${noticed ? "caught  " : "SURVIVED"} ${mutant.name}\n`);
  }
}
process.stdout.write(`${caught}/${total} mutants caught\n`);
process.exit(caught === total ? 0 : 1);
