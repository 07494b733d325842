import { describe, expect, spyOn, test } from "bun:test";

import { bookOf, restart, someHistory } from "../../test/support/actor-lives.ts";
import { hear, holdOf, type NodeBed, nodeBed, rulesOf } from "../../test/support/actors.ts";
import type { LogLines } from "../../test/support/http-fakes.ts";
import { Fault } from "../core/errors.ts";
import { SNAPSHOT_AFTER_BYTES } from "../core/limits.ts";
import { decodeBook, FrozenBook } from "../core/stock/snapshot.ts";

/** So long after it the rush of the many commands is over. */
const RUSH_ENDS_MS = 2_050;

/** A partition whose journal is worth a snapshot, which the end of the rush begins. */
async function bigBook(skuCount = 48_000, partitionCount = 1) {
  const bed = await nodeBed({ count: partitionCount });
  const name = "n".repeat(64);
  const refs = Array.from({ length: skuCount * partitionCount }, (_, i) => ({
    key: `sale-${name.slice(5)}/${name.slice(6)}${i}`,
    partition: Math.floor(i / skuCount),
  }));
  for (let from = 0; from < refs.length; from += 8_000) {
    const heard = refs.slice(from, from + 8_000).map((ref) => bed.ask(rulesOf(), ref));
    await bed.runtime.advance(100);
    expect(heard.every((one) => one.value?.kind === "configured")).toBe(true);
  }
  const bytes = bed.ledger.rows.reduce((sum, row) => sum + row.bytes.length, 0);
  expect(bytes).toBeGreaterThan(SNAPSHOT_AFTER_BYTES * partitionCount);
  return { bed, ref: refs[0]!, skuCount };
}

/** Shoppers storm the node for so long. */
async function rush(bed: NodeBed, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    for (let one = 0; one < 600; one++) bed.ask(holdOf("s1"), { key: "none", partition: 0 });
    await bed.runtime.advance(100);
  }
}

function snapshotsOf({ log }: { readonly log: LogLines }) {
  return log.lines.filter(({ message }) => message === "snapshot written");
}

describe("snapshots and trims", () => {
  test("a big journal gets a snapshot in the background, and is cut behind the ledger", async () => {
    const { bed, ref, skuCount } = await bigBook();
    await bed.runtime.advance(RUSH_ENDS_MS);
    // The text is made in slices with pauses, in which the book goes on.
    await bed.told(holdOf("s1"), ref);
    await bed.told(holdOf("s2"), ref);
    await bed.told({ kind: "give_back", shopper: "s2" }, ref);
    const { seq } = bed.node.partitions[0]!;
    bed.ledger.storedSeq = seq - 4;
    expect(bed.model.dump()[0]!.snapshot).toBeNull();
    await bed.runtime.advance(400);
    const snapshot = bed.model.dump()[0]!.snapshot!;
    expect(snapshot.seq).toBe(seq - 3);
    const { book } = decodeBook(snapshot.pieces);
    expect([book.skus.size, book.holds.size]).toEqual([skuCount, 0]);
    const first = () => bed.model.dump()[0]!.entries[0]!.seq;
    expect(first()).toBe(seq - 3);
    // The ledger goes on, and the journal is cut behind it, never before it, nor the snapshot.
    bed.ledger.storedSeq = seq;
    await bed.runtime.advance(5_100);
    expect(first()).toBe(seq - 2);
    const before = await bookOf(bed);
    await restart(bed);
    expect(await bookOf(bed)).toEqual(before);
  });

  test("a rush postpones it, to its end or for half a minute", async () => {
    const { bed } = await bigBook();
    await rush(bed, 29_000);
    expect(snapshotsOf(bed)).toEqual([]);
    await rush(bed, 2_000);
    expect(snapshotsOf(bed)).toHaveLength(1);
  });

  test("one that fails in a rush does not wait for its end again", async () => {
    const { bed } = await bigBook();
    bed.hand.through((method, _, work) =>
      method === "writeSnapshot" ? Promise.reject(new Fault("unknown", "cut")) : work(),
    );
    await rush(bed, 31_000);
    bed.hand.through(null);
    await rush(bed, 3_000);
    expect(snapshotsOf(bed)).toEqual([]);
    await rush(bed, 4_000);
    expect(snapshotsOf(bed)).toHaveLength(1);
  });

  test("what a rush has postponed is written two at a time", async () => {
    const { bed } = await bigBook(48_000, 3);
    bed.hand.hold("writeSnapshot");
    await bed.runtime.advance(2 * RUSH_ENDS_MS);
    expect(bed.hand.held.map(({ method }) => method)).toEqual(["writeSnapshot", "writeSnapshot"]);
    const released = bed.hand.take().release();
    await bed.runtime.advance(1_000);
    await released;
    expect(bed.hand.held).toHaveLength(2);
    expect(snapshotsOf(bed)).toHaveLength(1);
  });

  test("one whose answer was lost counts as written", async () => {
    const { bed } = await bigBook();
    const { seq } = bed.node.partitions[0]!;
    bed.ledger.storedSeq = seq;
    let writes = 0;
    bed.hand.through(async (method, _, work) => {
      const result = await work();
      if (method !== "writeSnapshot" || ++writes > 1) return result;
      throw new Fault("unknown", "cut");
    });
    await bed.runtime.advance(RUSH_ENDS_MS + 20_000);
    expect(writes).toBe(2);
    const { snapshot, entries } = bed.model.dump()[0]!;
    expect([snapshot?.seq, entries]).toEqual([seq, []]);
  });

  test("one that is refused is not tried again before there is more to write", async () => {
    const { bed, ref } = await bigBook();
    let writes = 0;
    bed.hand.through((method, _, work) => {
      if (method !== "writeSnapshot") return work();
      writes += 1;
      return Promise.resolve({ kind: "stale", seq: 0 });
    });
    await bed.runtime.advance(RUSH_ENDS_MS + 20_000);
    expect(writes).toBe(1);
    await bed.told(holdOf("s1"), ref);
    await bed.runtime.advance(1_000);
    expect(writes).toBe(2);
  });

  test("a hand-off in a rush leaves a book to the next owner that takes too long to write", async () => {
    for (const [skuCount, written] of [
      [48_000, 1],
      [96_000, 0],
    ] as const) {
      const { bed } = await bigBook(skuCount);
      const handedOff = bed.node.disown(0);
      await bed.runtime.advance(10);
      await handedOff;
      expect([bed.model.dump()[0]!.released, snapshotsOf(bed).length]).toEqual([1, written]);
    }
  });

  test("a stop gives up the snapshot under way, and takes its own without pauses", async () => {
    const { bed, ref } = await bigBook();
    await bed.runtime.advance(RUSH_ENDS_MS);
    await bed.told(holdOf("s1"), ref);
    await bed.told(holdOf("s2"), ref);
    const stopped = hear(bed.node.stop().then(() => "stopped"));
    await bed.runtime.advance(10);
    expect(stopped.value).toBe("stopped");
    const { seq, snapshot, released } = bed.model.dump()[0]!;
    expect([snapshot?.seq, released]).toEqual([seq, 1]);
    expect(snapshotsOf(bed).map(({ fields }) => fields["result"])).toEqual(["done"]);
  });

  test("no book stays frozen, whether its snapshot was written, failed or was given up", async () => {
    const thaw = spyOn(FrozenBook.prototype, "thaw");
    const { bed, ref } = await bigBook();
    bed.hand.through((method, _, work) =>
      method === "writeSnapshot" ? Promise.reject(new Fault("unknown", "cut")) : work(),
    );
    await bed.told(holdOf("s1"), ref);
    await bed.runtime.advance(RUSH_ENDS_MS);
    expect(thaw).toHaveBeenCalledTimes(1);
    bed.hand.through(null);
    await bed.runtime.advance(5_000);
    await bed.told(holdOf("s2"), ref);
    const stopped = bed.node.stop();
    await bed.runtime.advance(10);
    await stopped;
    const said = bed.log.lines.map(({ message }) => message);
    expect(said).toContainEqual("snapshot given up");
    expect(said.at(-1)).toBe("snapshot written");
    expect(thaw).toHaveBeenCalledTimes(3);
    thaw.mockRestore();
  });

  test("two stops at once take one snapshot", async () => {
    const { bed, ref } = await bigBook();
    await bed.runtime.advance(RUSH_ENDS_MS);
    await bed.told(holdOf("s1"), ref);
    const stopped = hear(Promise.all([bed.node.stop(), bed.node.stop()]).then(() => "stopped"));
    await bed.runtime.advance(10);
    expect(stopped.value).toBe("stopped");
    const { seq, snapshot } = bed.model.dump()[0]!;
    expect(snapshot?.seq).toBe(seq);
    expect(snapshotsOf(bed).map(({ fields }) => fields["result"])).toEqual(["done"]);
  });

  test("one that failed is tried again, a while later", async () => {
    const { bed, ref } = await bigBook();
    bed.hand.through((method, _, work) =>
      method === "writeSnapshot" ? Promise.reject(new Fault("unknown", "cut")) : work(),
    );
    await bed.told(holdOf("s1"), ref);
    await bed.runtime.advance(RUSH_ENDS_MS);
    bed.hand.through(null);
    await bed.told(holdOf("s2"), ref);
    await bed.runtime.advance(400);
    expect(bed.model.dump()[0]!.snapshot).toBeNull();
    await bed.runtime.advance(5_000);
    await bed.told(holdOf("s3"), ref);
    await bed.runtime.advance(400);
    expect(bed.model.dump()[0]!.snapshot).not.toBeNull();
  });

  test("a snapshot is never taken with a batch in flight", async () => {
    const bed = await nodeBed();
    await bed.open();
    bed.hand.hold("commit", "writeSnapshot");
    bed.ask(holdOf("s1"));
    await bed.runtime.settle();
    const stopped = hear(bed.node.stop().then(() => "stopped"));
    await bed.runtime.advance(500);
    expect(bed.hand.held.map((call) => call.method)).toEqual(["commit"]);
    await bed.hand.take().release();
    await bed.runtime.settle();
    const snapshot = bed.hand.take();
    expect(snapshot.given[1]).toMatchObject({ seq: 2 });
    await snapshot.release();
    await bed.runtime.settle();
    expect(bed.model.dump()[0]!.snapshot!.pieces.join()).toContain("\nH\ts1\t");
    expect(stopped.value).toBe("stopped");
  });

  test("a snapshot that cannot be written harms nobody", async () => {
    const bed = await nodeBed();
    await someHistory(bed);
    const before = await bookOf(bed);
    bed.hand.through((method, _, work) =>
      method === "writeSnapshot" ? Promise.reject(new Fault("unknown", "cut")) : work(),
    );
    await bed.node.stop();
    bed.hand.through(null);
    expect(bed.model.dump()[0]!.snapshot).toBeNull();
    await restart(bed);
    expect(await bookOf(bed)).toEqual(before);
  });
});
