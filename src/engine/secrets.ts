// Secrets that an embedded engine makes at its first start and keeps in DATA_DIR, readable by its
// user alone.

import { randomBytes } from "node:crypto";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";

import { Fault } from "../core/errors.ts";

const SECRET_BYTES = 32;

export async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new Fault("config_invalid", `DOORBUSTER_DATA_DIR ${dataDir} cannot be made`, { cause });
  }
}

/** The text of `name` in the data folder; made by `make`, mode 0600, when it is not there. */
export async function keptSecret(
  dataDir: string,
  name: string,
  make: () => string,
): Promise<string> {
  const path = join(dataDir, name);
  const kept = await readFile(path, "utf8").catch(() => "");
  if (kept.trim() !== "") return kept.trim();
  const secret = make();
  await writeSecret(path, secret);
  return secret;
}

/** Written whole and synced before anybody relies on it. */
export async function writeSecret(path: string, secret: string): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(`${secret}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

export function newJwtSecret(): string {
  return randomBytes(SECRET_BYTES).toString("base64url");
}
