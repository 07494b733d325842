import { expect, test } from "bun:test";

import { parseOptions } from "./options.ts";

test("a seed alone is one run, everything else has its default", () => {
  expect(parseOptions(["--seed", "7"])).toMatchObject({ first: 7, runs: 1, workers: 1 });
  expect(parseOptions([])).toMatchObject({ runs: 1_000, isBrief: false, hasLog: false });
  expect(parseOptions(["--seed", "7", "--runs", "4", "--workers", "2"])).toMatchObject({
    first: 7,
    runs: 4,
    workers: 2,
  });
  expect(parseOptions(["--minutes", "0.8"])).toMatchObject({ forMs: 48_000 });
  expect(parseOptions(["--help"])).toBe("help");
});

test("what is wrong is named, with what is allowed", () => {
  expect(() => parseOptions(["--runs", "many"])).toThrow(
    '--runs is "many"; allowed: a whole number, 0 or more',
  );
  expect(() => parseOptions(["--minutes", "soon"])).toThrow("--minutes");
  expect(() => parseOptions(["--seed=-1"])).toThrow("--seed");
  expect(() => parseOptions(["--nothing"])).toThrow("--nothing");
});
