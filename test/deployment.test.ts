// docker-compose.yml and the Dockerfile, read as data: what they must say. Nothing here starts
// Docker.

import { expect, test } from "bun:test";
import { join } from "node:path";

import { parse } from "yaml";

import { ROOT } from "./support/tidy/source.ts";

type Service = {
  readonly image?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
};

type Compose = { readonly services: Readonly<Record<string, Service>> };

const read = (name: string): Promise<string> => Bun.file(join(ROOT, name)).text();

const text = await read("docker-compose.yml");
const compose = parse(text, { merge: true }) as Compose & Record<string, unknown>;
const dockerfile = await read("Dockerfile");

function service(name: string): Service {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
}

/** Design §11. */
const ENGINE_NAMES = new Set(
  [
    ["HOST", "PORT", "DATA_DIR", "NODE_ID", "REDIS_URL", "NATS_URL", "CONTROL_DATABASE_URL"],
    ["SHARD_DATABASE_URLS", "PARTITIONS", "JWT_SECRET", "PAYMENT_URL", "PAYMENT_WEBHOOK_SECRET"],
    ["DURABILITY", "LOG_LEVEL"],
  ]
    .flat()
    .map((name) => `DOORBUSTER_${name}`),
);

/** Run once and end. */
const ONE_SHOT = ["migrate"];

test("compose has NATS, Redis, a control database, two shards, the simulator and the engine", () => {
  expect(compose["version"]).toBeUndefined();
  expect(Object.keys(compose.services).sort()).toEqual(
    ["control", "engine", "migrate", "nats", "payments", "redis", "shard-0", "shard-1"].sort(),
  );
  expect(service("nats").command).toContain("--jetstream");
});

test("every service has a health check, and what is waited for has to be healthy", () => {
  for (const [name, { healthcheck, depends_on: waitsFor }] of Object.entries(compose.services)) {
    if (!ONE_SHOT.includes(name)) expect(healthcheck?.test?.length ?? 0, name).toBeGreaterThan(1);
    for (const [other, { condition }] of Object.entries(waitsFor ?? {})) {
      const wanted = ONE_SHOT.includes(other)
        ? "service_completed_successfully"
        : "service_healthy";
      expect(condition, `${name} → ${other}`).toBe(wanted);
      service(other);
    }
  }
  expect(Object.keys(service("engine").depends_on ?? {}).sort()).toEqual(
    ["control", "migrate", "nats", "payments", "redis", "shard-0", "shard-1"].sort(),
  );
});

test("redis keeps what it acknowledged", () => {
  const [program, ...args] = service("redis").command ?? [];
  expect(program).toBe("redis-server");
  const settings: Record<string, string> = {};
  for (let index = 0; index < args.length; index += 2) {
    settings[args[index] ?? ""] = args[index + 1] ?? "";
  }
  expect(settings).toEqual({
    "--appendonly": "yes",
    "--appendfsync": "always",
    "--no-appendfsync-on-rewrite": "no",
    "--maxmemory-policy": "noeviction",
    "--save": "",
  });
});

test("postgres keeps its durable defaults", () => {
  for (const name of ["control", "shard-0", "shard-1"]) {
    expect((service(name).command ?? []).join(" ")).not.toMatch(/fsync|synchronous_commit/);
  }
});

test("the engine gets names of design §11 only, and is a cluster node with two shards", () => {
  for (const name of ["engine", "migrate"]) {
    const environment = service(name).environment ?? {};
    for (const key of Object.keys(environment)) expect(ENGINE_NAMES, key).toContain(key);
    for (const key of ["NATS_URL", "REDIS_URL", "CONTROL_DATABASE_URL", "PAYMENT_URL"]) {
      expect(environment[`DOORBUSTER_${key}`], key).toBeDefined();
    }
    expect(environment["DOORBUSTER_SHARD_DATABASE_URLS"]?.split(",")).toHaveLength(2);
    expect(environment["DOORBUSTER_DURABILITY"]).toBeUndefined();
  }
});

test("every address in the engine's environment is a service of the file", () => {
  const addresses = JSON.stringify(service("engine").environment).replace(/\$\{[^}]*\}/g, "secret");
  const hosts = [...addresses.matchAll(/:\/\/(?:[^@/",]*@)?([a-z0-9-]+):\d+/g)].map(
    ([, host]) => host,
  );
  expect(hosts.length).toBe(6);
  for (const host of hosts) service(host ?? "");
});

test("no secret stands in the file, and an unset one is named", () => {
  for (const { environment } of Object.values(compose.services)) {
    for (const [key, value] of Object.entries(environment ?? {})) {
      if (!/SECRET|PASSWORD/.test(key)) continue;
      expect(value, key).toMatch(/^\$\{[A-Z_]+:\?set [A-Z_]+, see \.env\.example\}$/);
    }
  }
});

test(".env.example has each required name and no value", async () => {
  const example = await read(".env.example");
  const required = new Set([...text.matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name]) => name ?? ""));
  expect(required.size).toBe(3);
  for (const name of required) expect(example).toMatch(new RegExp(`^${name}=$`, "m"));
});

test("the image installs frozen production packages and runs as bun under an init", () => {
  expect(dockerfile).toMatch(/^FROM oven\/bun:1\.4\.5-slim/m);
  expect(dockerfile).toContain("bun install --frozen-lockfile --production");
  expect(dockerfile).toMatch(/^USER bun$/m);
  expect(dockerfile).toMatch(/^ENTRYPOINT \["tini", "--"\]$/m);
  expect(dockerfile).toMatch(/^HEALTHCHECK [\s\S]*\/livez/m);
  expect(dockerfile.indexOf("USER bun")).toBeLessThan(dockerfile.indexOf('CMD ["bun", "src/main'));
});

test("the image's Bun, package.json's and the scripts' are one version", async () => {
  const { engines } = (await Bun.file(join(ROOT, "package.json")).json()) as {
    engines: { bun: string };
  };
  const images = [...dockerfile.matchAll(/oven\/bun:[\d.]+/g)].map(([image]) => image);
  expect(images).toEqual([`oven/bun:${engines.bun}`, `oven/bun:${engines.bun}`]);
  expect(await read("scripts/setup.sh")).toContain(`BUN_VERSION=${engines.bun}\n`);
  expect(Bun.version).toBe(engines.bun);
});
