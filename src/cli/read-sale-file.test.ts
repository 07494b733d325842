// Every kind of bad file: what people read says the file, the line, the column, the field and what
// is allowed there.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { formatFileError, readSaleFile, readSaleText } from "./read-sale-file.ts";

const EXAMPLE_PATH = join(import.meta.dir, "../../examples/diwali-drop.yaml");
const example = await Bun.file(EXAMPLE_PATH).text();

/** The example with one piece of it replaced; the piece has to be there. */
function withChange(from: string, to: string): string {
  expect(example).toContain(from);
  return example.replace(from, to);
}

function errorsOf(text: string, name = "sale.yaml"): readonly string[] {
  const read = readSaleText(name, text);
  return read.ok ? [] : read.errors.map(formatFileError);
}

test("the example is a sale, and its times go out with their offsets", async () => {
  const read = await readSaleFile(EXAMPLE_PATH);
  if (!read.ok) throw new Error(read.errors.map(formatFileError).join("\n"));
  expect(read.file.skus.map(({ sku }) => sku)).toEqual(["phone-x-128", "phone-x-256", "diya-lamp"]);
  expect(read.body).toMatchObject({
    startsAt: "2026-11-30T18:00:00+05:30",
    endsAt: "2026-11-30T20:00:00+05:30",
    holdFor: "5m",
  });
});

describe("what is wrong with a file is said once, with its place and what is allowed", () => {
  const rows: readonly (readonly [string, string, string, string])[] = [
    // Form.
    [
      "a wrong type",
      "stock: 400",
      "stock: many",
      "22:12: skus[1].stock must be a whole number from 0 to 1000000000 (this is a string)",
    ],
    [
      "an id that YAML reads as a number",
      "sku: diya-lamp",
      "sku: 010",
      "25:10: skus[2].sku must be a string of 1 to 64 of A-Z, a-z, 0-9, dot, _ and -, in quotes if it looks like a number (this is a number)",
    ],
    [
      "a sale id that YAML reads as a number",
      "sale: diwali-drop",
      "sale: 2026",
      "2:7: sale must be a string of 1 to 64 of a-z, 0-9 and -, in quotes if all digits (this is a number)",
    ],
    [
      "a title that YAML reads as a boolean",
      "title: Diwali Drop",
      "title: true",
      "3:8: title must be 1 to 200 characters on one line, without control characters (this is a boolean)",
    ],
    [
      "a price that YAML reads as a number",
      '"349.50"',
      "349.50",
      '27:12: skus[2].price must be an exact decimal in quotes, such as "19.99": without quotes it is a number, and numbers round',
    ],
    [
      "an unknown field",
      "    stock: 400",
      "    stock: 400\n    colour: red",
      "23:5: skus[1].colour is unknown; allowed are sku, title, price, stock, limitPerShopper, group",
    ],
    [
      "an unknown field of the sale",
      "currency: INR",
      "currency: INR\ndiscount: 5",
      "5:1: discount is unknown; allowed are sale, title, currency, timeZone, startsAt, endsAt, holdFor, payWithin, groups, skus",
    ],
    [
      "a merge key",
      "    stock: 400",
      "    stock: 400\n    <<: {}",
      '23:5: skus[1]["<<"] is unknown; allowed are',
    ],
    [
      "a missing field",
      "    stock: 400\n",
      "",
      "19:5: skus[1].stock is missing; must be a whole number from 0 to 1000000000",
    ],
    [
      "an empty field",
      "title: Diwali Drop",
      "title:",
      "3:1: title is empty; must be 1 to 200 characters",
    ],
    [
      "a bad SKU id",
      "sku: diya-lamp",
      "sku: diya/lamp",
      "25:10: skus[2].sku must be a string of 1 to 64 of A-Z, a-z, 0-9, dot, _ and -",
    ],
    [
      "a bad sale id",
      "sale: diwali-drop",
      "sale: Diwali",
      "2:7: sale must be a string of 1 to 64 of a-z, 0-9 and -",
    ],
    [
      "negative stock",
      "stock: 400",
      "stock: -1",
      "22:12: skus[1].stock must be a whole number from 0 to 1000000000",
    ],
    [
      "stock beyond exact numbers",
      "stock: 400",
      "stock: 99999999999999999999",
      "22:12: skus[1].stock must be a whole number",
    ],
    [
      "a limit of 0",
      "limitPerShopper: 10",
      "limitPerShopper: 0",
      "29:22: skus[2].limitPerShopper must be a whole number from 1 to 100",
    ],
    // Keys.
    [
      "a duplicate key",
      "title: Diwali Drop",
      "title: Diwali Drop\ntitle: Again",
      "4:1: title must be written once: it is on line 3 too",
    ],
    [
      "a duplicate key in a SKU",
      "    stock: 400",
      "    stock: 400\n    stock: 500",
      "23:5: skus[1].stock must be written once: it is on line 22 too",
    ],
    [
      "a key that is a list",
      "    stock: 400",
      "    ? [a]\n    : 400",
      "22:7: must be a plain name",
    ],
    // Money.
    [
      "a price with too many decimals",
      '"349.50"',
      '"349.505"',
      '27:12: skus[2].price must be an exact decimal in quotes, such as "19.99": INR is written with at most 2 decimals',
    ],
    [
      "a price that is no number",
      '"349.50"',
      '"349,50"',
      "27:12: skus[2].price must be an exact decimal in quotes",
    ],
    [
      "an unknown currency",
      "currency: INR",
      "currency: XTS",
      "4:11: currency must be a currency code of ISO 4217 that is in use, such as INR",
    ],
    // Time.
    [
      "an end before the start",
      "endsAt: 2026-11-30T20:00:00",
      "endsAt: 2026-11-30T17:00:00",
      "7:9: endsAt must be after startsAt",
    ],
    [
      "an end at the start",
      "endsAt: 2026-11-30T20:00:00",
      "endsAt: 2026-11-30T18:00:00",
      "7:9: endsAt must be after startsAt",
    ],
    [
      "an unknown zone",
      "Asia/Kolkata",
      "Asia/Calcuta",
      "5:11: timeZone must be an IANA time zone, such as Asia/Kolkata",
    ],
    [
      "a disagreeing offset",
      "T18:00:00",
      "T18:00:00+01:00",
      "6:11: startsAt must have the offset of Asia/Kolkata, which is +05:30 then: write 2026-11-30T18:00:00+05:30",
    ],
    [
      "Z outside UTC",
      "T18:00:00",
      "T18:00:00Z",
      "6:11: startsAt must have the offset of Asia/Kolkata, which is +05:30 then",
    ],
    [
      "a time that is a date only",
      "startsAt: 2026-11-30T18:00:00",
      "startsAt: 2026-11-30",
      "6:11: startsAt must be a time such as 2026-11-30T18:00:00",
    ],
    [
      "a hold of 4 seconds",
      "holdFor: 5m",
      "holdFor: 4s",
      "8:10: holdFor must be a duration from 5s to 60m, such as 90s or 5m",
    ],
    [
      "a hold without a unit",
      "holdFor: 5m",
      "holdFor: 300",
      "8:10: holdFor must be a duration from 5s to 60m, such as 90s or 5m (this is a number)",
    ],
    [
      "a pay window of 2 hours",
      "payWithin: 10m",
      "payWithin: 2h",
      "9:12: payWithin must be a duration from 1m to 60m",
    ],
    // References.
    [
      "a duplicate SKU",
      "sku: phone-x-256",
      "sku: phone-x-128",
      "19:10: skus[1].sku must be unique: it is the id of skus[0] too",
    ],
    [
      "an undeclared group",
      "    limitPerShopper: 10",
      "    limitPerShopper: 10\n    group: lamps",
      "30:12: skus[2].group must be declared in groups (such as phone-x), or be left out",
    ],
    [
      "an unused group",
      "  phone-x: {",
      "  lamps: { limitPerShopper: 1 }\n  phone-x: {",
      "11:3: groups.lamps must be the group of a SKU, or be left out",
    ],
    // The text itself.
    [
      "an unknown tag",
      "title: Diwali Drop",
      "title: !!js/function x",
      "3:8: Unresolved tag: tag:yaml.org,2002:js/function",
    ],
    [
      "a binary tag",
      "title: Diwali Drop",
      "title: !!binary aGk=",
      "3:8: Unresolved tag: tag:yaml.org,2002:binary",
    ],
    [
      "an unknown alias",
      "title: Diwali Drop",
      "title: *nowhere",
      "3:8: title must be an alias of an anchor that stands before it",
    ],
    ["a second document", "\nskus:", "\n---\nskus:", "12:1: must be one document"],
  ];

  test.each(rows)("%s", (_, from, to, expected) => {
    const errors = errorsOf(withChange(from, to));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toStartWith(`sale.yaml:${expected}`);
  });

  test("a local time that the clocks skip, and one that they show twice", () => {
    const berlin = withChange("Asia/Kolkata", "Europe/Berlin");
    const gap = berlin.replace("2026-11-30T18:00:00", "2026-03-29T02:30:00");
    expect(errorsOf(gap)).toEqual([
      "sale.yaml:6:11: startsAt does not exist in Europe/Berlin, where its clocks go from +01:00 " +
        "to +02:00: write 2026-03-29T01:30:00+01:00 or 2026-03-29T03:30:00+02:00",
    ]);
    const twice = berlin.replace("2026-11-30T18:00:00", "2026-10-25T02:30:00");
    expect(errorsOf(twice)).toEqual([
      "sale.yaml:6:11: startsAt exists twice in Europe/Berlin: " +
        "write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00",
    ]);
  });

  test("a tab as indentation", () => {
    const text = withChange("  - sku: diya-lamp", "\t- sku: diya-lamp");
    expect(errorsOf(text)[0]).toBe("sale.yaml:25:1: Tabs are not allowed as indentation");
  });

  test("several errors, in the order of the file", () => {
    const text = withChange("currency: INR", "currency: inr")
      .replace("stock: 400", "stock: -1")
      .replace('"349.50"', "349.50");
    expect(errorsOf(text).map((error) => error.split(" ")[0])).toEqual([
      "sale.yaml:4:11:",
      "sale.yaml:22:12:",
      "sale.yaml:27:12:",
    ]);
  });

  test("lines that end in CR LF are counted like any other", () => {
    const text = withChange("stock: 400", "stock: x").replaceAll("\n", "\r\n");
    expect(errorsOf(text)[0]).toStartWith("sale.yaml:22:12: skus[1].stock ");
  });
});
