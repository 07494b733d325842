/** Anything that JSON can say. */
type Json = unknown;

/** SHA-256 of a text as lower-case hex. */
export function sha256Of(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/**
 * What a request means, as one hash: the same key with another meaning is a mistake.
 *
 * Members of objects count in no order; `undefined` is as good as absent.
 */
export function fingerprintOf(meaning: Json): string {
  return sha256Of(canonicalJson(meaning));
}

function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
}
