// What must hold of a load by itself, whatever the ledger says.

import { OUTCOME } from "../generator/job.ts";
import type { Measured } from "./measure.ts";
import type { Scenario } from "./scenario.ts";

export function problemsOf(scenario: Scenario, { figures, result }: Measured): readonly string[] {
  const problems: string[] = [];
  if (figures.lostConnections > 0) problems.push(`${figures.lostConnections} connections lost`);
  const accepted = result.answers[OUTCOME.accepted] ?? 0;
  const refused = result.answers[OUTCOME.refused] ?? 0;
  if (scenario === "sold-out" && accepted > 0) problems.push(`${accepted} accepted of none`);
  // The pure accept path: an arm that runs out is measured refusing.
  if (scenario === "hot" && refused > 0) problems.push(`${refused} refused of an endless stock`);
  return problems;
}
