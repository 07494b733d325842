/** One page of a list; `next` is the `after` of the page that follows, null at the end. */
export type PageOf<T> = { readonly items: readonly T[]; readonly next: string | null };

/** `after` is not the `next` of a page of this list. */
export const UNKNOWN_AFTER = "unknown_after";
export type ListOf<T> = PageOf<T> | typeof UNKNOWN_AFTER;

/** `found` was asked for with one more than `limit`, to know whether there is a next page. */
export function pageOf<T>(
  found: readonly T[],
  limit: number,
  keyOf: (item: T) => string,
): PageOf<T> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, next: found.length > limit && last !== undefined ? keyOf(last) : null };
}
