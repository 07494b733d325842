// Rules about one file at a time: size, types, environment, names.

import { codeOf, isTypeScript, placeOf, type Problem, type Source } from "./source.ts";

const FILE_LINES_MAX = 400;
const LUA_LINES_MAX = 125;
const COLUMNS_MAX = 100;

const HAND_WRITTEN = /^(src|test|bench|scripts|web)\/.*\.(ts|lua|sh|html|css|js)$/;

function linesOf(text: string): string[] {
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
}

/** At most 400 lines, 125 for Lua; shells and Lua in 100 columns (`bun fmt` sees to TypeScript). */
export function sizeProblems({ path, text }: Source): Problem[] {
  if (!HAND_WRITTEN.test(path)) return [];
  const lines = linesOf(text);
  const max = path.endsWith(".lua") ? LUA_LINES_MAX : FILE_LINES_MAX;
  const problems: Problem[] = [];
  if (lines.length > max) problems.push(`${path}: ${lines.length} lines, at most ${max}: split it`);
  if (/\.(lua|sh)$/.test(path)) {
    lines.forEach((line, index) => {
      if (line.length <= COLUMNS_MAX) return;
      problems.push(`${path}:${index + 1}: ${line.length} columns, at most ${COLUMNS_MAX}`);
    });
  }
  return problems;
}

/** Each script begins with its contract. */
export function luaHeaderProblems({ path, text }: Source): Problem[] {
  if (!path.endsWith(".lua") || /^(#!lua[^\n]*\n)?(--\[\[\s*\S|--[^[\n]*\w)/.test(text)) return [];
  return [`${path}:1: a script begins with a comment that says what it does and refuses`];
}

/** `any` as a type, and the comments that silence the type checker. */
export function anyProblems(source: Source): Problem[] {
  if (!isTypeScript(source.path)) return [];
  const problems: Problem[] = [];
  for (const match of codeOf(source.text).matchAll(/(?<![.\w#])any\b(?!\s*[:(]|\s*=[^=>])/g)) {
    problems.push(`${placeOf(source, match.index)}: any; use unknown and say what it is`);
  }
  for (const match of source.text.matchAll(/@ts-(?:ignore|nocheck)/g)) {
    problems.push(`${placeOf(source, match.index)}: ${match[0]} hides errors`);
  }
  return problems;
}

/** Unfinished work belongs into an issue. */
export function leftToDoProblems(source: Source): Problem[] {
  if (!HAND_WRITTEN.test(source.path)) return [];
  const marks = new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`, "g");
  return [...source.text.matchAll(marks)].map(
    (match) => `${placeOf(source, match.index)}: ${match[0]}: finish it or open an issue`,
  );
}

/** Who may read the environment: programs' main files hand it on whole, config.ts takes it apart. */
const READS_ENVIRONMENT = /^src\/(main\.ts|config\.ts|payments\/simulator\/main\.ts|cli\/.*)$/;

export function environmentProblems(source: Source): Problem[] {
  if (!source.path.startsWith("src/") || !isTypeScript(source.path)) return [];
  if (READS_ENVIRONMENT.test(source.path) || source.path.endsWith(".test.ts")) return [];
  const reads = /\b(?:process|Bun|import\s*\.\s*meta)\s*\.\s*env\b/g;
  return [...codeOf(source.text).matchAll(reads)].map(
    (match) => `${placeOf(source, match.index)}: only src/config.ts reads the environment`,
  );
}

/** Written in pieces, so that this file passes its own rule. */
const FOREIGN: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["a package registry's host", /\bregistry\.[a-z0-9-]+\.[a-z]+|np[m]js\.org/g],
  [
    "a path of one machine",
    new RegExp(
      `(?<![\\w.:/-])/(?:${["work", "root", "home", "Users", "opt"].join("|")})/[\\w.-]+`,
      "g",
    ),
  ],
];

/** The repository works anywhere: no file names a registry or a folder of some machine. */
export function foreignProblems(source: Source): Problem[] {
  const problems: Problem[] = [];
  for (const [what, pattern] of FOREIGN) {
    for (const match of source.text.matchAll(pattern)) {
      problems.push(`${placeOf(source, match.index)}: ${what} (${match[0]})`);
    }
  }
  return problems;
}

const SKIP = /\b(?:test|it|describe)\s*\.\s*(?:skip|skipIf|todo|todoIf|failing|only|if)\b/g;

/** A test that does not run says why in its name: `"… (skipped: no faketime here)"`. */
export function skipProblems(source: Source): Problem[] {
  if (!source.path.endsWith(".test.ts")) return [];
  const problems: Problem[] = [];
  for (const match of codeOf(source.text).matchAll(SKIP)) {
    const place = placeOf(source, match.index);
    if (match[0].endsWith("only")) {
      problems.push(`${place}: ${match[0]} leaves all other tests out`);
      continue;
    }
    const name = /["'`]([^"'`\n]+)["'`]\s*,/.exec(source.text.slice(match.index))?.[1] ?? "";
    if (/\(skipped: \S.*\)/.test(name)) continue;
    problems.push(`${place}: ${match[0]} "${name}": say why in its name, "(skipped: …)"`);
  }
  return problems;
}

/** kebab-case, so that one name is one name on every file system. */
export function fileNameProblems({ path }: Source): Problem[] {
  if (!HAND_WRITTEN.test(path)) return [];
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*\.[a-z]+$/.test(name)) return [];
  return [`${path}: files are named in kebab-case`];
}
