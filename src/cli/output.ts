// Text for terminals and pipes: tables, counts, times. No colour is ever written, so NO_COLOR and
// TERM=dumb are honoured by form.

import { formatInstant } from "../core/sale/time.ts";

/** Columns by display width (wide characters count two); the last one is not padded. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const clean = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, column) => {
    return Math.max(...clean.map((row) => Bun.stringWidth(row[column] ?? "")));
  });
  const lines = clean.map((row) => {
    const cells = row.map((cell, column) => pad(cell, widths[column] ?? 0));
    return cells.join("  ").trimEnd();
  });
  return lines.join("\n");
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - Bun.stringWidth(text)));
}

/** Text from a server or a file without what could steer a terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ").toWellFormed();
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** "Mon 2026-11-30 18:00:00 +05:30 Asia/Kolkata = 2026-11-30T12:30:00.000Z" */
export function formatTime(atMs: number, timeZone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone);
  const day = DAYS[local.dayOfWeek - 1] ?? "";
  const text = formatInstant(atMs, timeZone);
  const time = `${text.slice(0, 10)} ${text.slice(11, -6)} ${text.slice(-6)}`;
  return `${day} ${time} ${timeZone} = ${new Date(atMs).toISOString()}`;
}

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const;
