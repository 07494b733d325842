// A real PostgreSQL with its defaults for durability (fsync and synchronous_commit on).
//
// initdb takes seconds, so it runs once for a test run; each server starts on a copy.

import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import postgres from "postgres";

import { freePort } from "./ports.ts";
import { forgetFolder, ServerProcess, temporaryFolder, tiedToParent } from "./process.ts";

export type PostgresOptions = {
  readonly port?: number;
  /** Settings on top of the defaults, e.g. `{ max_connections: "20" }`. */
  readonly config?: Record<string, string>;
};

export type TestPostgres = {
  readonly port: number;
  readonly dataDir: string;
  readonly pid: number;
  /** The address of a database of this server. */
  url(database: string): string;
  /** Makes an empty database and returns its address. */
  createDatabase(name: string): Promise<string>;
  /** Under its clients' hands, too. */
  dropDatabase(name: string): Promise<void>;
  /** SIGKILL to the server and all of its backends; the data stays. */
  kill(): Promise<void>;
  /** Ends it, also under its clients' hands, and deletes its data. */
  stop(): Promise<void>;
  restart(): Promise<void>;
  pause(): void;
  resume(): void;
  output(): string;
};

type User = { readonly uid: number; readonly gid: number } | undefined;

export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres> {
  const user = serverUser();
  const port = options.port ?? (await freePort());
  const folder = temporaryFolder("postgres");
  own(folder, user);
  const dataDir = join(folder, "data");
  await run(["cp", "-a", await template(user), dataDir]);

  const url = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const settings = Object.entries({
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    max_connections: "100",
    ...options.config,
  });
  const server = new ServerProcess(folder, {
    name: "postgres",
    args: [
      binary("postgres"),
      "-D",
      dataDir,
      ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ],
    isReady: () => answersSelect(url("postgres")),
    // Fast shutdown: SIGTERM would wait until every client has left.
    stopSignal: "SIGINT",
    afterEnd: () => removeSharedMemory(dataDir),
    ...user,
  });
  await server.start();

  return {
    port,
    dataDir,
    get pid() {
      return server.pid;
    },
    url,
    createDatabase: async (name) => {
      await withAdmin(url("postgres"), (sql) => sql`create database ${sql(name)}`);
      return url(name);
    },
    dropDatabase: async (name) => {
      await withAdmin(url("postgres"), (sql) => sql`drop database ${sql(name)} with (force)`);
    },
    kill: () => server.kill(),
    stop: async () => void (await server.stop()),
    restart: () => server.restart(),
    pause: () => server.pause(),
    resume: () => server.resume(),
    output: () => server.output(),
  };
}

async function withAdmin(
  url: string,
  work: (sql: postgres.Sql) => PromiseLike<unknown>,
): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function answersSelect(url: string): Promise<boolean> {
  const sql = postgres(url, { max: 1, connect_timeout: 1, backoff: () => 0, onnotice: () => {} });
  try {
    const rows = await sql`select 1 as one`;
    return rows.length === 1;
  } finally {
    await sql.end({ timeout: 0 });
  }
}

/** PostgreSQL refuses to run as root: then it runs as the user that Debian's package makes. */
function serverUser(): User {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith("postgres:"));
  if (line === undefined) throw new Error("no user postgres: sh scripts/setup.sh servers");
  const [, , uid, gid] = line.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

function own(folder: string, user: User): void {
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
}

const TEMPLATE = Symbol.for("doorbuster.test.postgres-template");
const holder = globalThis as { [TEMPLATE]?: Promise<string> };

/** The folder of a fresh cluster, made once. */
function template(user: User): Promise<string> {
  holder[TEMPLATE] ??= makeTemplate(user);
  return holder[TEMPLATE];
}

async function makeTemplate(user: User): Promise<string> {
  const folder = temporaryFolder("postgres-template");
  own(folder, user);
  const dataDir = join(folder, "data");
  const initdb = [binary("initdb"), "-D", dataDir, "-U", "postgres"];
  const options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
  const asUser = user === undefined ? [] : tiedToParent(user.uid, user.gid);
  try {
    await run([...asUser, ...initdb, ...options], folder);
  } catch (cause) {
    forgetFolder(folder);
    throw cause;
  }
  return dataDir;
}

async function run(command: string[], cwd?: string): Promise<void> {
  const child = Bun.spawn(command, {
    ...(cwd === undefined ? {} : { cwd }),
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const errors = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}:\n${errors}`);
}

/** Debian keeps each version's programs out of PATH: newest first. */
function binary(name: string): string {
  const inPath = Bun.which(name);
  if (inPath !== null) return inPath;
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root) : [];
  for (const version of versions.sort((a, b) => Number(b) - Number(a))) {
    const path = join(root, version, "bin", name);
    if (existsSync(path)) return path;
  }
  throw new Error(`PostgreSQL's ${name} not found: sh scripts/setup.sh servers`);
}

/** A killed postmaster leaves its System V segment; its id stands in line 7 of postmaster.pid. */
function removeSharedMemory(dataDir: string): void {
  const pidFile = join(dataDir, "postmaster.pid");
  if (!existsSync(pidFile)) return;
  const id = readFileSync(pidFile, "utf8").split("\n")[6]?.trim().split(/\s+/)[1];
  if (id === undefined) return;
  Bun.spawnSync(["ipcrm", "-m", id], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
}

/** Makes a folder that the server's user may write to, e.g. for a table space. */
export function folderForPostgres(path: string): string {
  mkdirSync(path, { recursive: true });
  own(path, serverUser());
  return path;
}
