import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import {
  formatDuration,
  formatInstant,
  type ParsedInstant,
  parseDuration,
  parseInstant,
  timeZoneOf,
} from "./time.ts";

function utcOf(parsed: ParsedInstant): string {
  return parsed.ok ? new Date(parsed.atMs).toISOString() : parsed.reason;
}

const ACCEPTED: readonly (readonly [string, string, string])[] = [
  ["2026-11-30T18:00:00", "Asia/Kolkata", "2026-11-30T12:30:00.000Z"],
  ["2026-11-30T18:00", "Asia/Kolkata", "2026-11-30T12:30:00.000Z"],
  ["2026-11-30T18:00:00.250", "Asia/Kolkata", "2026-11-30T12:30:00.250Z"],
  ["2026-11-30T18:00:00+05:30", "Asia/Kolkata", "2026-11-30T12:30:00.000Z"],
  ["2026-03-29T02:30:00", "Asia/Kolkata", "2026-03-28T21:00:00.000Z"],
  ["2026-07-01T12:00:00Z", "UTC", "2026-07-01T12:00:00.000Z"],
  ["2026-01-01T12:00:00Z", "Europe/London", "2026-01-01T12:00:00.000Z"],
  ["2026-01-01T12:00:00-00:00", "Europe/London", "2026-01-01T12:00:00.000Z"],
  ["2026-03-29T01:59:59", "Europe/Berlin", "2026-03-29T00:59:59.000Z"],
  ["2026-03-29T03:00:00", "Europe/Berlin", "2026-03-29T01:00:00.000Z"],
  ["2026-10-25T02:30:00+02:00", "Europe/Berlin", "2026-10-25T00:30:00.000Z"],
  ["2026-10-25T02:30:00+01:00", "Europe/Berlin", "2026-10-25T01:30:00.000Z"],
  ["2026-11-01T01:30:00-05:00", "America/New_York", "2026-11-01T06:30:00.000Z"],
  ["2026-04-05T01:45:00+10:30", "Australia/Lord_Howe", "2026-04-04T15:15:00.000Z"],
  ["2028-02-29T00:00:00", "UTC", "2028-02-29T00:00:00.000Z"],
];

const REFUSED: readonly (readonly [string, string, string])[] = [
  // Spring: the clocks skip this time.
  [
    "2026-03-29T02:30:00",
    "Europe/Berlin",
    "does not exist in Europe/Berlin, where its clocks go from +01:00 to +02:00: " +
      "write 2026-03-29T01:30:00+01:00 or 2026-03-29T03:30:00+02:00",
  ],
  ["2026-03-29T02:30:00+01:00", "Europe/Berlin", "does not exist in Europe/Berlin"],
  ["2026-03-08T02:00:00", "America/New_York", "from -05:00 to -04:00"],
  [
    "2026-10-04T02:15:00",
    "Australia/Lord_Howe",
    "does not exist in Australia/Lord_Howe, where its clocks go from +10:30 to +11:00: " +
      "write 2026-10-04T01:45:00+10:30 or 2026-10-04T02:45:00+11:00",
  ],
  // Autumn: the clocks show this time twice.
  [
    "2026-10-25T02:30:00",
    "Europe/Berlin",
    "exists twice in Europe/Berlin: " +
      "write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00",
  ],
  ["2026-11-01T01:30:00", "America/New_York", "write 2026-11-01T01:30:00-04:00 or "],
  ["2026-04-05T01:45:00", "Australia/Lord_Howe", "write 2026-04-05T01:45:00+11:00 or "],
  // An offset that disagrees with the zone.
  [
    "2026-11-30T18:00:00+01:00",
    "Asia/Kolkata",
    "must have the offset of Asia/Kolkata, which is +05:30 then: write 2026-11-30T18:00:00+05:30",
  ],
  ["2026-11-30T18:00:00Z", "Asia/Kolkata", "which is +05:30 then"],
  ["2026-07-01T12:00:00Z", "Europe/London", "which is +01:00 then"],
  ["2026-10-25T02:30:00+03:00", "Europe/Berlin", "which is +02:00 or +01:00 then"],
  // No time at all.
  ["2026-02-30T12:00:00", "UTC", "must be a day that the calendar has"],
  ["2026-13-01T12:00:00", "UTC", "must be a day that the calendar has"],
  ["2026-11-30", "UTC", "must be a time such as 2026-11-30T18:00:00"],
  ["2026-11-30 18:00:00", "UTC", "must be a time such as"],
  ["2026-11-30T24:00:00", "UTC", "must be a time such as"],
  ["2026-11-30T18:00:60", "UTC", "must be a time such as"],
  ["2026-11-30T18:00:00+5", "UTC", "must be a time such as"],
  ["2026-11-30T18:00:00[Asia/Kolkata]", "UTC", "must be a time such as"],
  ["0026-11-30T18:00:00", "UTC", "must be a time such as"],
  ["", "UTC", "must be a time such as"],
];

describe("an instant", () => {
  test.each(ACCEPTED)("%s in %s is %s", (text, zone, utc) => {
    expect(utcOf(parseInstant(text, zone))).toBe(utc);
  });

  test.each(REFUSED)("%s in %s is refused: %s", (text, zone, reason) => {
    const parsed = parseInstant(text, zone);
    expect(parsed.ok).toBe(false);
    expect(utcOf(parsed)).toContain(reason);
  });

  test("written with its offset reads back the same, in every zone and season", () => {
    const zones = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"];
    const from = Date.UTC(2026, 0, 1);
    const instants = fc.integer({ min: from, max: from + 3 * 366 * 86_400_000 });
    fc.assert(
      fc.property(instants, fc.constantFrom(...zones), (atMs, zone) => {
        expect(parseInstant(formatInstant(atMs, zone), zone)).toEqual({ ok: true, atMs });
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a duration", () => {
  test.each([
    ["250ms", 250],
    ["90s", 90_000],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["0s", 0],
  ] as const)("%s is %d ms", (text, durationMs) => {
    expect(parseDuration(text)).toEqual({ ok: true, durationMs });
  });

  test.each(["", "5", "m", "5 m", "1.5m", "-5m", "5M", "5min", "1h30m", "9999999999s"])(
    "%p is refused with examples of what is allowed",
    (text) => {
      expect(parseDuration(text)).toEqual({
        ok: false,
        reason: "must be a whole number and its unit, such as 90s, 5m or 1h",
      });
    },
  );

  test("formatted reads back the same", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999_999 }), (durationMs) => {
        expect(parseDuration(formatDuration(durationMs))).toEqual({ ok: true, durationMs });
      }),
    );
  });
});

test("a time zone is an IANA name, and no bare offset", () => {
  expect(timeZoneOf("Asia/Kolkata")).toBe("Asia/Kolkata");
  expect(timeZoneOf("asia/kolkata")).toBe("Asia/Kolkata");
  expect(timeZoneOf("UTC")).toBe("UTC");
  for (const bad of ["+05:30", "Nope/Nowhere", "", "Asia", "Asia/Kolkata ", "IST\n"]) {
    expect(timeZoneOf(bad)).toBeNull();
  }
});
