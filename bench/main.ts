// bun run bench: see options.ts for what it takes and README.md for what it measures.

import { parseOptions, USAGE } from "./options.ts";
import { terminalReport } from "./report/table.ts";
import { runBench } from "./session/run.ts";

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
      console.log(options.isJson ? json : terminalReport(result));
      return result.passed ? 0 : EXIT_FAILED;
    }
    case "growth":
    case "compare":
      return EXIT_USAGE;
  }
}

process.exit(await main(process.argv.slice(2)));
