// R1–R3 of restores.ts, and A2 of archiver.ts, with the archive held by hand.

import { describe, expect, test } from "bun:test";

import { A, hear, holdOf, nodeBed, rulesOf, START_MS } from "../../test/support/actors.ts";
import {
  bedWithArchived,
  confirmClaim,
  confirmOf,
  countsOf,
  ENDS_MS,
  isArchived,
  LIVE,
  OVER,
  returnOf,
} from "../../test/support/archive-bed.ts";
import {
  ARCHIVE_AFTER_MS,
  REQUEST_DEADLINE_MS,
  RESTORE_WAITING_MAX,
  RESTORES_AT_ONCE_MAX,
} from "../core/limits.ts";
import type { Command } from "../core/stock/command.ts";

describe("an archive that does not answer", () => {
  test("R2: answers those who need it with store_unavailable, and nobody else", async () => {
    const bed = await bedWithArchived();
    bed.archive.fault = new Error("connection refused");
    const heard = bed.ask(returnOf("o1"));
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("store_unavailable");
    expect((await bed.told(holdOf("s1"))).kind).toBe("ended");
    expect((await bed.told(holdOf("s1"), LIVE)).kind).toBe("held");
    bed.archive.fault = null;
    expect((await bed.told(returnOf("o1"))).kind).toBe("returned");
  });

  test("R1: that hangs makes its own wait until their deadline, and nobody else", async () => {
    const bed = await bedWithArchived();
    bed.archive.hold();
    const heard = bed.ask(returnOf("o1"));
    await bed.runtime.advance(REQUEST_DEADLINE_MS - 200);
    expect(heard.isSettled).toBe(false);
    expect((await bed.told(holdOf("s1"), LIVE)).kind).toBe("held");
    await bed.runtime.advance(400);
    expect(heard.error?.message).toStartWith("deadline");
    bed.archive.release();
    await bed.runtime.settle();
    expect((await bed.told(returnOf("o1"))).kind).toBe("returned");
  });

  test("with a text missing says halted for its SKU alone", async () => {
    const bed = await bedWithArchived();
    bed.archive.texts.clear();
    const heard = bed.ask(returnOf("o1"));
    await bed.runtime.settle();
    expect(heard.error?.message).toStartWith("halted: the archive's text of sale/a");
    expect((await bed.told(holdOf("s1"), LIVE)).kind).toBe("held");
  });
});

describe("what an archived SKU answers as it is", () => {
  test("counts, window refusals, give_back and old versions, without the archive", async () => {
    const bed = await bedWithArchived();
    bed.archive.fault = new Error("nobody may ask");
    expect(await countsOf(bed)).toEqual({
      skuKey: A.key,
      released: 10,
      available: 9,
      held: 0,
      paying: 0,
      sold: 1,
    });
    expect(await bed.told(holdOf("s1"))).toEqual({ kind: "ended" });
    expect(bed.node.refuseEarly(A)).toEqual({ kind: "ended" });
    expect(await bed.told({ kind: "give_back", shopper: "s1" })).toEqual({ kind: "given_back" });
    expect(await bed.told(rulesOf())).toEqual({ kind: "unchanged", version: 1 });
    expect(isArchived(bed)).toBe(true);
  });
});

describe("coming back", () => {
  test("commands wait in order, before what arrives later; other SKUs go on meanwhile", async () => {
    const bed = await bedWithArchived();
    bed.archive.hold();
    const answers: string[] = [];
    const noted = (name: string, command: Command): void => {
      void bed.node.ask(A, command).then(({ kind }) => answers.push(`${name} ${kind}`));
    };
    noted("return", returnOf("o1"));
    noted("confirm", confirmOf("o2", "s2"));
    // Alone it would be answered as it is; behind the others it waits for them.
    noted("extend", rulesOf({ version: 2, endsAtMs: START_MS + 1e9 }));
    noted("hold", holdOf("s3"));
    await bed.runtime.settle();
    expect((await bed.told(holdOf("s1"), LIVE)).kind).toBe("held");
    expect(answers).toEqual([]);

    bed.archive.release();
    noted("late", holdOf("s4", 4));
    await bed.runtime.settle();
    expect(answers).toEqual([
      "return returned",
      "confirm sold",
      "extend configured",
      "hold held",
      "late held",
    ]);
    expect(bed.archive.gets).toBe(1);
    expect(await countsOf(bed)).toMatchObject({ released: 10, sold: 1, held: 5, available: 4 });
  });

  test("it changes nothing: no event, and the stock backup stays", async () => {
    const bed = await bedWithArchived();
    const before = bed.model.dump();
    expect((await bed.told(confirmOf("o1"))).kind).toBe("sold");
    expect(isArchived(bed)).toBe(false);
    expect(bed.model.dump()).toEqual(before);
    expect(bed.node.stats.restored).toBe(1);
  });

  test("A2: it stays for as long as a sale that has just ended, then leaves again", async () => {
    const bed = await bedWithArchived();
    await bed.told(confirmOf("o1"));
    await bed.runtime.advance(ARCHIVE_AFTER_MS - 1_000);
    await confirmClaim(bed);
    expect(isArchived(bed)).toBe(false);
    await bed.runtime.advance(2_000);
    await confirmClaim(bed);
    expect(isArchived(bed)).toBe(true);
    expect(bed.archive.texts.size).toBe(1);
  });

  test("R1: what waits is bounded, with a reserve for all but new holds", async () => {
    const bed = await bedWithArchived();
    bed.archive.hold();
    const first = bed.ask(returnOf("o1"));
    await bed.runtime.settle();
    const holds = Array.from({ length: RESTORE_WAITING_MAX }, (_, i) => bed.ask(holdOf(`h${i}`)));
    await bed.runtime.settle();
    const refused = holds.filter(({ error }) => error?.message.startsWith("busy") === true);
    expect(refused.length).toBe(RESTORE_WAITING_MAX / 2 + 1);
    const money = bed.ask(confirmOf("o2"));
    await bed.runtime.settle();
    expect(money.isSettled).toBe(false);
    bed.archive.release();
    await bed.runtime.settle();
    expect([first.value?.kind, money.value?.kind]).toEqual(["returned", "sold"]);
  });

  test("many units at once are fetched a few at a time, and all answered", async () => {
    const bed = await nodeBed();
    const refs = Array.from({ length: 50 }, (_, i) => ({ key: `sale/${i}`, partition: 0 }));
    for (const ref of refs) await bed.open(OVER, ref);
    await bed.runtime.advance(ENDS_MS + ARCHIVE_AFTER_MS + 500);
    expect(bed.node.stats.archived).toBe(refs.length);
    bed.archive.hold();
    const heard = refs.map((ref) => bed.ask(rulesOf({ version: 2 }), ref));
    await bed.runtime.settle();
    expect(bed.archive.gets).toBe(RESTORES_AT_ONCE_MAX);
    bed.archive.release();
    await bed.runtime.settle();
    expect(heard.every(({ value }) => value?.kind === "configured")).toBe(true);
  });

  test("a stop answers what waits for the archive first", async () => {
    const bed = await bedWithArchived();
    bed.archive.hold();
    const heard = bed.ask(returnOf("o1"));
    await bed.runtime.settle();
    const stopped = hear(bed.node.stop().then(() => true));
    await bed.runtime.settle();
    expect([heard.isSettled, stopped.isSettled]).toEqual([false, false]);
    bed.archive.release();
    await bed.runtime.settle();
    expect(heard.value?.kind).toBe("returned");
    expect(stopped.value).toBe(true);
  });

  test("R3: fetched in one life, it is used in the next", async () => {
    const bed = await bedWithArchived();
    bed.archive.hold();
    const heard = bed.ask(returnOf("o1"));
    await bed.runtime.settle();
    bed.hand.hold("commit");
    const other = bed.ask(holdOf("s1"), LIVE);
    await bed.runtime.settle();
    // Neither at our batch nor before it: memory is dropped and read back.
    bed.hand.take().answer({ kind: "out_of_sequence", seq: 99 });
    bed.hand.hold();
    bed.archive.release();
    await bed.runtime.advance(1_000);
    expect(other.isSettled).toBe(true);
    expect(heard.value?.kind).toBe("returned");
  });
});
