// The rivals on real stores: a ratio to a rival that decides wrongly says nothing.

import { afterAll, beforeAll, expect, test } from "bun:test";

import connect from "postgres";

import { ARM_IDS, decides } from "../../bench/arms/arm.ts";
import type { Verdict } from "../../bench/arms/decider.ts";
import { startArm } from "../../bench/arms/start-arm.ts";
import { TokenMint } from "../../bench/generator/tokens.ts";
import { startPostgres, type TestPostgres } from "../support/servers.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

const UNITS = 40;
const SHOPPERS = 100;
const SECRET = "s".repeat(64);

const VERDICTS: Readonly<Record<number, Verdict>> = { 201: "new", 200: "same", 409: "sold_out" };

const RIVALS = ARM_IDS.filter((id) => decides(id) && !id.startsWith("doorbuster"));

test.each(RIVALS)(
  "%s sells each unit once, to one shopper, and says what it did",
  async (id) => {
    const options = {
      stage: { flashUnits: UNITS, catalogueSize: 0, hotUnits: UNITS },
      secret: SECRET,
      storeConnections: 3,
      logGc: false,
      holdFor: "60m",
    };
    const arm = await startArm(id, options, { postgres });
    try {
      const nowS = Math.floor(Date.now() / 1_000);
      const mint = new TokenMint({ secret: SECRET, nowS, capacity: SHOPPERS });
      const verdictOf = async (shopper: number): Promise<Verdict | undefined> => {
        const answer = await fetch(
          `http://127.0.0.1:${arm.hotPorts[0]}/v1/sales/bench/skus/flash/hold`,
          {
            method: "PUT",
            headers: {
              authorization: `Bearer ${mint.tokenOf(shopper)}`,
              "content-type": "application/json",
            },
            body: '{"quantity":1}',
          },
        );
        await answer.arrayBuffer();
        return VERDICTS[answer.status];
      };
      const everyone = Array.from({ length: SHOPPERS }, (_, shopper) => shopper);
      const first = await Promise.all(everyone.map(verdictOf));
      const winners = everyone.filter((shopper) => first[shopper] === "new");
      expect(winners.length).toBe(UNITS);
      expect(first.filter((verdict) => verdict === "sold_out").length).toBe(SHOPPERS - UNITS);
      const again = await Promise.all(everyone.map(verdictOf));
      // The counter of the tutorial is asked first: it knows no shopper.
      const asked = id === "redis-decr-pg" ? "sold_out" : "same";
      expect(winners.map((shopper) => again[shopper])).toEqual(winners.map(() => asked));
      expect(again.filter((verdict) => verdict === "new")).toEqual([]);
      const rows = [...((await arm.books?.())?.rows ?? [])];
      expect(rows.length).toBe(UNITS);
      expect(new Set(rows.map(({ shopper }) => shopper)).size).toBe(UNITS);
    } finally {
      await arm.stop();
    }
  },
  30_000,
);

test("an arm's databases go with it", async () => {
  const stage = { flashUnits: 1, catalogueSize: 0, hotUnits: 1 };
  const options = { stage, secret: SECRET, storeConnections: 1, logGc: false, holdFor: "60m" };
  const before = await databases();
  const arm = await startArm("pg-update", options, { postgres });
  expect((await databases()).length).toBe(before.length + 1);
  await arm.stop();
  expect(await databases()).toEqual(before);
});

async function databases(): Promise<readonly string[]> {
  const sql = connect(postgres.url("postgres"), { max: 1 });
  try {
    const rows = await sql<{ datname: string }[]>`select datname from pg_database order by 1`;
    return rows.map(({ datname }) => datname);
  } finally {
    await sql.end({ timeout: 0 });
  }
}
