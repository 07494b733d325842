// What every implementation of the Archive port does.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { ARCHIVE_LINES_MAX } from "../../src/core/limits.ts";
import type { Archive, ArchivedText } from "../../src/core/ports/archive.ts";

export type ArchiveUnderTest = { readonly archive: Archive; close(): Promise<void> };

function textOf(partition: number, unit: string, given: Partial<ArchivedText> = {}): ArchivedText {
  return { partition, unit, digest: "d1", text: `1\nS\t${unit}\t"\\,{}'\nO\tā☃𝄞`, ...given };
}

export function archiveSuite(name: string, open: () => Promise<ArchiveUnderTest>): void {
  describe(`the archive on ${name}`, () => {
    let under: ArchiveUnderTest;
    let archive: Archive;
    beforeAll(async () => {
      under = await open();
      archive = under.archive;
    });
    afterAll(async () => {
      await under.close();
    });

    test("a text is read back as it was put, byte for byte", async () => {
      const text = textOf(1, "sale/a");
      await archive.put([text]);
      expect(await archive.get(text)).toBe(text.text);
    });

    test("another partition, unit or digest is another text, and null when it was never put", async () => {
      const text = textOf(2, "sale/b");
      const others = [
        textOf(3, "sale/b", { text: "of partition 3" }),
        textOf(2, "sale/b/*", { text: "of the group" }),
        textOf(2, "sale/b", { digest: "d2", text: "later" }),
      ];
      await archive.put([text]);
      for (const other of others) expect(await archive.get(other)).toBeNull();
      await archive.put(others);
      for (const one of [text, ...others]) expect(await archive.get(one)).toBe(one.text);
    });

    test("what is there stays as it is: twice, shuffled and at once", async () => {
      const texts = Array.from({ length: 40 }, (_, index) => textOf(index % 5, `sale/c${index}`));
      await archive.put(texts.slice(0, 10));
      await Promise.all([
        archive.put(texts),
        archive.put(texts.toReversed()),
        archive.put([...texts.slice(5), ...texts.slice(0, 20)]),
        archive.put([]),
      ]);
      await archive.put(texts.map((one) => ({ ...one, text: "other" })));
      for (const one of texts) expect(await archive.get(one)).toBe(one.text);
    });

    test("the longest unit is one text", async () => {
      const line = `\nO\tord_${"a".repeat(34)}\tshopper-${"b".repeat(12)}\t1\tsold`;
      const text = textOf(4, "sale/long", { text: `1${line.repeat(ARCHIVE_LINES_MAX)}` });
      await archive.put([text]);
      expect(await archive.get(text)).toBe(text.text);
    });
  });
}
