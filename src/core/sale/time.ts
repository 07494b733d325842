// Times and durations as merchants write them, resolved without guessing: a local time that the
// zone's clocks skip or show twice is refused with the two instants it could mean.
//
// Pure: the zone rules come with the runtime (Temporal), the time of day never does.

import { assert } from "../assert.ts";

export type ParsedInstant =
  { readonly ok: true; readonly atMs: number } | { readonly ok: false; readonly reason: string };

export type ParsedDuration =
  | { readonly ok: true; readonly durationMs: number }
  | { readonly ok: false; readonly reason: string };

/** What an instant in a sale file looks like; the years bound typing errors, not the engine. */
export const INSTANT =
  /^(2\d{3}-\d{2}-\d{2}T(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:[0-5]\d)?$/;

/** The allowed values, in words. */
export const INSTANT_ALLOWED =
  "a time such as 2026-11-30T18:00:00, in the sale's time zone, or with the offset it has then";

/** What a duration looks like: a whole number and its unit. */
export const DURATION = /^(\d{1,9})(ms|s|m|h)$/;

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/**
 * The name of an IANA time zone in its usual spelling, or null when there is no such zone.
 * Bare offsets ("+05:30") are no zones: they know no daylight saving time.
 */
export function timeZoneOf(text: string): string | null {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{1,63}$/.test(text)) return null;
  try {
    return new Temporal.ZonedDateTime(0n, text).timeZoneId;
  } catch (cause) {
    if (cause instanceof RangeError) return null;
    throw cause;
  }
}

/**
 * A local time in `timeZone`, or an instant with the offset that the zone has then.
 *
 * Returns  the reason when the text is no time, when the local time does not exist or exists twice
 *          and has no offset, and when an offset (`Z` is +00:00) disagrees with the zone.
 */
export function parseInstant(text: string, timeZone: string): ParsedInstant {
  assert(timeZoneOf(timeZone) !== null, "the zone was checked before");
  const match = INSTANT.exec(text);
  if (match === null) return { ok: false, reason: `must be ${INSTANT_ALLOWED}` };
  const local = plainOf(match[1] ?? "");
  if (local === null) return { ok: false, reason: "must be a day that the calendar has" };
  const earlier = local.toZonedDateTime(timeZone, { disambiguation: "earlier" });
  const later = local.toZonedDateTime(timeZone, { disambiguation: "later" });
  const isUnique = earlier.epochMilliseconds === later.epochMilliseconds;
  const isGap = !isUnique && !earlier.toPlainDateTime().equals(local);
  const choice = `write ${instantText(earlier)} or ${instantText(later)}`;
  if (isGap) {
    const clocks = `its clocks go from ${earlier.offset} to ${later.offset}`;
    return { ok: false, reason: `does not exist in ${timeZone}, where ${clocks}: ${choice}` };
  }
  const offset = match[2];
  if (offset === undefined) {
    if (isUnique) return { ok: true, atMs: earlier.epochMilliseconds };
    return { ok: false, reason: `exists twice in ${timeZone}: ${choice}` };
  }
  const offsetMinutes = minutesOf(offset);
  const meant = [earlier, later].find((time) => minutesOf(time.offset) === offsetMinutes);
  if (meant !== undefined) return { ok: true, atMs: meant.epochMilliseconds };
  const actual = isUnique ? earlier.offset : `${earlier.offset} or ${later.offset}`;
  return {
    ok: false,
    reason: `must have the offset of ${timeZone}, which is ${actual} then: ${
      isUnique ? `write ${instantText(earlier)}` : choice
    }`,
  };
}

/** "5m" as milliseconds: a whole number and `ms`, `s`, `m` or `h`. */
export function parseDuration(text: string): ParsedDuration {
  const match = DURATION.exec(text);
  const unitMs = UNIT_MS.get(match?.[2] ?? "");
  if (match === null || unitMs === undefined) {
    return { ok: false, reason: "must be a whole number and its unit, such as 90s, 5m or 1h" };
  }
  return { ok: true, durationMs: Number(match[1]) * unitMs };
}

/** The shortest exact form: 300,000 ms is "5m". The inverse of `parseDuration`. */
export function formatDuration(durationMs: number): string {
  assert(Number.isSafeInteger(durationMs) && durationMs >= 0, "a duration is whole milliseconds");
  if (durationMs === 0) return "0s";
  if (durationMs % 3_600_000 === 0) return `${durationMs / 3_600_000}h`;
  if (durationMs % 60_000 === 0) return `${durationMs / 60_000}m`;
  return durationMs % 1_000 === 0 ? `${durationMs / 1_000}s` : `${durationMs}ms`;
}

/** An instant with the zone's offset, which `parseInstant` reads back whatever the season. */
export function formatInstant(atMs: number, timeZone: string): string {
  return instantText(Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone));
}

function instantText(time: Temporal.ZonedDateTime): string {
  return time.toString({ timeZoneName: "never", calendarName: "never" });
}

function plainOf(text: string): Temporal.PlainDateTime | null {
  try {
    return Temporal.PlainDateTime.from(text, { overflow: "reject" });
  } catch (cause) {
    if (cause instanceof RangeError) return null;
    throw cause;
  }
}

function minutesOf(offset: string): number {
  if (offset === "Z") return 0;
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6));
  return offset.startsWith("-") ? 0 - minutes : minutes;
}
