// Every setting: what is taken, what is refused and in which words. main.ts turns the fault into
// exit code 2.

import { describe, expect, test } from "bun:test";

import { readConfig } from "./config.ts";
import { Fault } from "./core/errors.ts";

const JWT_SECRET = "0123456789abcdef0123456789abcdef";
const WEBHOOK_SECRET = `whsec_${"A".repeat(32)}`;

const SERVERS = {
  DOORBUSTER_REDIS_URL: "redis://:hunter2@redis:6379",
  DOORBUSTER_CONTROL_DATABASE_URL: "postgres://user:hunter2@control/doorbuster",
  DOORBUSTER_SHARD_DATABASE_URLS:
    "postgres://user:hunter2@shard/zero, postgresql://user:hunter2@shard/one",
  DOORBUSTER_JWT_SECRET: JWT_SECRET,
  DOORBUSTER_PAYMENT_URL: "http://payments:9000",
  DOORBUSTER_PAYMENT_WEBHOOK_SECRET: WEBHOOK_SECRET,
};

/** The fault's words without their code. */
function refusal(environment: Record<string, string | undefined>): string {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof Fault && error.code === "config_invalid") {
      return error.message.replace("config_invalid: ", "");
    }
    throw error;
  }
  throw new Error("it was taken");
}

describe("embedded: no server is named", () => {
  test("an empty environment is enough", () => {
    expect(readConfig({})).toEqual({
      mode: "embedded",
      host: "127.0.0.1",
      port: 3_000,
      dataDir: ".doorbuster",
      nodeId: "node-1",
      partitions: null,
      logLevel: "info",
      jwtSecret: null,
      paymentUrl: null,
      paymentWebhookSecret: null,
    });
  });

  test("what is set is taken, trimmed; what is empty counts as not set", () => {
    const config = readConfig({
      DOORBUSTER_HOST: " 0.0.0.0 ",
      DOORBUSTER_PORT: "0",
      DOORBUSTER_DATA_DIR: "data",
      DOORBUSTER_NODE_ID: "node-7",
      DOORBUSTER_PARTITIONS: "1024",
      DOORBUSTER_LOG_LEVEL: "silent",
      DOORBUSTER_JWT_SECRET: JWT_SECRET,
      DOORBUSTER_PAYMENT_URL: "https://payments.example/v1",
      DOORBUSTER_PAYMENT_WEBHOOK_SECRET: WEBHOOK_SECRET,
      DOORBUSTER_REDIS_URL: "",
      DOORBUSTER_NATS_URL: "  ",
      PATH: "not ours",
    });
    expect(config).toEqual({
      mode: "embedded",
      host: "0.0.0.0",
      port: 0,
      dataDir: "data",
      nodeId: "node-7",
      partitions: 1_024,
      logLevel: "silent",
      jwtSecret: JWT_SECRET,
      paymentUrl: "https://payments.example/v1",
      paymentWebhookSecret: WEBHOOK_SECRET,
    });
  });

  test("nobody changes it later", () => {
    for (const environment of [{}, SERVERS]) {
      expect(Object.isFrozen(readConfig(environment))).toBe(true);
    }
  });
});

describe("servers", () => {
  test("Redis and Postgres without NATS are one node", () => {
    expect(readConfig(SERVERS)).toMatchObject({
      mode: "single",
      redisUrl: SERVERS.DOORBUSTER_REDIS_URL,
      natsUrl: null,
      controlDatabaseUrl: SERVERS.DOORBUSTER_CONTROL_DATABASE_URL,
      shardDatabaseUrls: [
        "postgres://user:hunter2@shard/zero",
        "postgresql://user:hunter2@shard/one",
      ],
      durability: "strict",
      jwtSecret: JWT_SECRET,
    });
  });

  test("with NATS they are a cluster", () => {
    const natsUrl = "nats://a:4222, tls://b:4222";
    expect(readConfig({ ...SERVERS, DOORBUSTER_NATS_URL: natsUrl })).toMatchObject({
      mode: "cluster",
      natsUrl,
    });
  });

  test("relaxed durability is said out loud", () => {
    const relaxed = { ...SERVERS, DOORBUSTER_DURABILITY: "relaxed" };
    expect(readConfig(relaxed)).toMatchObject({ durability: "relaxed" });
  });

  test.each(Object.keys(SERVERS))("%s is required as soon as one server is named", (name) => {
    const message = refusal({ ...SERVERS, [name]: undefined });
    expect(message).toStartWith(`${name} is not set`);
    expect(message).toContain("at least one server is named");
  });

  test.each(["localhost", "::1", "::", "0.0.0.0", "node-1.shop.example"])("HOST=%s", (host) => {
    expect(readConfig({ DOORBUSTER_HOST: host }).host).toBe(host);
  });

  test("NATS alone names what is missing", () => {
    expect(refusal({ DOORBUSTER_NATS_URL: "nats://a:4222" })).toContain(" is not set; ");
  });
});

describe("each bad value: its name, what it was, what is allowed", () => {
  test.each([
    ["PORT", "65536", '"65536"', "a whole number, 0 to 65535"],
    ["PORT", "-1", '"-1"', "a whole number, 0 to 65535"],
    ["PORT", "3000.5", '"3000.5"', "a whole number, 0 to 65535"],
    ["PORT", "0x10", '"0x10"', "a whole number, 0 to 65535"],
    ["PORT", "http", '"http"', "a whole number, 0 to 65535"],
    ["PARTITIONS", "0", '"0"', "a whole number, 1 to 1024"],
    ["PARTITIONS", "1025", '"1025"', "a whole number, 1 to 1024"],
    ["NODE_ID", "Node", '"Node"', "1 to 32 of a-z, 0-9 and -"],
    ["NODE_ID", "a".repeat(33), `"${"a".repeat(33)}"`, "1 to 32 of a-z, 0-9 and -"],
    ["LOG_LEVEL", "INFO", '"INFO"', "one of debug, info, warn, error, silent"],
    ["DURABILITY", "yes", '"yes"', "one of strict, relaxed"],
    ["JWT_SECRET", "short", "has 5 bytes", "at least 32 bytes of UTF-8"],
    ["PAYMENT_URL", "payments:9000", "is no such URL", "begins with http:// or https://"],
    ["PAYMENT_URL", "ftp://payments", "is no such URL", "begins with http:// or https://"],
    ["PAYMENT_WEBHOOK_SECRET", "s3cret", "no Standard Webhooks secret", "whsec_ and 24 to 64"],
    // 33 characters are no base64: the verifier would throw in the middle of the start.
    ["PAYMENT_WEBHOOK_SECRET", `whsec_${"A".repeat(33)}`, "no Standard", "whsec_ and 24 to 64"],
    ["PAYMENT_WEBHOOK_SECRET", `whsec_${"A".repeat(88)}`, "no Standard", "whsec_ and 24 to 64"],
    ["HOST", "999.1.1.1", '"999.1.1.1"', "an IP address or a host name"],
    ["HOST", "http://x", '"http://x"', "an IP address or a host name"],
    ["HOST", "a b", '"a b"', "an IP address or a host name"],
  ])("%s=%s", (name, value, was, allowed) => {
    const message = refusal({ [`DOORBUSTER_${name}`]: value });
    expect(message).toStartWith(`DOORBUSTER_${name} `);
    expect(message).toContain(was);
    expect(message).toContain(`; allowed: `);
    expect(message).toContain(allowed);
  });

  test.each([
    ["REDIS_URL", "http://redis:6379", "redis:// or rediss://"],
    ["REDIS_URL", "redis", "redis:// or rediss://"],
    ["NATS_URL", "nats://a:4222,http://b", "nats:// or tls://"],
    ["CONTROL_DATABASE_URL", "mysql://control/db", "postgres:// or postgresql://"],
    ["SHARD_DATABASE_URLS", "postgres://s/zero,,", "is no such URL"],
    ["SHARD_DATABASE_URLS", "postgres://s/zero,sqlite://x", "postgres:// or postgresql://"],
    ["SHARD_DATABASE_URLS", "postgres://s/zero, postgres://s/zero", "each shard is its own"],
  ])("%s=%s", (name, value, allowed) => {
    const message = refusal({ ...SERVERS, [`DOORBUSTER_${name}`]: value });
    expect(message).toStartWith(`DOORBUSTER_${name} `);
    expect(message).toContain(allowed);
  });

  test("32 bytes are counted, not characters", () => {
    const secret = "é".repeat(16);
    expect(readConfig({ DOORBUSTER_JWT_SECRET: secret }).jwtSecret).toBe(secret);
    expect(refusal({ DOORBUSTER_JWT_SECRET: "é".repeat(15) })).toContain("has 30 bytes");
  });
});

describe("names", () => {
  test("one that is no setting is refused, with all that there are", () => {
    const message = refusal({ DOORBUSTER_PROT: "3000" });
    expect(message).toStartWith("DOORBUSTER_PROT is not a setting; allowed are ");
    expect(message).toContain("DOORBUSTER_PORT, ");
  });

  test("those of the CLI and of the simulator are not the engine's matter", () => {
    const others = {
      DOORBUSTER_SERVER: "http://x",
      DOORBUSTER_API_KEY: "k",
      DOORBUSTER_SIMULATOR_PORT: "1",
    };
    expect(readConfig(others).mode).toBe("embedded");
  });
});

test("no secret is ever repeated, whatever is wrong with it", () => {
  const secret = "hunter2";
  const bad = [
    { DOORBUSTER_JWT_SECRET: secret },
    { DOORBUSTER_PAYMENT_WEBHOOK_SECRET: secret },
    { DOORBUSTER_PAYMENT_URL: `ftp://user:${secret}@host` },
    { ...SERVERS, DOORBUSTER_REDIS_URL: `http://:${secret}@redis` },
    { ...SERVERS, DOORBUSTER_NATS_URL: `http://user:${secret}@nats` },
    { ...SERVERS, DOORBUSTER_CONTROL_DATABASE_URL: `mysql://user:${secret}@control/db` },
    { ...SERVERS, DOORBUSTER_SHARD_DATABASE_URLS: `mysql://user:${secret}@shard/db` },
    {
      ...SERVERS,
      DOORBUSTER_SHARD_DATABASE_URLS: `postgres://u:${secret}@s/d,postgres://u:${secret}@s/d`,
    },
    { ...SERVERS, DOORBUSTER_JWT_SECRET: undefined },
  ];
  for (const environment of bad) expect(refusal(environment)).not.toContain(secret);
});
