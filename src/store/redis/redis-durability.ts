// The settings without which an acknowledged answer would not survive (I2).

export type Durability = "strict" | "relaxed";

/** appendfsync: a reply leaves after its fsync. noeviction: any other policy would delete stock. */
export const DURABILITY_REQUIRED = {
  appendonly: "yes",
  appendfsync: "always",
  "no-appendfsync-on-rewrite": "no",
  "maxmemory-policy": "noeviction",
} as const satisfies Record<string, string>;

/** One sentence for each setting that is not as required; `settings` as CONFIG GET answers. */
export function durabilityProblems(settings: ReadonlyMap<string, string>): readonly string[] {
  const problems: string[] = [];
  for (const [setting, required] of Object.entries(DURABILITY_REQUIRED)) {
    const value = settings.get(setting);
    if (value === required) continue;
    const found = value === undefined ? "does not tell" : `has ${setting} ${value};`;
    const missing = value === undefined ? ` ${setting};` : "";
    problems.push(`Redis ${found}${missing} required is ${setting} ${required}`);
  }
  return problems;
}
