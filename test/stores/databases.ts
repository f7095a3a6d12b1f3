/**
 * The databases that the stores are tested on: SQLite in memory, and PostgreSQL if EMBEDGATE_TEST_POSTGRES has the URL of a server where
 * tables may be created and dropped (.ci/postgres.sh starts one). Each test gets its own schema.
 */
import { type Socket, SQL } from "bun";
import type { PostgresConfig } from "../../src/config/gateway-config";
import { openStore, type Store } from "../../src/db/open";
import type { Outside } from "../../src/domain/outside";
import { realOutside } from "../../src/network/real-outside";
import { type Opening, openPostgres } from "../../src/stores/postgres/open";
import { sqliteStores } from "../../src/stores/sqlite";
import type { Stores } from "../../src/stores/stores";
import { counted } from "./under-way";

export const POSTGRES_URL = process.env.EMBEDGATE_TEST_POSTGRES;

export interface PostgresOpening extends Opening {
  /** Over another connection than the test's own, such as `wayToPostgres`. */
  readonly url?: string;
  readonly onOutage?: PostgresConfig["onOutage"];
  readonly files?: string;
  readonly creditLease?: number;
}

const SERVING: PostgresOpening = { serves: { process: null, fenced: () => undefined } };

export interface TestDatabase extends AsyncDisposable {
  /** Each opening acts as another machine. SQLite in memory has one. */
  open(world?: Partial<Outside>, opening?: PostgresOpening): Promise<Stores>;
  /** Of what is open. `@` is before the name of each table. */
  ask<Row>(text: string): Promise<Row[]>;
}

export interface PostgresDatabase extends TestDatabase {
  readonly config: PostgresConfig;
  /** The routing file's keys for it. */
  readonly yaml: string;
  ask<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

const quiet = (world: Partial<Outside>): Outside => ({ ...realOutside, log: () => undefined, ...world });

export function sqliteDatabase(): TestDatabase {
  const opened: Store[] = [];
  return {
    async open(world = {}) {
      const store = await openStore(":memory:", quiet(world));
      opened.push(store);
      return sqliteStores(store, quiet(world));
    },
    async ask<Row>(text: string) {
      const query = opened.at(-1)?.database.query<Row, []>(text.replaceAll("@", ""));
      return query?.all() ?? [];
    },
    async [Symbol.asyncDispose]() {
      for (const store of opened) store.close();
    },
  };
}

let made = 0;
/** Schemas of this process whose tables were emptied, by server: emptying takes a tenth of the time of creating one. */
const emptied = new Map<string, string[]>();

/** Empties all tables. Triggers are off meanwhile, which requires a superuser. @throws the server's error for another role */
const emptying = (schema: string) => `DO $$
  DECLARE name text;
  BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '${schema}' AND tablename NOT IN ('migrations', 'change_counter', 'sums') LOOP
      EXECUTE format('DELETE FROM %I.%I', '${schema}', name);
    END LOOP;
    FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = '${schema}' LOOP
      EXECUTE format('ALTER SEQUENCE %I.%I RESTART', '${schema}', name);
    END LOOP;
    UPDATE "${schema}".change_counter SET number = 0;
    UPDATE "${schema}".sums SET summed_to = 0, next_to = NULL, next_after = NULL, trimmed_to = 0;
  END $$`;

/**
 * @param isNew without tables, as if no gateway had used it
 * @param asked the server that `ask` queries, if `url` has several hosts
 */
export function postgresDatabase(
  url = POSTGRES_URL ?? "",
  { isNew = false, asked = url } = {},
): PostgresDatabase {
  const free = emptied.get(url) ?? [];
  emptied.set(url, free);
  made += 1;
  const schema = (isNew ? undefined : free.pop()) ?? `test_${process.pid}_${Date.now() % 1e9}_${made}`;
  const config: PostgresConfig = { url, schema, maxConnections: 3, prepare: true, onOutage: "refuse" };
  const opened: Stores[] = [];
  const admin = new SQL({ url: asked, max: 1, bigint: true });
  const ask = async <Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> => [
    ...(await counted(admin.unsafe<Row[]>(text.replaceAll("@", `"${schema}".`), [...values]))),
  ];
  return {
    config,
    yaml: `database: ${url}\npostgres: { schema: ${schema}, max_connections: ${config.maxConnections} }\n`,
    ask,
    async open(
      world = {},
      {
        url: way = url,
        onOutage = config.onOutage,
        files = "",
        creditLease,
        ...opening
      }: PostgresOpening = SERVING,
    ) {
      const outside = quiet(world);
      const stores = await openPostgres({ ...config, onOutage, creditLease, url: way }, files, outside, {
        ...(world.now ? { clock: outside.now } : {}),
        ...opening,
      });
      opened.push(stores);
      return stores;
    },
    async [Symbol.asyncDispose]() {
      for (const stores of opened) await stores.close();
      try {
        await admin.unsafe(emptying(schema));
        free.push(schema);
      } catch {
        // The test has changed the tables, or made none.
        await admin
          .unsafe(`SET client_min_messages = warning; DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
          .simple();
      }
      await admin.close();
    },
  };
}

/** Drops the schemas of processes that have ended, which were emptied but not dropped. */
async function dropOfEnded(): Promise<void> {
  await using admin = new SQL({ url: POSTGRES_URL ?? "", max: 1 });
  const rows: readonly { readonly name: string }[] = await admin.unsafe(
    "SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^test_[0-9]+_'",
  );
  for (const { name } of rows) {
    try {
      process.kill(Number(name.split("_")[1]), 0);
    } catch {
      await admin
        .unsafe(`SET client_min_messages = warning; DROP SCHEMA IF EXISTS "${name}" CASCADE`)
        .simple();
    }
  }
}
if (POSTGRES_URL !== undefined) await dropOfEnded().catch(() => undefined);

/** A connection to the server that can be cut, or silenced. */
export interface Way extends Disposable {
  readonly url: string;
  be(how: "open" | "cut" | "frozen"): void;
}

/** @param hostname,port where it listens */
export function wayToPostgres(hostname = "127.0.0.1", port = 0): Way {
  const server = new URL(POSTGRES_URL ?? "");
  let how: "open" | "cut" | "frozen" = "open";
  interface Ends {
    other: Socket<Ends> | undefined;
    waiting: Uint8Array[];
  }
  const open = new Set<Socket<Ends>>();
  const pass = (from: Socket<Ends>, bytes: Uint8Array) => {
    if (how === "frozen") return;
    if (from.data.other) from.data.other.write(bytes);
    else from.data.waiting.push(Uint8Array.from(bytes));
  };
  const closed = (one: Socket<Ends>) => {
    open.delete(one);
    one.data.other?.end();
  };
  const listener = Bun.listen<Ends>({
    hostname,
    port,
    socket: {
      async open(client) {
        client.data = { other: undefined, waiting: [] };
        open.add(client);
        if (how === "cut") {
          client.end();
          return;
        }
        const far = await Bun.connect<Ends>({
          hostname: server.hostname,
          port: Number(server.port || 5432),
          data: { other: client, waiting: [] },
          socket: { data: pass, close: closed, error: closed },
        });
        open.add(far);
        client.data.other = far;
        for (const bytes of client.data.waiting.splice(0)) far.write(bytes);
      },
      data: pass,
      close: closed,
      error: closed,
    },
  });
  const url = new URL(server);
  url.hostname = hostname;
  url.port = String(listener.port);
  return {
    url: url.href,
    be(next) {
      how = next;
      if (how !== "frozen") for (const one of [...open]) one.terminate();
    },
    [Symbol.dispose]() {
      for (const one of [...open]) one.terminate();
      listener.stop(true);
    },
  };
}

export interface Kind {
  readonly name: string;
  readonly isThere: boolean;
  readonly make: () => TestDatabase;
}

/** For `describe.each`: a missing database is skipped, with a message. */
export const KINDS: readonly Kind[] = [
  { name: "SQLite", isThere: true, make: sqliteDatabase },
  { name: "PostgreSQL", isThere: POSTGRES_URL !== undefined, make: () => postgresDatabase() },
];

/** Credits are leased from the first request on (postgres.credit_lease). */
export const LEASING: Kind = {
  name: "PostgreSQL, with leases of credits",
  isThere: POSTGRES_URL !== undefined,
  make() {
    const database = postgresDatabase();
    return {
      ...database,
      open: (world, opening = SERVING) => database.open(world, { ...opening, creditLease: 1 }),
    };
  },
};
