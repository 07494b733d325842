// The bench's command line.

import { parseArgs } from "node:util";

import { ARM_IDS, type ArmId } from "./arms/arm.ts";
import { fullPlan, type Plan, quickPlan } from "./session/plan.ts";
import { type Scenario, SCENARIOS } from "./session/scenario.ts";

export const USAGE = `bun run bench [options]            about 15 minutes
bun run bench --quick              under 90 s
bun run bench --soak 1h            doorbuster at 70 % of its capacity, for that long
bun run bench growth               operations and memory against size
bun run bench compare A.json B.json

  --arms a,b        ${ARM_IDS.join(", ")}
  --scenario a,b    ${SCENARIOS.join(", ")}
  --rounds N        interleaved rounds
  --workers N       generator processes for each node of an arm
  --seed N          order of the arms, arrivals, choice of SKUs
  --json            the result as JSON on standard output instead of the table
  --out FILE        where the JSON goes (bench/results/latest.json); the HTML goes beside it

Exit code 0: passed; 2: wrong usage; 3: a threshold, an audit or a self-test failed.`;

export type Options =
  | { readonly kind: "run"; readonly plan: Plan; readonly isJson: boolean; readonly out: string }
  | { readonly kind: "growth"; readonly isJson: boolean; readonly out: string }
  | { readonly kind: "compare"; readonly before: string; readonly after: string }
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly message: string };

const SPEC = {
  quick: { type: "boolean" },
  soak: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean" },
  arms: { type: "string" },
  scenario: { type: "string" },
  rounds: { type: "string" },
  workers: { type: "string" },
  seed: { type: "string" },
  out: { type: "string" },
} as const;

const RESULTS = `${import.meta.dir}/results`;
export const LATEST = `${RESULTS}/latest.json`;

export function parseOptions(args: readonly string[]): Options {
  try {
    return parse(args);
  } catch (cause) {
    return { kind: "wrong", message: cause instanceof Error ? cause.message : String(cause) };
  }
}

function parse(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: SPEC,
    allowPositionals: true,
  });
  const [command, ...files] = positionals;
  const isJson = values.json === true;
  if (values.help === true) return { kind: "help" };
  if (command === "compare") {
    const [before, after, ...more] = files;
    if (before === undefined || after === undefined || more.length > 0) {
      throw new Error("compare takes two files");
    }
    return { kind: "compare", before, after };
  }
  if (command === "growth") {
    return { kind: "growth", isJson, out: values.out ?? `${RESULTS}/growth.json` };
  }
  if (command !== undefined) throw new Error(`unknown command ${command}`);
  const seed = wholeNumber("seed", values.seed, 0) ?? Math.floor(Math.random() * 1e6);
  let plan = values.quick === true ? quickPlan(seed) : fullPlan(seed);
  if (values.arms !== undefined) plan = { ...plan, arms: known("arm", values.arms, ARM_IDS) };
  if (values.scenario !== undefined) plan = withScenarios(plan, values.scenario);
  const rounds = wholeNumber("rounds", values.rounds, 1);
  const workers = wholeNumber("workers", values.workers, 1);
  plan = { ...plan, rounds: rounds ?? plan.rounds, workers: workers ?? plan.workers };
  if (values.soak !== undefined) {
    const arms: ArmId[] = values.arms === undefined ? ["doorbuster"] : [...plan.arms];
    const soakMs = durationMs(values.soak);
    plan = { ...plan, mode: "soak", arms, scenarios: ["hot"], soakMs, isGrowthMeasured: false };
  }
  return { kind: "run", plan, isJson, out: values.out ?? LATEST };
}

/** A scenario that is asked for is prepared, also in a quick run. */
function withScenarios(plan: Plan, text: string): Plan {
  const scenarios = known<Scenario>("scenario", text, SCENARIOS);
  const catalogueSize = scenarios.includes("catalogue") ? 10_000 : plan.catalogueSize;
  return { ...plan, scenarios, catalogueSize };
}

function known<T extends string>(what: string, text: string, all: readonly T[]): readonly T[] {
  return text.split(",").map((name) => {
    const found = all.find((one) => one === name.trim());
    if (found === undefined) throw new Error(`unknown ${what} ${name}; known: ${all.join(", ")}`);
    return found;
  });
}

function wholeNumber(name: string, text: string | undefined, min: number): number | null {
  if (text === undefined) return null;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min) return value;
  throw new Error(`--${name} ${text}: a whole number of at least ${min}`);
}

/** `90s`, `10m`, `1h`. */
function durationMs(text: string): number {
  const [, amount, unit] = /^(\d{1,5})(s|m|h)$/.exec(text) ?? [];
  if (amount === undefined) throw new Error(`--soak ${text}: a duration such as 10m or 1h`);
  return Number(amount) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as "s" | "m" | "h"];
}
