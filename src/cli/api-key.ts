// Which engine a command talks to, and with which key. The key is never printed.

import { join } from "node:path";

import type { GlobalOptions } from "./context.ts";
import { CommandFailure, EXIT } from "./exit-codes.ts";
import type { Environment } from "./wire.ts";

const SERVER_DEFAULT = "http://127.0.0.1:3000";
const DATA_DIR_DEFAULT = ".doorbuster";

/** The engine's address. Throws CommandFailure when it is no plain http(s) address. */
export function serverOf(options: GlobalOptions, environment: Environment): string {
  const text = options.server ?? environment["DOORBUSTER_SERVER"] ?? SERVER_DEFAULT;
  const url = URL.canParse(text) ? new URL(text) : null;
  const isHttp = url !== null && (url.protocol === "http:" || url.protocol === "https:");
  if (!isHttp || url.username !== "" || url.password !== "" || url.search !== "") {
    throw new CommandFailure({
      exitCode: EXIT.usage,
      code: "bad_server",
      message: "--server (or DOORBUSTER_SERVER) must be an address such as http://127.0.0.1:3000",
    });
  }
  return text.replace(/\/+$/, "");
}

/** From the option, the environment, or the file that an embedded first start wrote. */
export async function apiKeyOf(options: GlobalOptions, environment: Environment): Promise<string> {
  const given = options.apiKey ?? environment["DOORBUSTER_API_KEY"];
  const path = join(environment["DOORBUSTER_DATA_DIR"] ?? DATA_DIR_DEFAULT, "merchant.key");
  const key = (given ?? (await textOf(path)))?.trim();
  if (key === undefined || key === "") {
    throw new CommandFailure({
      exitCode: EXIT.usage,
      code: "no_api_key",
      message: "there is no API key",
      lines: [
        "Set DOORBUSTER_API_KEY, pass --api-key, or run where an embedded engine keeps its data:",
        `no key was found in ${path}. \`doorbuster merchant create NAME\` makes one.`,
      ],
    });
  }
  if (!/^[\x21-\x7e]{1,200}$/.test(key)) {
    const message = "the API key must be visible ASCII on one line";
    throw new CommandFailure({ exitCode: EXIT.usage, code: "bad_api_key", message });
  }
  return key;
}

async function textOf(path: string): Promise<string | null> {
  const file = Bun.file(path);
  return (await file.exists()) ? file.text() : null;
}
