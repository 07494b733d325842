// What the architecture rules read: files with their text, and the same text without what is not
// code. Rules are pure functions of these, so that a bad sample can be fed to each.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Source = {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly text: string;
};

/** One broken rule: `path:line: what and what instead`. */
export type Problem = string;

export const ROOT = join(import.meta.dir, "..", "..", "..");

const BINARY = /\.(png|jpg|ico|woff2|bin|db|golden)$/;

/** Every file that is tracked or would be, in the order of its path. */
export async function sourcesOf(root: string): Promise<Source[]> {
  const paths = (await pathsFromGit(root)) ?? (await pathsFromDisk(root));
  return paths
    .filter((path) => !BINARY.test(path) && existsSync(join(root, path)))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

async function pathsFromGit(root: string): Promise<string[] | undefined> {
  if (Bun.which("git") === null || !existsSync(join(root, ".git"))) return undefined;
  const git = Bun.spawn(["git", "ls-files", "-co", "--exclude-standard", "-z"], {
    cwd: root,
    stdin: "ignore",
    stderr: "ignore",
  });
  const output = await new Response(git.stdout).text();
  return (await git.exited) === 0 ? output.split("\0").filter((path) => path !== "") : undefined;
}

/** An exported tree without git: everything but what .gitignore names. */
async function pathsFromDisk(root: string): Promise<string[]> {
  const ignored = /^(node_modules|\.tools|\.git|\.doorbuster|data|coverage|bench\/results)\//;
  const paths: string[] = [];
  for await (const path of new Bun.Glob("**/*").scan({ cwd: root, dot: true })) {
    if (!ignored.test(path) && !path.endsWith(".log") && path !== ".env") paths.push(path);
  }
  return paths;
}

export const isTypeScript = (path: string): boolean =>
  path.endsWith(".ts") && !path.endsWith(".d.ts");

export const isTest = (path: string): boolean =>
  /\.test(-support)?\.ts$/.test(path) || path.startsWith("test/");

/** `path:line` of an offset in a file. */
export function placeOf(source: Source, offset: number): string {
  return `${source.path}:${source.text.slice(0, offset).split("\n").length}`;
}

type Keep = { readonly strings: boolean };

/**
 * The text with comments (and, unless kept, what stands in strings) turned into spaces: offsets and
 * lines stay where they are.
 *
 * A small scanner and no parser. It tells a regular expression from a division by what stands
 * before it.
 */
export function codeOf(text: string, keep: Keep = { strings: false }): string {
  return new Scanner(text, keep).run();
}

const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[`{}]|\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g;

class Scanner {
  readonly #text: string;
  readonly #keep: Keep;
  #out = "";
  #position = 0;
  /** For each open template, the depth of braces inside of its `${`. */
  readonly #templates: number[] = [];

  constructor(text: string, keep: Keep) {
    this.#text = text;
    this.#keep = keep;
  }

  run(): string {
    const token = new RegExp(TOKEN);
    while (this.#position < this.#text.length) {
      token.lastIndex = this.#position;
      const match = token.exec(this.#text);
      if (match === null) break;
      this.#copyTo(match.index);
      this.#take(match[0]);
    }
    this.#copyTo(this.#text.length);
    return this.#out;
  }

  #take(token: string): void {
    const first = token[0];
    if (token.startsWith("//") || token.startsWith("/*")) this.#blank(token.length);
    else if (first === '"' || first === "'") this.#string(token.length);
    else if (first === "/") this.#regularExpression(token);
    else if (first === "`") this.#template();
    else this.#brace(token);
  }

  #brace(token: string): void {
    const depth = this.#templates.at(-1);
    this.#copyTo(this.#position + 1);
    if (depth === undefined) return;
    if (token === "{") this.#templates[this.#templates.length - 1] = depth + 1;
    else if (depth > 0) this.#templates[this.#templates.length - 1] = depth - 1;
    else {
      this.#templates.pop();
      this.#templateText();
    }
  }

  #template(): void {
    this.#copyTo(this.#position + 1);
    this.#templateText();
  }

  /** From inside a template to its end, or to the next `${`. */
  #templateText(): void {
    const rest = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*/y;
    rest.lastIndex = this.#position;
    const length = rest.exec(this.#text)?.[0].length ?? 0;
    this.#string(length);
    if (this.#text[this.#position] === "$") {
      this.#copyTo(this.#position + 2);
      this.#templates.push(0);
    } else {
      this.#copyTo(this.#position + 1);
    }
  }

  #regularExpression(token: string): void {
    const before = this.#out.trimEnd();
    const isExpression = /(^|[(,=:[!&|?{};+*%<>~^-]|\b(return|typeof|case|of|in))$/.test(before);
    if (isExpression) this.#string(token.length);
    else this.#copyTo(this.#position + 1);
  }

  #string(length: number): void {
    if (this.#keep.strings) this.#copyTo(this.#position + length);
    else this.#blank(length);
  }

  #blank(length: number): void {
    const end = this.#position + length;
    this.#out += this.#text.slice(this.#position, end).replace(/[^\n]/g, " ");
    this.#position = end;
  }

  #copyTo(end: number): void {
    this.#out += this.#text.slice(this.#position, end);
    this.#position = Math.max(end, this.#position);
  }
}
