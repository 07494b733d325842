// A generator process. It is told by messages: make the tokens, prepare a job, go.

import { unreachable } from "../../src/core/assert.ts";
import { FunnelLoad } from "./funnel-load.ts";
import { HoldLoad } from "./hold-load.ts";
import type { FromWorker, ToWorker } from "./job.ts";
import { TokenMint } from "./tokens.ts";

let mint: TokenMint | null = null;
let load: HoldLoad | FunnelLoad | null = null;

async function handle(message: ToWorker): Promise<FromWorker> {
  switch (message.kind) {
    case "mint":
      mint = new TokenMint(message);
      return { kind: "ready" };
    case "prepare": {
      if (mint === null) throw new Error("no tokens were minted");
      const { job } = message;
      load = job.journey === "hold" ? new HoldLoad(job, mint) : new FunnelLoad(job, mint);
      await load.connect();
      return { kind: "ready" };
    }
    case "go": {
      if (load === null) throw new Error("no job was prepared");
      const result = await load.run();
      load = null;
      // The next job begins with an empty nursery, as this one did.
      Bun.gc(true);
      return { kind: "result", result };
    }
    default:
      return unreachable(message);
  }
}

process.on("message", (message: ToWorker) => {
  void handle(message).then(
    (answer) => process.send?.(answer),
    (cause: unknown) => process.send?.({ kind: "failed", message: String(cause) }),
  );
});
process.on("disconnect", () => process.exit(0));
