/** How long a statement may take: seconds for a request's, and longer where whole tables are read or changed. */
import { expect, test } from "bun:test";
import type { OpenPostgres } from "../../../src/domain/postgres";
import { addressOf } from "../../../src/stores/postgres/address";
import { serverOf } from "../../../src/stores/postgres/connection";
import { openHosts } from "../../../src/stores/postgres/hosts";
import { fakeOutside } from "../../fake-outside";

/** Statements of work take a minute less a second. */
const SLOW_MS = 59_000;

async function connected() {
  const asked: string[] = [];
  const fake = fakeOutside();
  const { sleep } = fake.outside;
  const postgres: OpenPostgres = () => ({
    async reserve() {
      return {
        async query<Row>(text: string): Promise<readonly Row[]> {
          asked.push(text);
          if (text === "SLOW") await sleep(SLOW_MS);
          return [];
        },
        script: async () => undefined,
      };
    },
    close: async () => undefined,
  });
  const address = addressOf({ url: "postgres://test/test", schema: "test", prepare: true });
  return { asked, fake, connection: await openHosts(address, { ...fake.outside, postgres })() };
}

test("a statement of a request is given up after five seconds", async () => {
  const { fake, connection } = await connected();
  await expect(fake.until(connection.query("SLOW"))).rejects.toThrow("no answer within 5000 ms");
  expect(connection.isLost()).toBe(true);
});

test("one of a long transaction may take as long as it was allowed to, and the next one may not", async () => {
  const { asked, fake, connection } = await connected();
  await fake.until(connection.longTransaction(60_000, () => connection.query("SLOW")));
  expect(asked).toEqual(["BEGIN", "SET LOCAL statement_timeout = 60000", "SLOW", "COMMIT"]);
  expect(connection.isLost()).toBe(false);
  await expect(fake.until(connection.query("SLOW"))).rejects.toThrow("no answer within 5000 ms");
});

test("a server's certificate is asked of its name, not of its address, and only where one is asked for", () => {
  const serverAt = (query: string, environment = {}) =>
    serverOf({ url: new URL(`postgres://db.internal/books${query}`), ip: "10.0.0.1" }, { environment });
  const named = { hostname: "10.0.0.1", tls: { serverName: "db.internal" } };
  for (const query of ["sslmode=verify-full", "sslmode=require", "sslmode=prefer&sslrootcert=ca.crt"])
    expect(serverAt(`?${query}`)).toMatchObject(named);
  expect(serverAt("", { PGSSLMODE: "verify-full" })).toMatchObject(named);
  for (const query of ["", "?sslmode=prefer", "?sslmode=disable&sslrootcert=ca.crt"])
    expect(serverAt(query)).toEqual({ url: `postgres://db.internal/books${query}`, hostname: "10.0.0.1" });
});
