// Rules about who may import whom.

import { posix } from "node:path";

import { codeOf, isTest, isTypeScript, placeOf, type Problem, type Source } from "./source.ts";

type Import = { readonly specifier: string; readonly offset: number };

const IMPORT = /\b(?:from|import)\s*\(?\s*(["'])([^"'\n]+)\1/g;

/** Every static, dynamic and type-only import of a file. */
function importsOf(source: Source): Import[] {
  const code = codeOf(source.text, { strings: true });
  return [...code.matchAll(IMPORT)].map((match) => ({
    specifier: match[2] ?? "",
    offset: match.index,
  }));
}

const isRelative = (specifier: string): boolean => /^\.\.?(\/|$)/.test(specifier);

/** The imported file's path in the repository. */
function targetOf(source: Source, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(source.path), specifier));
}

const BELOW_ENGINE = ["http", "shop", "projections", "actors", "cluster", "store", "payments"];

/** Design §4: imports point down, and never sideways but from http to shop. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  payments: ["core"],
  store: ["core"],
  cluster: ["core"],
  actors: ["core"],
  projections: ["core"],
  shop: ["core"],
  http: ["core", "shop"],
  engine: ["core", "config.ts", ...BELOW_ENGINE],
  cli: ["core", "config.ts", "engine", ...BELOW_ENGINE],
  "main.ts": ["core", "config.ts", "engine", ...BELOW_ENGINE],
  "config.ts": ["core"],
};

/** Who knows the environment; the simulator is a program of its own and knows only its own. */
const layerOf = (path: string): string => path.split("/")[1] ?? "";

export function importDirectionProblems(source: Source): Problem[] {
  if (!source.path.startsWith("src/") || !isTypeScript(source.path) || isTest(source.path)) {
    return [];
  }
  const layer = layerOf(source.path);
  const allowed = MAY_IMPORT[layer];
  if (allowed === undefined) return [`${source.path}: src/${layer} is no part of design §4`];
  const problems: Problem[] = [];
  for (const { specifier, offset } of importsOf(source)) {
    if (!isRelative(specifier)) continue;
    const target = targetOf(source, specifier);
    const place = placeOf(source, offset);
    if (target === "package.json") continue;
    if (!target.startsWith("src/")) {
      problems.push(`${place}: src imports ${target}, which is outside of src`);
    } else if (layerOf(target) !== layer && !allowed.includes(layerOf(target))) {
      const may = allowed.length === 0 ? "nothing else" : allowed.join(", ");
      problems.push(`${place}: ${layer} imports ${target}; it may import ${may}`);
    } else if (!/\.(ts|json|lua|sql|html|css|txt|yaml)$/.test(target)) {
      problems.push(`${place}: "${specifier}" lacks its extension`);
    }
  }
  return problems;
}

/** Each cycle once, as `a → b → a`; type-only imports count. */
export function importCycleProblems(sources: readonly Source[]): Problem[] {
  const graph = graphOf(sources);
  const done = new Set<string>();
  const problems: Problem[] = [];

  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      const cycle = [...trail.slice(start), path];
      problems.push(`import cycle: ${cycle.join(" → ")}`);
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return problems;
}

function graphOf(sources: readonly Source[]): Map<string, string[]> {
  const files = sources.filter(({ path }) => isTypeScript(path));
  const known = new Set(files.map(({ path }) => path));
  return new Map(
    files.map((source) => {
      const targets = importsOf(source)
        .filter(({ specifier }) => isRelative(specifier))
        .map(({ specifier }) => targetOf(source, specifier))
        .filter((target) => known.has(target));
      return [source.path, [...new Set(targets)]];
    }),
  );
}

const IMPURE: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["the clock", /\bDate\s*\.\s*now\b|\bnew\s+Date\s*\(\s*\)|(?<!new\s)\bDate\s*\(/g],
  ["the clock", /(?<![.\w])performance\s*\./g],
  ["randomness", /\bMath\s*\.\s*random\b|(?<![.\w])crypto\s*\./g],
  ["the process", /(?<![.\w])process\s*[.[]|\bimport\s*\.\s*meta\b|\brequire\s*\(/g],
  ["timers", /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/g],
  ["I/O", /(?<![.\w])(?:fetch\s*\(|console\s*\.|WebSocket\b)/g],
  ["Bun", /(?<![.\w])Bun\s*[.[](?:\s*[A-Za-z]+)?/g],
];

/** The one use of Bun in the core: the pinned hash. */
const MAY_HASH = "src/core/ids.ts";

/** src/core decides; clocks, chance and the world are arguments. */
export function corePurityProblems(source: Source): Problem[] {
  const { path } = source;
  if (!path.startsWith("src/core/") || !isTypeScript(path) || isTest(path)) return [];
  const problems: Problem[] = [];
  for (const { specifier, offset } of importsOf(source)) {
    if (isRelative(specifier)) continue;
    problems.push(`${placeOf(source, offset)}: src/core imports "${specifier}"; it is pure`);
  }
  const code = codeOf(source.text);
  for (const [what, pattern] of IMPURE) {
    for (const match of code.matchAll(pattern)) {
      if (path === MAY_HASH && match[0] === "Bun.hash") continue;
      const place = placeOf(source, match.index);
      problems.push(`${place}: src/core uses ${what} (${match[0]}); pass it as an argument`);
    }
  }
  return problems;
}
