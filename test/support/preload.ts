// Loaded by `bun test` before the test files (bunfig.toml). `bun test` does not fire "exit" when it
// ends by itself, so what is shared by the whole run, such as Postgres' template, is removed here.

import { afterAll, setDefaultTimeout } from "bun:test";

import { removeLeftovers } from "./cleanup.ts";

afterAll(removeLeftovers);

// Bun 1.4.5 does not read `timeout` from bunfig.toml. Starting real servers on a busy machine takes
// its time, and no test judges by its own duration.
setDefaultTimeout(60_000);
