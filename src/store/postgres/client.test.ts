// Certificates: the driver's own `require` checks none (components c-30), so only a full check is
// taken, and a server with another authority's certificate is not spoken to.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, statSync } from "node:fs";
import { join } from "node:path";

import { folderForPostgres } from "../../../test/support/postgres.ts";
import { forgetFolder, temporaryFolder } from "../../../test/support/process.ts";
import { startPostgres } from "../../../test/support/servers.ts";
import type { TestPostgres } from "../../../test/support/servers.ts";
import { PostgresDatabase } from "./connect.ts";

let folder: string;
let server: TestPostgres;

beforeAll(async () => {
  folder = temporaryFolder("postgres-tls");
  chmodSync(folder, 0o755);
  const own = join(folder, "server");
  folderForPostgres(own);
  certificate(own, "server");
  certificate(folder, "other");
  server = await startPostgres({
    config: {
      ssl: "on",
      ssl_cert_file: join(own, "server.pem"),
      ssl_key_file: join(own, "server.key"),
    },
  });
});
afterAll(async () => {
  await server.stop();
  forgetFolder(folder);
});

/** A certificate for `localhost` that is its own authority, with its key. */
function certificate(into: string, name: string): void {
  const request = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=doorbuster-test";
  const files = ["-keyout", join(into, `${name}.key`), "-out", join(into, `${name}.pem`)];
  const made = Bun.spawnSync(
    [...request.split(" "), "-addext", "subjectAltName=DNS:localhost", ...files],
    { stdout: "ignore", stderr: "pipe" },
  );
  if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  const { uid, gid } = statSync(into);
  for (const file of [`${name}.key`, `${name}.pem`]) chownSync(join(into, file), uid, gid);
}

const ours = (): string => join(folder, "server", "server.pem");

async function isEncrypted(host: string, query: string): Promise<boolean> {
  const url = server.url("postgres").replace("127.0.0.1", host);
  const database = new PostgresDatabase({ url: `${url}?${query}` });
  try {
    const [row] = await database.run("ask about encryption", (_, sql) => {
      return sql<{ ssl: boolean }[]>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
    });
    return row?.ssl === true;
  } finally {
    await database.close();
  }
}

describe("sslmode", () => {
  test("verify-full encrypts", async () => {
    expect(await isEncrypted("localhost", `sslmode=verify-full&sslrootcert=${ours()}`)).toBe(true);
  });

  test.each([
    ["of another authority", "localhost", () => `sslrootcert=${join(folder, "other.pem")}`],
    ["of none it knows", "localhost", () => "application_name=x"],
    ["for another host", "127.0.0.1", () => `sslrootcert=${ours()}`],
  ])("verify-full refuses a certificate %s", async (_, host, query) => {
    const call = isEncrypted(host, `sslmode=verify-full&${query()}`);
    const fault = await call.catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: "store_unavailable" });
  });

  test("disable, as without it, does not encrypt", async () => {
    expect(await isEncrypted("127.0.0.1", "sslmode=disable")).toBe(false);
    expect(await isEncrypted("127.0.0.1", "application_name=x")).toBe(false);
  });
});
