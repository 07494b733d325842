// Deliberate breakages of the stock core. Each must make the property test fail; `bun run mutants`
// runs them all and prints caught/total. `find` must stand exactly once in its file.

import type { Mutant } from "./mutant.ts";

const decide = "src/core/stock/decide.ts";
const apply = "src/core/stock/apply.ts";
const table = "src/core/stock/holds/hold-table.ts";

export const CORE_MUTANTS: readonly Mutant[] = [
  {
    name: "limit ignores bought units",
    file: decide,
    find: "if (held + bought + more > sku.rules.limit)",
    replace: "if (held + more > sku.rules.limit)",
  },
  {
    name: "limit ignores holds",
    file: decide,
    find: "if (held + bought + more > sku.rules.limit)",
    replace: "if (bought + more > sku.rules.limit)",
  },
  {
    name: "group limit ignored",
    file: decide,
    find: "if (group === null) return null;",
    replace: "if (group !== undefined) return null;",
  },
  {
    name: "lapse one millisecond late",
    file: "src/core/stock/holds/deadlines.ts",
    find: "this.#times[0]! <= nowMs)",
    replace: "this.#times[0]! < nowMs)",
  },
  {
    name: "return counted twice",
    file: apply,
    find: "countBought(sku, effect.shopper, -effect.quantity);",
    replace:
      "countBought(sku, effect.shopper, -effect.quantity);\n      sku.sold -= effect.quantity;",
  },
  {
    name: "a return is not remembered",
    file: apply,
    find: 'ordersToChange(sku).set(event.orderId, { ...effect, state: "returned" });',
    replace: "",
  },
  {
    name: "paying hold lapses without a record",
    file: decide,
    find: "if (hold === null) return null;\n  return { key",
    replace:
      "if (hold === null) return null;\n  if (hold.orderId !== null) {\n    book.holds.drop(hold);\n    return null;\n  }\n  return { key",
  },
  {
    name: "confirm without a pin or free stock",
    file: decide,
    find: "if (!fromPin && !free) {",
    replace: "if (!fromPin && !free && quantity > sku.released) {",
  },
  {
    name: "confirm from free stock over the limit",
    file: decide,
    find: "const free = quantity <= availableOf(sku) && limitRefusal(sku, shopper, asked) === null;",
    replace: "const free = quantity <= availableOf(sku);",
  },
  {
    name: "too_few granted in part",
    file: decide,
    find: 'if (available > 0) return no({ kind: "too_few", available });',
    replace:
      "if (available > 0) return decideHold(sku, { ...command, quantity: mine + available }, nowMs);",
  },
  {
    name: "replay skips lapses",
    file: "src/core/stock/codec.ts",
    find: 'return { kind: "lapsed", shopper: text(2) };',
    replace: 'return { kind: "changed", shopper: text(2), quantity: 1 };',
  },
  {
    name: "deadline moved by PUT",
    file: apply,
    find: "book.holds.setQuantity(hold, event.quantity);",
    replace:
      'book.holds.setQuantity(hold, event.quantity);\n      book.holds.pin(hold, "", hold.deadlineMs + 50);\n      book.holds.unpin(hold);',
  },
  {
    name: "a second pin moves the deadline",
    file: decide,
    find: "const deadlineMs = hold.wasPinned",
    replace: "const deadlineMs = hold.wasPinned && nowMs < 0",
  },
  {
    name: "a pin after an unpin ties the hold",
    file: decide,
    find: 'if (effect !== undefined) return no({ kind: "hold_lapsed" });',
    replace: "",
  },
  {
    name: "an older version configures",
    file: decide,
    find: "if (command.version <= sku.rules.version) {",
    replace: "if (command.version < sku.rules.version) {",
  },
  {
    name: "released may fall under what is sold and held",
    file: decide,
    find: "const minimum = sku.sold + sku.held;",
    replace: "const minimum = sku.sold;",
  },
];

/** Breakages of how holds are kept: the table's own tests must fail. */
export const HOLD_MUTANTS: readonly Mutant[] = [
  {
    name: "holds: a gap stays in a run",
    file: "src/core/stock/holds/slot-index.ts",
    find: "if (((at - home) & mask) < ((at - hole) & mask)) continue;",
    replace: "if (home !== -1) continue;",
  },
  {
    name: "holds: what belongs to a later run moves up too",
    file: "src/core/stock/holds/slot-index.ts",
    find: "if (((at - home) & mask) < ((at - hole) & mask)) continue;",
    replace: "",
  },
  {
    name: "holds: a freed place is given to two",
    file: "src/core/stock/holds/text-slab.ts",
    find: "if (freed !== undefined) return freed;",
    replace: "if (freed !== undefined) {\n      this.free.push(freed);\n      return freed;\n    }",
  },
  {
    name: "holds: only the length of a shopper is compared",
    file: "src/core/stock/holds/text-slab.ts",
    find: "if (chunk[at] !== text.charCodeAt(from)) return false;",
    replace: "",
  },
  {
    name: "holds: a stale hold is changed",
    file: table,
    find: 'assert(isSame, "the hold was dropped meanwhile");',
    replace: "",
  },
  {
    name: "holds: an unpinned hold stays tied",
    file: table,
    find: "this.#current(hold).orderId.delete(hold.slot & PLACE_MASK);",
    replace: "this.#current(hold);",
  },
  {
    name: "holds: a frozen chunk is written",
    file: table,
    find: "if (chunk.views === 0) return chunk;",
    replace: "if (chunk.views >= 0) return chunk;",
  },
  {
    name: "holds: a frozen text is overwritten",
    file: "src/core/stock/holds/text-slab.ts",
    find: "if (this.#views > 0) this.#kept.push(ref);\n    else ",
    replace: "",
  },
  {
    name: "holds: a chunk with holds goes",
    file: table,
    find: "if (chunk.live === 0 && chunk.used === SLOTS_PER_CHUNK)",
    replace: "if (chunk.live <= 1 && chunk.used === SLOTS_PER_CHUNK)",
  },
  {
    name: "holds: a deadline is forgotten when room is made",
    file: "src/core/stock/holds/deadlines.ts",
    find: "    for (let at = (kept >> 1) - 1; at >= 0; at -= 1) {",
    replace: "    for (let at = (kept >> 1) - 1; at >= 1; at -= 1) {",
  },
];
