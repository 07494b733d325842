// bun run bench: see options.ts for what it takes and README.md for what it measures.

import { unreachable } from "../src/core/assert.ts";
import { runGrowth } from "./growth/growth.ts";
import { LATEST, parseOptions, USAGE } from "./options.ts";
import { compareReport } from "./report/compare.ts";
import { growthReport } from "./report/growth-table.ts";
import { growthPage, htmlReport } from "./report/html.ts";
import { type ArmRow, type BenchResult, benchResult } from "./report/schema.ts";
import { terminalReport } from "./report/table.ts";
import { runBench } from "./session/run.ts";

const EXIT_BROKEN = 1;
const EXIT_USAGE = 2;
const EXIT_FAILED = 3;

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  const startedMs = performance.now();
  const say = (line: string): void => {
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
    process.stderr.write(`${seconds.padStart(4)} s  ${line}\n`);
  };
  switch (options.kind) {
    case "help":
      console.log(USAGE);
      return 0;
    case "wrong":
      console.error(`${options.message}\n\n${USAGE}`);
      return EXIT_USAGE;
    case "run": {
      const result = await runBench(options.plan, ["bun run bench", ...args].join(" "), say);
      const json = JSON.stringify(result, null, 1);
      await Bun.write(options.out, json);
      await Bun.write(htmlPathOf(options.out), htmlReport(result));
      console.log(options.isJson ? json : terminalReport(result));
      say(`wrote ${options.out} and ${htmlPathOf(options.out)}`);
      return result.passed ? 0 : EXIT_FAILED;
    }
    case "growth": {
      const growth = await runGrowth(say, { isShort: false, rows: await rowsOf(LATEST) });
      const json = JSON.stringify(growth, null, 1);
      await Bun.write(options.out, json);
      await Bun.write(htmlPathOf(options.out), growthPage(growth));
      console.log(options.isJson ? json : growthReport(growth));
      say(`wrote ${options.out} and ${htmlPathOf(options.out)}`);
      return 0;
    }
    case "compare": {
      const [before, after] = [await readResult(options.before), await readResult(options.after)];
      console.log(compareReport(before, after));
      return 0;
    }
    default:
      return unreachable(options);
  }
}

function htmlPathOf(path: string): string {
  return `${path.replace(/\.json$/, "")}.html`;
}

/** Throws when it is no result of this version of the bench. */
async function readResult(path: string): Promise<BenchResult> {
  const parsed = benchResult.safeParse(await Bun.file(path).json());
  if (parsed.success) return parsed.data;
  throw new Error(`${path} is no result of this bench: ${parsed.error.issues[0]?.message}`);
}

/** The rows of the last run, which hold this machine's prices; none before the first. */
async function rowsOf(path: string): Promise<readonly ArmRow[]> {
  return (await Bun.file(path).exists()) ? (await readResult(path)).arms : [];
}

async function run(): Promise<number> {
  try {
    return await main(process.argv.slice(2));
  } catch (cause) {
    console.error(cause);
    return EXIT_BROKEN;
  }
}

process.exit(await run());
