// Starts the engine that the environment asks for.

import { runUntilStopped } from "./engine/run.ts";

process.exit(await runUntilStopped(process.env));
