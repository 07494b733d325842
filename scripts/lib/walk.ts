// The README's curl walk, for a given engine and sale: `bun scripts/lib/walk.ts URL SALE` prints
// it. The README is its only source, so that what up.sh prints and what readers see is one text.

import { readFileSync } from "node:fs";
import { join } from "node:path";

const WALK = /<!-- walk -->\s*```sh\n([\s\S]*?)```/;

/** The shell lines after `<!-- walk -->`, with their URL and SALE replaced. */
export function walkOf(readme: string, url: string, sale: string): string {
  const walk = WALK.exec(readme)?.[1];
  if (walk === undefined) throw new Error("README.md has no <!-- walk --> block");
  return replaceLine(replaceLine(walk, "URL", url), "SALE", sale);
}

function replaceLine(walk: string, name: string, value: string): string {
  const line = new RegExp(`^${name}=.*$`, "m");
  if (!line.test(walk)) throw new Error(`README.md's walk has no line ${name}=…`);
  return walk.replace(line, () => `${name}=${value}`);
}

if (import.meta.main) {
  const [, , url, sale] = Bun.argv;
  if (url === undefined || sale === undefined) throw new Error("usage: bun …/walk.ts URL SALE");
  const readme = readFileSync(join(import.meta.dir, "../../README.md"), "utf8");
  process.stdout.write(walkOf(readme, url, sale));
}
