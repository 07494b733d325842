// Sale files as JSON, and files that were made to hurt.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatFileError, readSaleFile, readSaleText } from "./read-sale-file.ts";

const example = await Bun.file(join(import.meta.dir, "../../examples/diwali-drop.yaml")).text();

function errorsOf(text: string, name = "sale.yaml"): readonly string[] {
  const read = readSaleText(name, text);
  return read.ok ? [] : read.errors.map(formatFileError);
}

function aliasLine(key: string): string {
  const before = String.fromCharCode(key.charCodeAt(0) - 1);
  return `${key}: &${key} [${Array(10).fill(`*${before}`).join(",")}]\n`;
}

async function messageOf(path: string): Promise<string> {
  const read = await readSaleFile(path);
  return read.ok ? "ok" : (read.errors[0]?.message ?? "");
}

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "doorbuster-sale-file-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe("JSON", () => {
  const json = JSON.stringify(Bun.YAML.parse(example), null, 2);

  test("means the same as YAML", () => {
    const [fromJson, fromYaml] = [readSaleText("a.json", json), readSaleText("a.yaml", example)];
    expect(fromJson).toEqual(fromYaml);
    expect(fromJson.ok).toBe(true);
  });

  test("has lines in its errors", () => {
    const line = json.split("\n").findIndex((text) => text.includes('"stock": 400')) + 1;
    const text = json.replace('"stock": 400', '"stock": "400"');
    expect(errorsOf(text, "a.json")[0]).toStartWith(`a.json:${line}:16: skus[1].stock must be `);
  });

  test.each([
    ["in a SKU", '"stock": 400', '"stock": 400, "stock": 500', "skus[1].stock"],
    ["with an escape in it", '"stock": 400', '"stock": 400, "st\\u006fck": 500', "skus[1].stock"],
    [
      "in a group",
      '"limitPerShopper": 2\n    }',
      '"limitPerShopper": 2, "limitPerShopper": 3}',
      "groups.phone-x.limitPerShopper",
    ],
    ["of groups", '"groups": {', '"groups": {"phone-x": {"limitPerShopper": 9},', "groups.phone-x"],
    ["at the top", '"currency"', '"sale": "other", "currency"', "sale"],
  ])("a duplicate key %s is an error", (_, from, to, field) => {
    expect(json).toContain(from);
    const errors = errorsOf(json.replace(from, to), "a.json");
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(`: ${field} must be written once: it is on line `);
  });

  test("text in a title that looks like a key is no key", () => {
    const text = json.replace('"Diwali Drop"', JSON.stringify('a "stock": 1, \\"b\\": {'));
    expect(errorsOf(text, "a.json")).toEqual([]);
  });

  test("that breaks off names its place", () => {
    expect(errorsOf('{\n  "sale": "a"', "a.json")[0]).toMatch(/^a\.json:2:14: /);
  });
});

describe("a file made to hurt", () => {
  test.each([
    [
      "aliases of aliases",
      `a: &a [1]\n${"bcdefgh".replace(/./g, (k) => aliasLine(k))}`,
      "alias count",
    ],
    ["an alias of itself", "a: &a [*a]", "a is unknown"],
    [
      "1,500 aliases",
      `a: &a 1\nb: [${"*a,".repeat(1_500)}]`,
      "b[1000] must have at most 1000 aliases",
    ],
    ["lists in lists", `a: ${"[".repeat(100_000)}`, "is nested too deeply"],
    ["objects in objects", '{"a":'.repeat(50_000), "is nested too deeply"],
    ["an empty file", "", "sale.yaml:1:1: (file) is empty; must be a mapping of fields"],
    ["a list", "- a", "sale.yaml:1:1: (file) must be a mapping of fields (this is a list)"],
    ["a prototype", "__proto__: { sale: a }", "__proto__ is unknown"],
  ])("%s is refused", (_, text, message) => {
    expect(errorsOf(text)).toContainEqual(expect.stringContaining(message));
  });

  test("no file, a folder, other bytes than UTF-8, more than 16 MiB", async () => {
    expect(await messageOf(join(folder, "none.yaml"))).toBe("there is no such file");
    expect(await messageOf(folder)).toBe("is a folder, not a file");
    await Bun.write(join(folder, "latin.yaml"), new Uint8Array([0x61, 0x3a, 0x20, 0xe9]));
    expect(await messageOf(join(folder, "latin.yaml"))).toBe("must be text in UTF-8");
    await Bun.write(join(folder, "large.yaml"), "#".repeat(16 * 1_024 * 1_024 + 1));
    expect(await messageOf(join(folder, "large.yaml"))).toBe(
      "must be at most 16777216 bytes (16 MiB)",
    );
  });

  test("a key 20,000 times costs a walk, not a comparison of each with each", () => {
    const text = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join("\n");
    const startedMs = performance.now();
    expect(errorsOf(text).length).toBeGreaterThan(0);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });
});
