// Postgres array literals. Written here because the driver walks each value through three functions
// (its builder costs as much as the rest of the statement), and because a literal with a cast needs
// no look-up of types.

/** `{1,2,NULL}`; for numbers and booleans. */
export function arrayLiteral(values: readonly (number | boolean | null)[]): string {
  return `{${values.map((value) => (value === null ? "NULL" : String(value))).join(",")}}`;
}

/** `{"a","b",NULL}`; any text. */
export function textArrayLiteral(values: readonly (string | null)[]): string {
  return `{${values.map(quoted).join(",")}}`;
}

function quoted(value: string | null): string {
  if (value === null) return "NULL";
  return `"${value.replace(/["\\]/g, String.raw`\$&`)}"`;
}
