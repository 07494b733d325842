import { expect, test } from "bun:test";

import { holdOf, nodeBed } from "../../test/support/actors.ts";
import { Fault } from "../core/errors.ts";

test("a store that is away is said once for each reason, not at every attempt", async () => {
  const bed = await nodeBed();
  await bed.open();
  let reason = "not reached";
  bed.hand.through(() => Promise.reject(new Fault("store_unavailable", reason)));
  bed.ask(holdOf("s1"));
  await bed.runtime.advance(10_000);
  reason = "loading its data";
  await bed.runtime.advance(10_000);
  const said = bed.log.lines.filter(({ message }) => message === "cannot claim yet");
  expect(said.map(({ fields }) => fields["fault"])).toEqual([
    "store_unavailable: not reached",
    "store_unavailable: loading its data",
  ]);
});
