import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";

import { startPostgres } from "../../../test/support/servers.ts";
import type { TestPostgres } from "../../../test/support/servers.ts";
import { Fault } from "../../core/errors.ts";
import type { FaultCode } from "../../core/errors.ts";
import { StatementRefused } from "../statement-refused.ts";
import { PostgresDatabase } from "./connect.ts";
import type { PostgresOptions } from "./connect.ts";

let server: TestPostgres;
let url: string;
const opened: PostgresDatabase[] = [];

function open(options: Partial<PostgresOptions> = {}): PostgresDatabase {
  const database = new PostgresDatabase({ url, ...options });
  opened.push(database);
  return database;
}

beforeAll(async () => {
  server = await startPostgres();
  url = await server.createDatabase("guarded");
  const database = open();
  await database.run("make a table", (_, sql) => {
    return sql`create table notes (id text primary key, note text not null unique)`;
  });
});
afterEach(() => Promise.all(opened.splice(0).map((database) => database.close())));
afterAll(() => server.stop());

const one = (database: PostgresDatabase): Promise<number> =>
  database.run("select one", async (_, sql) => {
    const rows = await sql<{ one: number }[]>`select 1::bigint as one`;
    return rows[0]?.one ?? 0;
  });

const sleep = (database: PostgresDatabase, forS: number): Promise<unknown> =>
  database.run("sleep", (_, sql) => sql`select pg_sleep(${forS})`);

async function faultOfCall(call: Promise<unknown>): Promise<Fault> {
  const thrown = await call.then(
    () => new Error("the call was answered"),
    (error: unknown) => error,
  );
  if (!(thrown instanceof Fault)) throw thrown;
  return thrown;
}

async function codeOfCall(call: Promise<unknown>): Promise<FaultCode | "answered"> {
  return call.then(
    () => "answered",
    (error: unknown) => {
      if (error instanceof Fault) return error.code;
      throw error;
    },
  );
}

/** Waits, by asking the server itself, until as many backends run the guarded `pg_sleep`. */
async function untilSleeping(watcher: PostgresDatabase, count: number): Promise<number[]> {
  for (;;) {
    const rows = await watcher.run("look for sleepers", (_, sql) => {
      return sql<{ pid: number }[]>`
        select pid from pg_stat_activity where query like '%pg_sleep($1)%' and state = 'active'
          and pid <> pg_backend_pid()`;
    });
    if (rows.length >= count) return rows.map((row) => row.pid);
  }
}

describe("a call on a database", () => {
  test("answers with numbers that are numbers", async () => {
    expect(await one(open())).toBe(1);
  });

  test("that the server refuses is told without the values it carried", async () => {
    const database = open();
    const insert = (id: string, note: string) =>
      database.run("insert a note", (_, sql) => sql`insert into notes values (${id}, ${note})`);
    await insert("n1", "secret@example.com");
    const refused = await faultOfCall(insert("n2", "secret@example.com"));
    expect(refused).toBeInstanceOf(StatementRefused);
    expect(refused).toMatchObject({ state: "23505", constraint: "notes_note_key" });
    expect(Bun.inspect(refused)).not.toContain("secret@example.com");
    const control = await faultOfCall(insert("n3", "\0secret"));
    expect(control).toMatchObject({ code: "statement_refused", state: "22021" });
  });

  test("through Drizzle that the server refuses is told without SQL or values", async () => {
    const { sql: template } = await import("drizzle-orm");
    const refused = await faultOfCall(
      open().run("cast", (db) => db.execute(template`select ${"s3cret"}::text::integer`)),
    );
    expect(refused).toMatchObject({ code: "statement_refused", state: "22P02" });
    expect(Bun.inspect(refused)).not.toContain("s3cret");
    expect(refused.message).not.toContain("select");
  });

  test("whose statement runs too long is ended by the server: nothing was written", async () => {
    const database = open({ statementMs: 200 });
    const startMs = performance.now();
    expect(await codeOfCall(sleep(database, 20))).toBe("store_unavailable");
    expect(performance.now() - startMs).toBeLessThan(700);
    expect(await one(database)).toBe(1);
  });

  test("that waits for a lock too long is refused: nothing was written", async () => {
    const database = open({ statementMs: 5_000 });
    const short = open({ statementMs: 300 });
    const locking = database.run("lock", (_, sql) => {
      return sql.unsafe("lock table notes; select pg_sleep(1.2)");
    });
    const reading = async (): Promise<FaultCode | "answered"> =>
      codeOfCall(short.run("read notes", (_, sql) => sql`select * from notes`));
    const heard = new Set<string>();
    while (!heard.has("store_unavailable") && !heard.has("busy")) heard.add(await reading());
    await locking;
    expect(await reading()).toBe("answered");
  });

  test("beyond the waiting line is refused now; those in line are served in order", async () => {
    const database = open({ max: 1, waitingMax: 2 });
    const order: string[] = [];
    const named = (name: string) =>
      database.run(name, (_, sql) => sql`select pg_sleep(0.05)`).then(() => order.push(name));
    const served = [named("first"), named("second"), named("third")];
    expect(database.load).toEqual({ running: 1, waiting: 2 });
    const startMs = performance.now();
    expect(await codeOfCall(named("fourth"))).toBe("busy");
    expect(performance.now() - startMs).toBeLessThan(20);
    await Promise.all(served);
    expect(order).toEqual(["first", "second", "third"]);
    expect(database.load).toEqual({ running: 0, waiting: 0 });
  });

  test("that waits in line all its time is refused: it was never sent", async () => {
    const database = open({ max: 1, statementMs: 300 });
    const running = codeOfCall(database.run("hang", () => new Promise<never>(() => undefined)));
    const waiting = codeOfCall(one(database));
    expect(await running).toBe("unknown");
    expect(await waiting).toBe("busy");
    expect(await one(database)).toBe(1);
    expect(database.load).toEqual({ running: 0, waiting: 0 });
  });

  test("after the close is refused", async () => {
    const database = open();
    await one(database);
    await database.close();
    expect(await codeOfCall(one(database))).toBe("store_unavailable");
  });
});

describe("a database that fails", () => {
  test("refused connections are told at once: nothing was written", async () => {
    const database = open({ url: "postgres://postgres:hush@127.0.0.1:1/none" });
    for (let turn = 0; turn < 3; turn += 1) {
      const startMs = performance.now();
      const fault = await faultOfCall(one(database));
      expect(fault.code).toBe("store_unavailable");
      expect(Bun.inspect(fault)).not.toContain("hush");
      expect(performance.now() - startMs).toBeLessThan(500);
    }
  });

  test("a backend ended in mid-flight is an unknown outcome; the next call works", async () => {
    const database = open();
    const watcher = open();
    const call = codeOfCall(sleep(database, 20));
    const [pid = 0] = await untilSleeping(watcher, 1);
    await watcher.run("terminate", (_, sql) => sql`select pg_terminate_backend(${pid})`);
    expect(await call).toBe("unknown");
    expect(await one(database)).toBe(1);
  });

  test("backends that stand still: the call ends in time, others go on", async () => {
    const database = open({ max: 4, statementMs: 1_000 });
    const watcher = open();
    const startMs = performance.now();
    const call = codeOfCall(sleep(database, 20));
    const [pid = 0] = await untilSleeping(watcher, 1);
    process.kill(pid, "SIGSTOP");
    try {
      expect(await one(database)).toBe(1);
      expect(await call).toBe("unknown");
      expect(performance.now() - startMs).toBeLessThan(1_900);
      expect(await one(database)).toBe(1);
    } finally {
      process.kill(pid, "SIGCONT");
    }
  });

  test("a peer that accepts and closes at once: the call ends in time, and so do its tries", async () => {
    let accepted = 0;
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          accepted += 1;
          socket.end();
        },
        data: () => undefined,
      },
    });
    const database = open({
      url: `postgres://postgres@127.0.0.1:${listener.port}/none`,
      statementMs: 300,
    });
    const startMs = performance.now();
    expect(["unknown", "store_unavailable"]).toContain(await codeOfCall(one(database)));
    expect(performance.now() - startMs).toBeLessThan(1_200);
    await database.close();
    const acceptedAtClose = accepted;
    expect(acceptedAtClose).toBeGreaterThan(0);
    // Nothing announces that nothing comes any more: a hot loop would connect hundreds of times.
    await Bun.sleep(100);
    expect(accepted - acceptedAtClose).toBeLessThanOrEqual(1);
    listener.stop(true);
  });

  test("a peer that accepts and says nothing: the call ends in time", async () => {
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: () => undefined },
    });
    const database = open({ url: `postgres://postgres@127.0.0.1:${listener.port}/none` });
    const startMs = performance.now();
    expect(await codeOfCall(one(database))).toBe("store_unavailable");
    expect(performance.now() - startMs).toBeLessThan(2_900);
    listener.stop(true);
  });

  test("killed and restarted under load, three times: all calls settle, none is lost", async () => {
    const database = open({ max: 8 });
    const stored = new Set<string>();
    const unknown = new Set<string>();
    const run = { isOver: false };
    const worker = async (name: string): Promise<void> => {
      for (let turn = 0; !run.isOver; turn += 1) {
        const id = `${name}-${turn}`;
        const code = await codeOfCall(
          database.run("insert", (_, sql) => sql`insert into notes values (${id}, ${id})`),
        );
        if (code === "answered") stored.add(id);
        else if (code === "unknown") unknown.add(id);
        else expect(code).toBe("store_unavailable");
      }
    };
    const workers = Array.from({ length: 16 }, (_, index) => worker(`w${index}`));
    for (let round = 0; round < 3; round += 1) {
      const before = stored.size;
      while (stored.size < before + 200) await one(database).catch(() => 0);
      await server.kill();
      await server.restart();
    }
    while ((await codeOfCall(one(database))) !== "answered");
    run.isOver = true;
    await Promise.all(workers);
    const rows = await database.run("read back", (_, sql) => {
      return sql<{ id: string }[]>`select id from notes where id like 'w%'`;
    });
    const kept = new Set(rows.map((row) => row.id));
    expect([...stored].filter((id) => !kept.has(id))).toEqual([]);
    expect([...kept].filter((id) => !stored.has(id) && !unknown.has(id))).toEqual([]);
    expect(database.load).toEqual({ running: 0, waiting: 0 });
  }, 60_000);
});

describe("the check at the start", () => {
  test("takes a server with its defaults", async () => {
    await open().check();
  });

  test.each(["fsync", "full_page_writes", "synchronous_commit"])(
    "refuses %s off, and says so",
    async (setting) => {
      const name = `with_${setting}_off`;
      const weak = await startPostgres({ config: { [setting]: "off" } });
      try {
        const database = open({ url: await weak.createDatabase(name) });
        const fault = await faultOfCall(database.check());
        expect(fault.code).toBe("config_invalid");
        expect(fault.message).toContain(`${setting} off`);
      } finally {
        await weak.stop();
      }
    },
  );

  test.each([
    ["mysql://root@127.0.0.1/x", "postgres://"],
    ["not a url", "postgres://"],
    ["postgres://u:hush@127.0.0.1/x?sslmode=require", "verify-full"],
    ["postgres://u:hush@127.0.0.1/x?sslmode=prefer", "verify-full"],
    ["postgres://u:hush@127.0.0.1/x?sslmode=verify-full&sslrootcert=/none/ca.pem", "/none/ca.pem"],
  ])("refuses the address %s", async (address, hint) => {
    const fault = await faultOfCall(Promise.try(() => open({ url: address })));
    expect(fault.code).toBe("config_invalid");
    expect(fault.message).toContain(hint);
    expect(fault.message).not.toContain("hush");
  });
});
