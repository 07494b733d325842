// Deliberate breakages of what makes many nodes safe: fences, claims, doubts, hand-offs, the router and
// the edges. The simulator must notice each within a bounded number of seeds; those of the store's
// scripts are for the journal's conformance suite. `find` must stand exactly once in its file.

import type { Mutant } from "./mutant.ts";

const partition = "src/actors/partition.ts";
const settle = "src/actors/settle.ts";
const flight = "src/actors/flight.ts";
const model = "test/support/model-journal.ts";
const remoteAsks = "src/cluster/remote-asks.ts";
const responder = "src/cluster/responder.ts";
const ages = "src/cluster/message-ages.ts";
const ownership = "src/cluster/ownership.ts";

export const CLUSTER_MUTANTS: readonly Mutant[] = [
  {
    name: "sim: reply before commit",
    file: partition,
    find: "    this.#flight = flight;\n",
    replace:
      "    answerAll(flight, this.#memory.book, this.nowMs());\n    this.#flight = flight;\n",
  },
  {
    name: "sim: decide while a batch is in flight",
    file: partition,
    find: 'return this.#state === "serving" && this.#flight === null && !this.#closing.isLeaving;',
    replace: 'return this.#state === "serving" && !this.#closing.isLeaving;',
  },
  {
    name: "sim: no claim check",
    file: model,
    find: "return partition.view === term.view && partition.claim === term.claim;",
    replace: "return partition.view === term.view;",
  },
  {
    name: "sim: no fence at all",
    file: model,
    find: "return partition.view === term.view && partition.claim === term.claim;",
    replace: "return term.claim > 0 && partition.claim > 0;",
  },
  {
    name: "sim: no view check",
    file: model,
    find: "if (request.view < partition.view || isTaken) return fencedOf(partition);",
    replace: "if (isTaken) return fencedOf(partition);",
  },
  {
    name: "sim: a view may have two owners",
    file: model,
    find: "if (request.view < partition.view || isTaken) return fencedOf(partition);",
    replace: "if (request.view < partition.view) return fencedOf(partition);",
  },
  {
    name: "sim: timeout taken for failure",
    file: partition,
    find: "    this.#host.onUnknown(this.id, cause);\n",
    replace:
      '    this.#host.onUnknown(this.id, cause);\n    rejectAll(flight, new Fault("busy", "?"));\n',
  },
  {
    name: "sim: timeout taken for success",
    file: settle,
    find: 'return isAlone && isBefore ? "not_written" : "lost";',
    replace: 'return isAlone && isBefore ? "written" : "lost";',
  },
  {
    name: "sim: fenced, and told that nothing was done",
    file: partition,
    find: 'rejectAll(this.#flight, new Fault("unknown", fault.message));',
    replace: 'rejectAll(this.#flight, new Fault("not_owner", fault.message));',
  },
  {
    name: "sim: stale owner answers unchanged",
    file: flight,
    find: "  unchanged: false,",
    replace: "  unchanged: true,",
  },
  {
    name: "sim: stale owner answers held",
    file: flight,
    find: "  held: false,",
    replace: "  held: true,",
  },
  {
    name: "sim: refusals from an old confirmation",
    file: partition,
    find: "monotonicMs - this.#confirmedAtMs < REFUSAL_FRESH_MS;",
    replace: "monotonicMs >= this.#confirmedAtMs;",
  },
  {
    name: "sim: hand-off without flush",
    file: partition,
    find: "    await this.#quiet();\n",
    replace: "",
  },
  {
    name: "sim: replay stops one short",
    file: "src/actors/recovery.ts",
    find: "      if (entry.seq > seq) break;",
    replace:
      "      if (entry.seq > seq) break;\n      if (entry.seq === seq) { next++; continue; }",
  },
  {
    name: "sim: overtaken while it recovers, it halts",
    file: settle,
    find: '  if (checked.kind !== "fenced") return { kind: "halted", reason };',
    replace:
      '  if (checked.kind !== "confirmed" || reason !== "") return { kind: "halted", reason };',
  },
  {
    name: "sim: a new owner's clock is ahead",
    file: "src/actors/partition-time.ts",
    find: "    if (behindMs > 0) this.#baseMs += behindMs;\n",
    replace: "    this.#baseMs += 5_000;\n",
  },
  {
    name: "sim: lapse twice",
    file: "src/core/stock/holds/deadlines.ts",
    find: "      if (this.#isLive(slot, this.#times[0]!)) return slot;",
    replace: "      if (slot >= 0) return slot;",
  },
  {
    name: "sim: confirm after return",
    file: "src/core/stock/decide.ts",
    find: 'if (effect !== undefined && effect.state !== "unpinned") return no({ kind: effect.state });',
    replace:
      'if (effect?.state === "sold" || effect?.state === "refused") return no({ kind: effect.state });',
  },
  {
    name: "sim: commands sent again after a loss of the bus",
    file: remoteAsks,
    find: '      const code = pending.state === "sent" ? "unknown" : "store_unavailable";',
    replace: '      const code = "store_unavailable";',
  },
  {
    name: "sim: a router's timeout is taken for failure",
    file: remoteAsks,
    find: 'new Fault("deadline", `${pending.nodeId} has not answered in time`)',
    replace: 'new Fault("busy", `${pending.nodeId} has not answered in time`)',
  },
  {
    name: "sim: doubled messages are taken twice",
    file: ages,
    find: "    if (peer.seen.has(stamp.number) || peer.seenBefore.has(stamp.number)) return null;\n",
    replace: "",
  },
  {
    name: "sim: a late request is done all the same",
    file: responder,
    find: "      const leftMs = request.leftMs - ageMs;",
    replace: "      const leftMs = request.leftMs + ageMs * 0;",
  },
  {
    name: "sim: edge refusal from an old level",
    file: "src/cluster/edge-levels.ts",
    find: "    if (nowMs >= soldOut.untilMs) return null;",
    replace: "    if (nowMs >= soldOut.untilMs + 10_000) return null;",
  },
  {
    name: "sim: fenced, and never claimed again",
    file: ownership,
    find: "        this.#membership.raise();",
    replace: "        this.#membership.refreshSoon();",
  },
  {
    name: "sim: who was evicted stays away",
    file: "src/cluster/membership.ts",
    find: 'if (this.#status === "evicted" && nowMs >= this.#rejoinAtMs) this.#rejoin();',
    replace: "",
  },
  {
    name: "sim: nobody is evicted",
    file: "src/cluster/failure-detector.ts",
    find: "else if (peer.silentMs >= EVICT_AFTER_MS)",
    replace: "else if (peer.silentMs >= 1_000 * EVICT_AFTER_MS)",
  },
];

export const ROUTER_MUTANTS: readonly Mutant[] = [
  {
    name: "router: a sweep stops at the first that has time left",
    file: remoteAsks,
    find: "      if (pending.deadlineMs > nowMs) continue;",
    replace: "      if (pending.deadlineMs > nowMs) break;",
  },
  {
    name: "router: more new holds than the window takes",
    file: "src/cluster/pending.ts",
    find: "if (window.holds >= PEER_HOLDS_MAX) return false;",
    replace: "if (window.holds >= 2 * PEER_HOLDS_MAX) return false;",
  },
  {
    name: "router: sent on when nobody listens, and counted as decided",
    file: remoteAsks,
    find: '      this.#asks.park(pending, this.#nowMs());\n      this.#follow(pending, "");',
    replace: '      this.#reject(pending, new Fault("deadline", "nobody listens"));',
  },
];

export const SCRIPT_MUTANTS: readonly Mutant[] = ["snapshot", "trim", "commit", "check", "release"]
  .map((script) => {
    const term = script === "commit" ? ["view", "claim"] : ["ARGV[2]", "ARGV[3]"];
    return {
      name: `lua: unfenced ${script}`,
      file: `src/store/redis/scripts/${script}.lua`,
      find: `if fence[1] ~= ${term[0]} or fence[2] ~= ${term[1]} then`,
      replace: "if fence[1] == nil then",
    };
  })
  .concat([
    {
      name: "lua: claim under a lower view",
      file: "src/store/redis/scripts/claim.lua",
      find: "if isLower or isTaken then",
      replace: "if isTaken then",
    },
    {
      name: "lua: no seq check",
      file: "src/store/redis/scripts/commit.lua",
      find: "if tonumber(seq) ~= tonumber(storedSeq) + 1 then",
      replace: "if tonumber(seq) < 0 then",
    },
    {
      name: "lua: no check below zero",
      file: "src/store/redis/scripts/commit.lua",
      find: "      if after < 0 then",
      replace: "      if after < -1000000000 then",
    },
    {
      name: "lua: one batch's error ends the others of its turn",
      file: "src/store/redis/scripts/commit.lua",
      find: "  if not isDone then",
      replace: "  if not isDone then error(answer.err)",
    },
    {
      name: "lua: a refused batch ends its turn",
      file: "src/store/redis/scripts/commit.lua",
      find: "  at = last + 1",
      replace: '  at = last + 1\n  if answer[1] == "NEG" then break end',
    },
    {
      name: "commits: of a turn without a bound",
      file: "src/store/redis/gathered-commits.ts",
      find: "bytes + own > GROUP_BYTES_MAX",
      replace: "bytes === Infinity",
    },
    {
      name: "commits: of a turn in one script, whatever the server",
      file: "src/store/redis/gathered-commits.ts",
      find: "isAlone ? 1 : GROUP_BATCHES_MAX",
      replace: "isAlone ? GROUP_BATCHES_MAX : GROUP_BATCHES_MAX",
    },
    {
      name: "commits: in one script for a server that does not tell of its slots",
      file: "src/store/redis/redis-connection.ts",
      find: 'settings.get(SLOTS_SETTING) !== "no"',
      replace: 'settings.get(SLOTS_SETTING) === "yes"',
    },
    {
      name: "commits: leave before the promises of the turn are done",
      file: "src/store/redis/gathered-commits.ts",
      find: "queueMicrotask(() => process.nextTick(this.#flush))",
      replace: "process.nextTick(this.#flush)",
    },
    {
      name: "commits: one stumbled script ends the connection",
      file: "src/store/redis/redis-errors.ts",
      find: "if (isCorrupt || STUMBLED.test(message))",
      replace: "if (isCorrupt)",
    },
    {
      name: "lua: half a fence is a fence",
      file: "src/store/redis/scripts/commit.lua",
      find: "if not (fence[1] and fence[2] and fence[3] and storedSeq) then",
      replace: "if not storedSeq then",
    },
    {
      name: "commits: an answer to another batch is believed",
      file: "src/store/redis/gathered-commits.ts",
      find: "if (!isSeq || fields[2] !== batchId)",
      replace: "if (!isSeq)",
    },
  ]);
