// The text of a sale file as a value that knows where each of its fields stands.
//
// JSON is YAML, so one parser reads both. It is asked for no more than a sale file needs: no
// duplicate keys, no custom tags, few aliases, one document.

import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
} from "yaml";

import { fieldOf, type FieldPath, type LocatedError } from "../shop/sale-file.ts";

type Position = { readonly line: number; readonly column: number };

/** What is wrong, and where. `field` is null when the text itself cannot be read. */
type TextError = Position & { readonly field: string | null; readonly message: string };

export type SaleDocument =
  | {
      readonly ok: true;
      readonly value: unknown;
      /** Where the value, the name or, when it is missing, its mapping stands. */
      positionOf(error: LocatedError): Position;
    }
  | { readonly ok: false; readonly errors: readonly TextError[] };

/** Errors in the text that one run lists. */
const TEXT_ERRORS_MAX = 100;

/** Aliases in one file: enough for shared values, too few to grow a small file into a large one. */
const ALIASES_MAX = 1_000;

/** Cost  about 50 µs a SKU: the parser keeps each token's place. */
export function parseSaleDocument(text: string): SaleDocument {
  const lines = new LineCounter();
  const options = {
    lineCounter: lines,
    prettyErrors: false,
    // Our own check is linear and names both lines.
    uniqueKeys: false,
    stringKeys: true,
    resolveKnownTags: false,
  } as const;
  try {
    const document = parseDocument(text, options);
    const errors = textErrorsOf(document, lines);
    if (errors.length > 0) return { ok: false, errors };
    const value: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    return {
      ok: true,
      value,
      positionOf: (error) => positionIn(document, lines, error),
    };
  } catch (cause) {
    // An alias too many, an alias of itself, or nesting that is deeper than the stack.
    const isKnown = cause instanceof ReferenceError || cause instanceof RangeError;
    if (!isKnown) throw cause;
    const message = cause instanceof RangeError ? "is nested too deeply" : cause.message;
    return { ok: false, errors: [{ line: 1, column: 1, field: null, message }] };
  }
}

function textErrorsOf(document: Document.Parsed, lines: LineCounter): readonly TextError[] {
  const parserErrors = parserErrorsOf(document, lines);
  if (parserErrors.length > 0) return parserErrors;
  const check = new TreeCheck(lines);
  check.visit(document.contents, []);
  return check.errors;
}

/** What the parser says, once a line: what follows on a line is mostly an echo of the first. */
function parserErrorsOf(document: Document.Parsed, lines: LineCounter): readonly TextError[] {
  const byLine = new Map<number, TextError>();
  for (const { pos, code, message } of [...document.errors, ...document.warnings]) {
    const position = positionAt(lines, pos[0]);
    if (byLine.size >= TEXT_ERRORS_MAX || byLine.has(position.line)) continue;
    const ours = OUR_MESSAGES.get(code) ?? message;
    byLine.set(position.line, { ...position, field: null, message: ours });
  }
  return [...byLine.values()];
}

/** Where the parser speaks of its own calls and options, or of its stack. */
const OUR_MESSAGES: ReadonlyMap<string, string> = new Map([
  ["MULTIPLE_DOCS", "must be one document: a second one starts here"],
  ["NON_STRING_KEY", "must be a plain name: a list or mapping is no name of a field"],
  ["RESOURCE_EXHAUSTION", "is nested too deeply"],
]);

/** One walk over the tree: duplicate keys and the number of aliases. */
class TreeCheck {
  readonly errors: TextError[] = [];
  readonly #lines: LineCounter;
  readonly #anchors = new Set<string>();
  #aliasCount = 0;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  /** `path` is one array for the whole walk, pushed and popped. */
  visit(node: unknown, path: (string | number)[]): void {
    if (this.errors.length >= TEXT_ERRORS_MAX) return;
    this.#noteAnchor(node);
    if (isMap(node)) {
      const offsetByKey = new Map<string, number>();
      for (const { key, value } of node.items) {
        path.push(keyOf(key));
        this.#checkKey(key, path, offsetByKey);
        this.visit(value, path);
        path.pop();
      }
    } else if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) {
        path.push(index);
        this.visit(item, path);
        path.pop();
      }
    } else if (isAlias(node)) {
      this.#checkAlias(node, path);
    }
  }

  #noteAnchor(node: unknown): void {
    const mayHaveAnchor = isScalar(node) || isMap(node) || isSeq(node);
    if (mayHaveAnchor && node.anchor !== undefined) this.#anchors.add(node.anchor);
  }

  #checkAlias(alias: Alias, path: FieldPath): void {
    this.#aliasCount += 1;
    if (this.#aliasCount === ALIASES_MAX + 1) {
      this.#add(path, offsetOf(alias), `must have at most ${ALIASES_MAX} aliases in one file`);
    }
    if (!this.#anchors.has(alias.source)) {
      this.#add(path, offsetOf(alias), "must be an alias of an anchor that stands before it");
    }
  }

  #checkKey(key: unknown, path: FieldPath, offsetByKey: Map<string, number>): void {
    this.#noteAnchor(key);
    const name = keyOf(key);
    const offset = offsetOf(key);
    const first = offsetByKey.get(name);
    if (first === undefined) {
      offsetByKey.set(name, offset);
      return;
    }
    const { line } = positionAt(this.#lines, first);
    this.#add(path, offset, `must be written once: it is on line ${line} too`);
  }

  #add(path: FieldPath, offset: number, message: string): void {
    this.errors.push({ ...positionAt(this.#lines, offset), field: fieldOf(path), message });
  }
}

function positionIn(
  document: Document.Parsed,
  lines: LineCounter,
  { path, isAboutKey }: LocatedError,
): Position {
  let node: unknown = document.contents;
  let offset = offsetOf(node);
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    const isLast = depth === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => keyOf(key) === part);
      // Missing: the mapping that should have it.
      if (pair === undefined) break;
      node = pair.value;
      const isEmpty = isScalar(node) && node.source === "";
      offset = offsetOf(isLast && (isAboutKey || isEmpty) ? pair.key : node);
    } else if (isSeq(node) && typeof part === "number") {
      node = node.items[part];
      offset = offsetOf(node);
    } else {
      break;
    }
  }
  return positionAt(lines, offset);
}

function keyOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : "";
}

function offsetOf(node: unknown): number {
  const hasRange = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node);
  return hasRange ? (node.range?.[0] ?? 0) : 0;
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}
