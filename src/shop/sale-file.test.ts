import { describe, expect, test } from "bun:test";

import fc from "fast-check";
import { z } from "zod";

import { SKUS_A_TURN } from "../core/limits.ts";
import { formatAmount, parseAmount } from "../core/money.ts";
import {
  checkSaleFile,
  ERRORS_MAX,
  type ParsedSaleFile,
  parseSaleFile,
  saleFileSchema,
} from "./sale-file.ts";

function sku(changes: Readonly<Record<string, unknown>> = {}) {
  const base = { sku: "lamp", title: "Lamp", price: "349.50", stock: 10, limitPerShopper: 2 };
  return { ...base, ...changes };
}

function file(changes: Readonly<Record<string, unknown>> = {}) {
  return {
    sale: "diwali-drop",
    title: "Diwali Drop",
    currency: "INR",
    timeZone: "Asia/Kolkata",
    startsAt: "2026-11-30T18:00:00",
    endsAt: "2026-11-30T20:00:00",
    holdFor: "5m",
    payWithin: "10m",
    skus: [sku()],
    ...changes,
  };
}

function errorsOf(parsed: ParsedSaleFile): readonly string[] {
  return parsed.ok ? [] : parsed.errors.map(({ field, message }) => `${field} ${message}`);
}

test("a file becomes a sale in instants, milliseconds and minor units", () => {
  const groups = { phones: { limitPerShopper: 3 } };
  const parsed = checkSaleFile(file({ groups, skus: [sku(), sku({ sku: "x", group: "phones" })] }));
  const lamp = { sku: "lamp", title: "Lamp", priceMinor: 34_950, stock: 10, limitPerShopper: 2 };
  expect(parsed).toEqual({
    ok: true,
    file: {
      header: {
        saleId: "diwali-drop",
        title: "Diwali Drop",
        currency: "INR",
        timeZone: "Asia/Kolkata",
        startsAtMs: Date.parse("2026-11-30T12:30:00Z"),
        endsAtMs: Date.parse("2026-11-30T14:30:00Z"),
        holdMs: 300_000,
        payMs: 600_000,
        groups,
      },
      skus: [
        { ...lamp, group: null },
        { ...lamp, sku: "x", group: "phones" },
      ],
    },
  });
});

test("a large file is checked in turns, and comes to the same", async () => {
  const skus = Array.from({ length: 2 * SKUS_A_TURN + 1 }, (_, index) => sku({ sku: `s${index}` }));
  const wrong = [...skus.slice(0, -1), sku({ sku: "last", stock: -1 })];
  for (const value of [file({ skus }), file({ skus: wrong }), file({ skus: [sku()] }), null]) {
    let turns = 0;
    const parsed = await parseSaleFile(value, async () => void (turns += 1));
    expect(parsed.ok).toBe(checkSaleFile(value).ok);
    expect(errorsOf(parsed)).toEqual(errorsOf(checkSaleFile(value)));
    const count = value?.skus.length ?? 0;
    expect(turns).toBe(Math.ceil(count / SKUS_A_TURN));
  }
});

describe("what a file may say at the edge", () => {
  test.each([
    ["holdFor 5s", file({ holdFor: "5s" })],
    ["holdFor 60m", file({ holdFor: "60m" })],
    ["holdFor 1h", file({ holdFor: "1h" })],
    ["payWithin 1m", file({ payWithin: "60s" })],
    ["a title of 200 astral characters", file({ title: "🪔".repeat(200) })],
    ["stock 0", file({ skus: [sku({ stock: 0 })] })],
    ["stock of a billion", file({ skus: [sku({ stock: 1_000_000_000 })] })],
    ["limit 100", file({ skus: [sku({ limitPerShopper: 100 })] })],
    ["no decimals", file({ skus: [sku({ price: "349" })] })],
    ["yen", file({ currency: "JPY", skus: [sku({ price: "349" })] })],
    ["dinars", file({ currency: "KWD", skus: [sku({ price: "349.125" })] })],
  ])("%s is accepted", (_, value) => {
    expect(errorsOf(checkSaleFile(value))).toEqual([]);
  });

  test.each([
    ["holdFor 4999ms", file({ holdFor: "4999ms" }), "holdFor must be a duration from 5s to 60m"],
    ["holdFor 61m", file({ holdFor: "61m" }), "holdFor must be a duration from 5s to 60m"],
    ["payWithin 59s", file({ payWithin: "59s" }), "payWithin must be a duration from 1m to 60m"],
    ["a title of 201", file({ title: "🪔".repeat(201) }), "title must be 1 to 200 characters"],
    ["a blank title", file({ title: "  " }), "title must be 1 to 200 characters"],
    ["a line break in a title", file({ title: "a\nb" }), "title must be 1 to 200 characters"],
    ["half a character in a title", file({ title: "\ud83e" }), "title must be 1 to 200 characters"],
    ["a huge stock", file({ skus: [sku({ stock: 1e9 + 1 })] }), "from 0 to 1000000000"],
    ["half a unit", file({ skus: [sku({ stock: 1.5 })] }), "from 0 to 1000000000"],
    ["limit 0", file({ skus: [sku({ limitPerShopper: 0 })] }), "a whole number from 1 to 100"],
    ["limit 101", file({ skus: [sku({ limitPerShopper: 101 })] }), "from 1 to 100"],
    ["decimals of yen", file({ currency: "JPY" }), "JPY is written without decimals"],
    ["a negative price", file({ skus: [sku({ price: "-1.00" })] }), "skus[0].price must be"],
    ["an exponent", file({ skus: [sku({ price: "1e3" })] }), "skus[0].price must be an exact"],
    [
      "a price no order could add up",
      file({ skus: [sku({ price: "99999999999.99", limitPerShopper: 100 })] }),
      "skus[0].price times limitPerShopper must be at most 10000000000000 minor units",
    ],
    ["an old currency", file({ currency: "DEM" }), "currency must be a currency code of ISO 4217"],
    ["an offset as a zone", file({ timeZone: "+05:30" }), "timeZone must be an IANA time zone"],
    ["no SKUs", file({ skus: [] }), "skus must be a list of 1 to 100000 SKUs"],
    ["SKUs by name", file({ skus: { lamp: sku() } }), "skus must be a list of 1 to 100000 SKUs"],
    ["a list of groups", file({ groups: ["a"] }), "groups must be a mapping of group names"],
    ["an empty group", file({ groups: { a: null } }), "groups.a is empty; must be a mapping"],
    [
      "a group that would be the prototype",
      file({ groups: JSON.parse('{"__proto__":{"limitPerShopper":1}}') }),
      "groups.__proto__ must be another name",
    ],
    [
      "an inherited group",
      file({ groups: {}, skus: [sku({ group: "constructor" })] }),
      "skus[0].group must be declared in groups",
    ],
  ])("%s is refused", (_, value, message) => {
    const errors = errorsOf(checkSaleFile(value));
    expect(errors.filter((error) => error.includes(message))).toHaveLength(1);
  });
});

describe("the list of errors", () => {
  test("has all of them, in the order of the file", () => {
    const wrong = {
      skus: [sku({ stock: -1 }), sku({ price: 1, colour: "red" })],
      timeZone: "Nope/Nowhere",
    };
    // The first two keys keep their places, so that SKUs come before the zone.
    const value = Object.assign({ ...wrong }, file({ currency: "xxx" }), wrong);
    const parsed = checkSaleFile(value);
    const fields = parsed.ok ? [] : parsed.errors.map(({ field }) => field);
    expect(fields).toEqual([
      "skus[0].stock",
      "skus[1].sku",
      "skus[1].price",
      "skus[1].colour",
      "timeZone",
      "currency",
    ]);
  });

  test("stops at its limit", () => {
    const skus = Array.from({ length: 5_000 }, (_, index) => sku({ sku: `s${index}`, stock: -1 }));
    const errors = errorsOf(checkSaleFile(file({ skus })));
    expect(errors).toHaveLength(ERRORS_MAX);
    expect(errors.at(-1)).toStartWith("skus[99].stock ");
  });

  test("never repeats a value that was sent", () => {
    const secret = "hunter2";
    const value = file({
      sale: `${secret}!`,
      title: `${secret}\n`,
      startsAt: secret,
      skus: [secret],
    });
    expect(JSON.stringify(checkSaleFile(value))).not.toContain(secret);
  });
});

test("100,000 SKUs, right or all wrong, take less than two seconds", () => {
  for (const changes of [{}, { stock: -1, price: 1, group: "none", colour: "red" }]) {
    const skus = Array.from({ length: 100_000 }, (_, i) => sku({ sku: `s${i}`, ...changes }));
    const startedMs = performance.now();
    const parsed = checkSaleFile(file({ skus }));
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(parsed.ok).toBe(!("stock" in changes));
  }
  const skus = Array.from({ length: 100_001 }, (_, index) => sku({ sku: `s${index}` }));
  expect(errorsOf(checkSaleFile(file({ skus })))).toEqual([
    "skus must be a list of 1 to 100000 SKUs",
  ]);
});

test("an amount that was formatted parses to the same minor units", () => {
  const currencies = fc.constantFrom("INR", "EUR", "JPY", "KWD", "KRW", "BHD");
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e12 }), currencies, (amountMinor, currency) => {
      const text = formatAmount({ amountMinor, currency });
      expect(parseAmount(text, currency)).toEqual({ ok: true, amountMinor });
    }),
  );
});

test("any value is answered: no file makes the check throw", () => {
  const fields = fc.constantFrom("sale", "timeZone", "startsAt", "holdFor", "groups", "skus");
  fc.assert(
    fc.property(fields, fc.anything(), (name, value) => {
      const parsed = checkSaleFile(file({ [name]: value }));
      if (!parsed.ok) expect(parsed.errors.length).toBeGreaterThan(0);
    }),
  );
  fc.assert(fc.property(fc.anything(), (value) => !checkSaleFile(value).ok));
});

test("the schema describes the file for OpenAPI, without references", () => {
  const schema = z.toJSONSchema(saleFileSchema, { io: "input" });
  expect(schema.required).toEqual([
    "sale",
    "title",
    "currency",
    "timeZone",
    "startsAt",
    "endsAt",
    "holdFor",
    "payWithin",
    "skus",
  ]);
  expect(JSON.stringify(schema)).not.toContain("$ref");
  expect(saleFileSchema.safeParse(file()).success).toBe(true);
});
