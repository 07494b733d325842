// Loaded into an engine before anything else (`--preload`): its OS clock steps when a test writes an
// offset in milliseconds into the file that CLOCK_OFFSET_FILE names. The monotonic clock does not.

import { readFileSync } from "node:fs";

const path = process.env["CLOCK_OFFSET_FILE"];
const RealDate = Date;
const realNow = Date.now.bind(Date);

function offsetMs(): number {
  if (path === undefined) return 0;
  try {
    return Number(readFileSync(path, "utf8"));
  } catch {
    return 0;
  }
}

const steppedNow = (): number => realNow() + offsetMs();

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: unknown[]) =>
    Reflect.construct(target, args.length === 0 ? [steppedNow()] : args),
  get: (target, name, receiver) =>
    name === "now" ? steppedNow : Reflect.get(target, name, receiver),
});
