// The simulator's environment → its options. A bad value is named with what is allowed.

import { isWebhookSecret, WEBHOOK_SECRET_SHAPE } from "../webhook.ts";
import type { SimulatorOptions } from "./simulator.ts";

export type ParsedConfig =
  | { readonly ok: true; readonly options: SimulatorOptions }
  | { readonly ok: false; readonly message: string };

type Environment = Readonly<Record<string, string | undefined>>;

const HOST = "DOORBUSTER_SIMULATOR_HOST";
const PORT = "DOORBUSTER_SIMULATOR_PORT";
const DATA_DIR = "DOORBUSTER_SIMULATOR_DATA_DIR";
const WEBHOOK_URL = "DOORBUSTER_SIMULATOR_WEBHOOK_URL";
const WEBHOOK_SECRET = "DOORBUSTER_PAYMENT_WEBHOOK_SECRET";

/** An empty value is a value that was not given. */
export function parseConfig(environment: Environment): ParsedConfig {
  const host = environment[HOST] || "127.0.0.1";
  if (/\s/.test(host)) return bad(HOST, host, "a host name or address to listen on");

  const portText = environment[PORT] || "0";
  const port = Number(portText);
  if (!/^\d{1,5}$/.test(portText) || port > 65_535) return bad(PORT, portText, "0 to 65535");

  const dataDir = environment[DATA_DIR] || "";
  if (dataDir === "") return bad(DATA_DIR, dataDir, "a folder for the simulator's book");

  const webhookUrl = environment[WEBHOOK_URL] || undefined;
  if (webhookUrl !== undefined && !isHttpUrl(webhookUrl)) {
    return bad(WEBHOOK_URL, webhookUrl, "an http:// or https:// URL");
  }

  const webhookSecret = environment[WEBHOOK_SECRET] || undefined;
  if (webhookSecret !== undefined && !isWebhookSecret(webhookSecret)) {
    return bad(WEBHOOK_SECRET, "(not shown)", WEBHOOK_SECRET_SHAPE);
  }
  if (webhookUrl === undefined) return { ok: true, options: { host, port, dataDir } };
  if (webhookSecret === undefined) {
    return bad(WEBHOOK_SECRET, "", `${WEBHOOK_SECRET_SHAPE}, because ${WEBHOOK_URL} is set`);
  }
  return { ok: true, options: { host, port, dataDir, webhookUrl, webhookSecret } };
}

function bad(name: string, value: string, allowed: string): ParsedConfig {
  return { ok: false, message: `${name}=${value}: must be ${allowed}` };
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.protocol === "http:" || url.protocol === "https:");
}
