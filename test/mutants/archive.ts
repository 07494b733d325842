// Deliberate breakages of the archive of quiet sales, for the tests of src/actors.

import type { Mutant } from "./mutant.ts";

const archiver = "src/actors/archiver.ts";
const restores = "src/actors/restores.ts";
const recovery = "src/actors/recovery.ts";

export const ARCHIVE_MUTANTS: readonly Mutant[] = [
  {
    name: "archived before its text is durable",
    file: archiver,
    find: "      await this.#host.archive.put(",
    replace: "      void this.#host.archive.put(",
  },
  {
    name: "archived under an older text",
    file: archiver,
    find: "if (encodeUnit(sku, this.#host.writtenFormat()).digest !== digest) continue;",
    replace: "",
  },
  {
    name: "archived as soon as its sale is over",
    file: archiver,
    find: "if (nowMs < this.#overAtMs(one, nowMs) + archiveAfterMs) return false;",
    replace: "if (nowMs < this.#overAtMs(one, nowMs)) return false;",
  },
  {
    name: "a sale ended ahead of its time is never archived",
    file: archiver,
    find: "return knownMs ?? nowMs;",
    replace: "return nowMs;",
  },
  {
    name: "a restored unit leaves at once",
    file: archiver,
    find: "if (nowMs < this.#restores.restoredAtMs(unitNameOf(sku)) + archiveAfterMs) return false;",
    replace: "",
  },
  {
    name: "an archive that is away is asked at every tick",
    file: archiver,
    find: "this.#againAtMs = monotonicMs + ARCHIVE_AGAIN_MS;",
    replace: "",
  },
  {
    name: "answered as it is though others wait for the unit",
    file: restores,
    find: "if (waiting === undefined && unitToRestore(",
    replace: "if (unitToRestore(",
  },
  {
    name: "a later arrival is decided before those who waited",
    file: "src/actors/inbox.ts",
    find: "return this.restores.shift() ?? this.mailbox.shift();",
    replace: "return this.mailbox.shift() ?? this.restores.shift();",
  },
  {
    name: "waiting for the archive has no deadline",
    file: "src/actors/inbox.ts",
    find: "    this.restores.expire(monotonicMs);\n",
    replace: "",
  },
  {
    name: "waiting for the archive has no bound",
    file: restores,
    find: "if (this.#waitingCount + this.#ready.length >= max) {",
    replace: "if (max < 0) {",
  },
  {
    name: "holds may fill what waits for the archive",
    file: restores,
    find: 'command.kind === "hold" ? RESTORE_WAITING_MAX / 2 : RESTORE_WAITING_MAX',
    replace: "RESTORE_WAITING_MAX / 2",
  },
  {
    name: "everything is fetched at once",
    file: restores,
    find: "while (this.#fetchingCount < RESTORES_AT_ONCE_MAX) {",
    replace: "while (this.#fetchingCount >= 0) {",
  },
  {
    name: "a stop forgets what waits for the archive",
    file: "src/actors/inbox.ts",
    find: "return this.isEmpty && this.restores.isEmpty;",
    replace: "return this.isEmpty;",
  },
  {
    name: "a replay does not restore",
    file: recovery,
    find: "      await restoreFor(batch, book, { archive, partition });\n",
    replace: "",
  },
  {
    name: "no backup comparison of archived SKUs",
    file: recovery,
    find: "compare(key, released - sold);",
    replace: "compare(key, backup.get(key) ?? released - sold);",
  },
  {
    name: "a SKU joins an archived group as if it were empty",
    file: "src/core/stock/archive.ts",
    find: 'if (change.kind !== "configure" && change.kind !== "configured") return null;',
    replace: 'if (change.kind !== "configured" || change.version > 0) return null;',
  },
];
