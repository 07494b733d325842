// Environment → one frozen Config. The only file of the engine that reads the environment. A bad
// value is a Fault("config_invalid") that names it, says what it was and what is allowed; main.ts
// turns it into exit code 2 before anything listens.

import { isIP } from "node:net";

import { Fault } from "./core/errors.ts";
import { PARTITIONS_MAX } from "./core/limits.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

type Common = {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly nodeId: string;
  /** Chosen when a cluster is created; null: what it was created with, or the default. */
  readonly partitions: number | null;
  readonly logLevel: LogLevel;
  /** Absent: embedded makes and keeps one; elsewhere it is required. */
  readonly jwtSecret: string | null;
  readonly paymentUrl: string | null;
  readonly paymentWebhookSecret: string | null;
};

export type EmbeddedConfig = Common & { readonly mode: "embedded" };

export type ServersConfig = Common & {
  /** `single`: one node without NATS. */
  readonly mode: "single" | "cluster";
  readonly redisUrl: string;
  readonly natsUrl: string | null;
  readonly controlDatabaseUrl: string;
  readonly shardDatabaseUrls: readonly string[];
  readonly durability: "strict" | "relaxed";
  readonly jwtSecret: string;
  readonly paymentUrl: string;
  readonly paymentWebhookSecret: string;
};

export type Config = EmbeddedConfig | ServersConfig;

type Environment = Readonly<Record<string, string | undefined>>;

const NAMES = [
  "HOST",
  "PORT",
  "DATA_DIR",
  "NODE_ID",
  "REDIS_URL",
  "NATS_URL",
  "CONTROL_DATABASE_URL",
  "SHARD_DATABASE_URLS",
  "PARTITIONS",
  "JWT_SECRET",
  "PAYMENT_URL",
  "PAYMENT_WEBHOOK_SECRET",
  "DURABILITY",
  "LOG_LEVEL",
] as const;
type Name = (typeof NAMES)[number];

/** Read by the CLI and the payment simulator, not by the engine. */
const OTHERS = new Set(["DOORBUSTER_SERVER", "DOORBUSTER_API_KEY"]);
const OTHERS_PREFIX = "DOORBUSTER_SIMULATOR_";

/**
 * Throws  Fault("config_invalid"): name, value (never a secret's), what is allowed. Unknown
 *         `DOORBUSTER_` names are errors too: a typo must not pass in silence.
 */
export function readConfig(environment: Environment): Config {
  refuseUnknownNames(environment);
  const text = (name: Name): string | null => {
    const value = environment[`DOORBUSTER_${name}`]?.trim();
    return value === undefined || value === "" ? null : value;
  };
  const servers = ["REDIS_URL", "NATS_URL", "CONTROL_DATABASE_URL", "SHARD_DATABASE_URLS"] as const;
  const isEmbedded = servers.every((name) => text(name) === null);
  const common: Common = {
    host: hostOf(text("HOST")),
    port: integerOf("PORT", text("PORT"), { fallback: 3_000, min: 0, max: 65_535 }),
    dataDir: text("DATA_DIR") ?? ".doorbuster",
    nodeId: nodeIdOf(text("NODE_ID")),
    partitions: partitionsOf(text("PARTITIONS")),
    logLevel: oneOf("LOG_LEVEL", text("LOG_LEVEL") ?? "info", LOG_LEVELS),
    jwtSecret: secretOf(text("JWT_SECRET")),
    paymentUrl: urlOf("PAYMENT_URL", text("PAYMENT_URL"), ["http:", "https:"]),
    paymentWebhookSecret: webhookSecretOf(text("PAYMENT_WEBHOOK_SECRET")),
  };
  const durability = oneOf("DURABILITY", text("DURABILITY") ?? "strict", DURABILITIES);
  if (isEmbedded) return Object.freeze({ ...common, mode: "embedded" as const });
  return Object.freeze(serversOf(common, text, durability));
}

/** Of the Standard Webhooks specification. */
const WEBHOOK_SECRET_BYTES = { min: 24, max: 64 };

const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
const DURABILITIES = ["strict", "relaxed"] as const;

function serversOf(
  common: Common,
  text: (name: Name) => string | null,
  durability: "strict" | "relaxed",
): ServersConfig {
  const because = "because at least one server is named (none named = embedded)";
  const need = <T>(name: Name, value: T | null): T => {
    if (value === null) throw invalid(name, "is not set", `it is required, ${because}`);
    return value;
  };
  const shards = need("SHARD_DATABASE_URLS", text("SHARD_DATABASE_URLS"))
    .split(",")
    .map((url) => need("SHARD_DATABASE_URLS", urlOf("SHARD_DATABASE_URLS", url.trim(), POSTGRES)));
  if (new Set(shards).size !== shards.length) {
    throw invalid(
      "SHARD_DATABASE_URLS",
      "names a database twice",
      "each shard is its own database",
    );
  }
  const natsUrl = urlsOf("NATS_URL", text("NATS_URL"), ["nats:", "tls:"]);
  return {
    ...common,
    mode: natsUrl === null ? "single" : "cluster",
    redisUrl: need("REDIS_URL", urlOf("REDIS_URL", text("REDIS_URL"), ["redis:", "rediss:"])),
    natsUrl,
    controlDatabaseUrl: need(
      "CONTROL_DATABASE_URL",
      urlOf("CONTROL_DATABASE_URL", text("CONTROL_DATABASE_URL"), POSTGRES),
    ),
    shardDatabaseUrls: shards,
    durability,
    jwtSecret: need("JWT_SECRET", common.jwtSecret),
    paymentUrl: need("PAYMENT_URL", common.paymentUrl),
    paymentWebhookSecret: need("PAYMENT_WEBHOOK_SECRET", common.paymentWebhookSecret),
  };
}

const POSTGRES = ["postgres:", "postgresql:"];

function refuseUnknownNames(environment: Environment): void {
  for (const name of Object.keys(environment)) {
    if (!name.startsWith("DOORBUSTER_") || OTHERS.has(name) || name.startsWith(OTHERS_PREFIX)) {
      continue;
    }
    if ((NAMES as readonly string[]).includes(name.slice("DOORBUSTER_".length))) continue;
    const allowed = NAMES.map((known) => `DOORBUSTER_${known}`).join(", ");
    throw new Fault("config_invalid", `${name} is not a setting; allowed are ${allowed}`);
  }
}

function integerOf(
  name: Name,
  text: string | null,
  range: { fallback: number; min: number; max: number },
): number {
  if (text === null) return range.fallback;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.min && value <= range.max) return value;
  throw invalid(name, `is ${JSON.stringify(text)}`, `a whole number, ${range.min} to ${range.max}`);
}

function partitionsOf(text: string | null): number | null {
  if (text === null) return null;
  return integerOf("PARTITIONS", text, { fallback: 0, min: 1, max: PARTITIONS_MAX });
}

function oneOf<T extends string>(name: Name, text: string, allowed: readonly T[]): T {
  const value = allowed.find((known) => known === text);
  if (value !== undefined) return value;
  throw invalid(name, `is ${JSON.stringify(text)}`, `one of ${allowed.join(", ")}`);
}

function nodeIdOf(text: string | null): string {
  if (text === null) return "node-1";
  if (/^[a-z0-9-]{1,32}$/.test(text)) return text;
  throw invalid("NODE_ID", `is ${JSON.stringify(text)}`, "1 to 32 of a-z, 0-9 and -");
}

/** Whether it is an address of this machine only listening can tell. */
function hostOf(text: string | null): string {
  if (text === null) return "127.0.0.1";
  const isName = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252})$/.test(text) && !/^[\d.]+$/.test(text);
  if (isName || isIP(text) !== 0) return text;
  throw invalid(
    "HOST",
    `is ${JSON.stringify(text)}`,
    "an IP address or a host name of this machine",
  );
}

/** The value may carry a password: it is never repeated. */
function urlOf(name: Name, text: string | null, protocols: readonly string[]): string | null {
  if (text === null) return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && protocols.includes(url.protocol) && url.hostname !== "") return text;
  throw invalid(name, "is no such URL", `a URL that begins with ${protocols.join("// or ")}//`);
}

function urlsOf(name: Name, text: string | null, protocols: readonly string[]): string | null {
  if (text === null) return null;
  for (const url of text.split(",")) urlOf(name, url.trim(), protocols);
  return text;
}

function secretOf(text: string | null): string | null {
  if (text === null) return null;
  const bytes = Buffer.byteLength(text);
  if (bytes >= 32) return text;
  throw invalid("JWT_SECRET", `has ${bytes} bytes`, "at least 32 bytes of UTF-8");
}

function webhookSecretOf(text: string | null): string | null {
  if (text === null) return null;
  const encoded = /^whsec_(.+)$/.exec(text)?.[1] ?? "";
  const bytes = Buffer.from(encoded, "base64");
  // The decoder skips what it does not know: what decodes and encodes alike is base64.
  const isBase64 = bytes.toString("base64") === encoded;
  const { min, max } = WEBHOOK_SECRET_BYTES;
  if (isBase64 && bytes.byteLength >= min && bytes.byteLength <= max) return text;
  throw invalid(
    "PAYMENT_WEBHOOK_SECRET",
    "is no Standard Webhooks secret",
    `whsec_ and ${min} to ${max} bytes as base64`,
  );
}

function invalid(name: Name, what: string, allowed: string): Fault {
  return new Fault("config_invalid", `DOORBUSTER_${name} ${what}; allowed: ${allowed}`);
}
