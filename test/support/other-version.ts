// A build of another format version: a copy of this tree with the numbers in core/formats.ts changed.

import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { FORMAT } from "../../src/core/formats.ts";
import { temporaryFolder } from "./process.ts";
import { ROOT } from "./tidy/source.ts";

const COPIED = ["src", "drizzle", "package.json", "tsconfig.json"];

/**
 * The root of a build whose format is `ahead` above this one's; it reads the one before too, as the
 * build after this one will.
 */
export function versionAhead(ahead: number): string {
  const root = join(temporaryFolder("version"), `ahead-${ahead}`);
  mkdirSync(root);
  for (const name of COPIED) cpSync(join(ROOT, name), join(root, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  const file = join(root, "src/core/formats.ts");
  const newest = FORMAT + ahead;
  const changed = readFileSync(file, "utf8")
    .replace(/^export const FORMAT = \d+;$/m, `export const FORMAT = ${newest};`)
    .replace(
      /^export const FORMAT_OLDEST_READ = \d+;$/m,
      `export const FORMAT_OLDEST_READ = ${newest - 1};`,
    );
  if (!changed.includes(`FORMAT = ${newest};`)) throw new Error("formats.ts has another form");
  writeFileSync(file, changed);
  return root;
}
