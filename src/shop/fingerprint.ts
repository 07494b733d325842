/** Anything that JSON can say. */
type Json = unknown;

/** SHA-256 of a text as lower-case hex. */
export function sha256Of(text: string): string {
  return Bun.CryptoHasher.hash("sha256", text, "hex");
}

/**
 * What a request means, as one hash: the same key with another meaning is a mistake.
 *
 * Members of objects count in no order; `undefined` is as good as absent.
 */
export function fingerprintOf(meaning: Json): string {
  return sha256Of(canonicalJson(meaning));
}

/** On the way of each checkout: no closure, no list of members. */
function canonicalJson(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  let text = "";
  if (Array.isArray(value)) {
    for (const item of value) text += `${text === "" ? "" : ","}${canonicalJson(item)}`;
    return `[${text}]`;
  }
  const members = value as Readonly<Record<string, Json>>;
  for (const name of Object.keys(members).sort()) {
    const member = members[name];
    if (member === undefined) continue;
    text += `${text === "" ? "" : ","}${JSON.stringify(name)}:${canonicalJson(member)}`;
  }
  return `{${text}}`;
}
