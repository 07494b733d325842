// Loaded by `bun test` before the test files (bunfig.toml). `bun test` does not fire "exit" when it
// ends by itself, so what is shared by the whole run, such as Postgres' template, is removed here.

import { afterAll } from "bun:test";

import { removeLeftovers } from "./cleanup.ts";

afterAll(removeLeftovers);
