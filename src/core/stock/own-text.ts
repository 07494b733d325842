/**
 * The same text in memory of its own: one that was cut out of a batch or a snapshot keeps the whole of
 * it. For ids that stay, which are ASCII.
 *
 * Cost  0.1 us.
 */
export function ownText(id: string): string {
  return Buffer.from(id, "latin1").toString("latin1");
}
