/** Which server of an address is connected to, by servers that are up, down, silent or standby. */
import { describe, expect, test } from "bun:test";
import type { OpenPostgres } from "../../../src/domain/postgres";
import { addressOf } from "../../../src/stores/postgres/address";
import { openHosts } from "../../../src/stores/postgres/hosts";
import { createPool } from "../../../src/stores/postgres/pool";
import { fakeOutside } from "../../fake-outside";

type State = "primary" | "standby" | "down" | "silent" | "locked out";

const code = (words: string, name: string) => Object.assign(new Error(words), { code: name });
const errno = (words: string, state: string) => Object.assign(new Error(words), { errno: state });

/** Servers by host, and what was connected to. */
function network(states: Record<string, State>) {
  const asked: string[] = [];
  const open = new Set<object>();
  const postgres: OpenPostgres = ({ url, ...options }) => {
    const given = "hostname" in options ? String(options.hostname) : undefined;
    const host = given ?? new URL(url).hostname;
    asked.push(host);
    const state = () => states[host] ?? "down";
    const client = {};
    return {
      async reserve() {
        if (state() === "down") throw code("refused", "ERR_POSTGRES_CONNECTION_REFUSED");
        if (state() === "locked out") throw errno("password authentication failed", "28P01");
        if (state() === "silent") await new Promise(() => undefined);
        open.add(client);
        return {
          async query<Row>(text: string): Promise<readonly Row[]> {
            const isPrimary = state() === "primary";
            if (text.startsWith("UPDATE") && !isPrimary) throw errno("read-only transaction", "25006");
            return JSON.parse(JSON.stringify([{ host, allowed: isPrimary }]));
          },
          script: async () => undefined,
        };
      },
      async close() {
        open.delete(client);
      },
    };
  };
  return { asked, postgres, states, opened: () => open.size };
}

const TWO = "postgres://a,b/books?target_session_attrs=read-write";

function world(states: Record<string, State>, url = TWO, addressesOf?: (name: string) => Promise<string[]>) {
  const servers = network(states);
  const fake = fakeOutside({ postgres: servers.postgres, ...(addressesOf && { addressesOf }) });
  const address = addressOf({ url, schema: "test", prepare: true });
  const connect = openHosts(address, fake.outside);
  const hostOf = async () => {
    const connection = await fake.until(connect());
    const [row] = await connection.query<{ readonly host: string }>("SELECT");
    return row?.host;
  };
  return { ...servers, fake, address, connect, hostOf };
}

describe("of several hosts", () => {
  test("the one that takes writes is used, and connections to others are closed", async () => {
    const { hostOf, asked, opened } = world({ a: "standby", b: "primary" });
    expect(await hostOf()).toBe("b");
    expect(asked).toEqual(["a", "b"]);
    expect(opened()).toBe(1);
  });

  test("one that is down costs no time, and one that is silent a quarter of a second", async () => {
    for (const [state, ms] of [
      ["down", 0],
      ["silent", 250],
    ] as const) {
      const { hostOf, fake } = world({ a: state, b: "primary" });
      expect(await hostOf()).toBe("b");
      expect(fake.outside.monotonic()).toBe(ms);
    }
  });

  test("the last good one is asked first, and another one once it fails", async () => {
    const { hostOf, asked, states } = world({ a: "down", b: "primary" });
    await hostOf();
    asked.length = 0;
    expect(await hostOf()).toBe("b");
    expect(asked).toEqual(["b"]);
    states.b = "standby";
    states.a = "primary";
    expect(await hostOf()).toBe("a");
  });

  test("where none takes writes it is said of each, as what may pass", async () => {
    const { connect, fake, opened } = world({ a: "standby", b: "down" });
    await expect(fake.until(connect())).rejects.toMatchObject({
      name: "Lost",
      message: "a takes no writes; refused",
    });
    expect(opened()).toBe(0);
  });

  test("a refusal that does not pass is the cause", async () => {
    const { connect, fake } = world({ a: "down", b: "locked out" });
    await expect(fake.until(connect())).rejects.toMatchObject({ errno: "28P01" });
  });

  test("a primary that becomes a standby is left for the one that was promoted", async () => {
    const { postgres, address, fake, states } = world({ a: "primary", b: "standby" });
    const pool = createPool(address, 1, { ...fake.outside, postgres });
    const write = () =>
      fake.until(pool.run(async ({ query }) => (await query<{ readonly host: string }>("UPDATE"))[0]?.host));
    expect(await write()).toBe("a");
    states.a = "standby";
    states.b = "primary";
    expect(await write()).toBe("b");
    // Reads went on: it was never away.
    expect(fake.logs).toEqual([]);
    pool.close();
  });
});

describe("a host's name", () => {
  const ONE = "postgres://db.internal/books";

  test("is looked up anew for each connection", async () => {
    let addresses = ["10.0.0.1"];
    const { hostOf } = world({ "10.0.0.1": "primary", "10.0.0.2": "primary" }, ONE, async () => addresses);
    expect(await hostOf()).toBe("10.0.0.1");
    addresses = ["10.0.0.2"];
    expect(await hostOf()).toBe("10.0.0.2");
  });

  test("may have several addresses, of which some are down", async () => {
    const { hostOf } = world({ "10.0.0.2": "primary" }, ONE, async () => ["10.0.0.1", "10.0.0.2"]);
    expect(await hostOf()).toBe("10.0.0.2");
  });

  test("that cannot be looked up leaves the others; where it is the only one, it may pass", async () => {
    const lookUp = async (name: string) => {
      if (name === "b") return ["10.0.0.2"];
      throw new Error(`getaddrinfo ENOTFOUND ${name}`);
    };
    expect(await world({ "10.0.0.2": "primary" }, TWO, lookUp).hostOf()).toBe("10.0.0.2");
    await expect(world({}, ONE, lookUp).connect()).rejects.toMatchObject({
      name: "Lost",
      message: expect.stringContaining("ENOTFOUND db.internal"),
    });
  });

  test("is not looked up where it is an address already", async () => {
    const lookUp = () => Promise.reject(new Error("looked up"));
    const { hostOf } = world({ "127.0.0.1": "primary" }, "postgres://127.0.0.1/books", lookUp);
    expect(await hostOf()).toBe("127.0.0.1");
  });
});
