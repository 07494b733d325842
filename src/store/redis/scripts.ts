// The Lua scripts by name. What each takes, answers and refuses stands in its header.

import { createHash } from "node:crypto";

import check from "./scripts/check.lua" with { type: "text" };
import claim from "./scripts/claim.lua" with { type: "text" };
import commit from "./scripts/commit.lua" with { type: "text" };
import create from "./scripts/create.lua" with { type: "text" };
import release from "./scripts/release.lua" with { type: "text" };
import snapshot from "./scripts/snapshot.lua" with { type: "text" };
import trim from "./scripts/trim.lua" with { type: "text" };

export const SCRIPTS = { check, claim, commit, create, release, snapshot, trim } as const;

export type ScriptName = keyof typeof SCRIPTS;

/** SHA-1 of each script, as Redis names it. */
export const SCRIPT_SHAS = shasOf(SCRIPTS);

function shasOf(
  scripts: Readonly<Record<ScriptName, string>>,
): Readonly<Record<ScriptName, string>> {
  const sha = (name: ScriptName): string => createHash("sha1").update(scripts[name]).digest("hex");
  return {
    check: sha("check"),
    claim: sha("claim"),
    commit: sha("commit"),
    create: sha("create"),
    release: sha("release"),
    snapshot: sha("snapshot"),
    trim: sha("trim"),
  };
}
