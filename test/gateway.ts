/**
 * Opens a gateway for a test: the real one, from routing-file text, with its database in memory and no port.
 * A test that needs another clock, network or database says so in `Opening`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PLUGINS } from "../plugins/index";
import { loadConfig } from "../src/config/load";
import { formatProblem } from "../src/config/problem";
import type { Outside } from "../src/domain/outside";
import { createGateway, type Gateway } from "../src/gateway";
import { realOutside } from "../src/network/real-outside";
import { openSqlite } from "../src/stores/sqlite";
import type { Stores } from "../src/stores/stores";
import { createHost } from "../src/upstream/host";
import { copiedTo } from "./stores/copied";
import { TIMERS } from "./stores/counted";
import { type PostgresDatabase, postgresDatabase } from "./stores/databases";
import { databaseIn, leaveFolder, ON_POSTGRES, onServer, routingFileIn } from "./stores/on-postgres";

export interface Opening {
  /** The text of a gateway.yaml; without `database`, a database file is created in a folder that is removed at the end. */
  readonly yaml: string;
  readonly outside?: Partial<Outside>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether the test reads the database's file, `data/embedgate.db` in the gateway's folder: with PostgreSQL a copy of the ledger is put there. */
  readonly readsFile?: boolean;
}

export interface OpenGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  /** The folder of gateway.yaml and the database, for a second process or connection. */
  readonly folder: string;
  readonly logs: readonly LogLine[];
  /** Its database as another process has it, such as a command; closed with the gateway. */
  beside(): Promise<Stores>;
  /** Lines of a routing file, for another gateway on its database. */
  readonly database: string;
  /** A database that several gateways have one after the other, and that ends with this one. */
  lasting(): Lasting;
  send(path: string, init?: RequestInit): Promise<Sent>;
  post(body: unknown, headers?: Readonly<Record<string, string>>): Promise<Sent>;
}

export interface Lasting {
  /** Lines of the routing file. */
  readonly yaml: string;
  /** As another process has it; closed with the gateway whose it is. */
  beside(): Promise<Stores>;
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly about: unknown;
}

export interface Sent {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed, or undefined if it is not JSON. */
  readonly json: unknown;
}

/** Every failure that the fake plugin supports, and two models without failures. */
export const FAKE_YAML = `
providers:
  fake: { plugin: fake, timeout_ms: 1000 }
models:
  fake: { routes: [ { provider: fake } ] }
  fake-8: { routes: [ { provider: fake } ], price: 0.02 }
  docs: { alias_of: fake-8 }
  chat: { embeddings: false }
`;

export async function openGateway({
  yaml,
  outside,
  environment = {},
  readsFile = false,
}: Opening): Promise<OpenGateway> {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-test-"));
  const file = join(folder, "gateway.yaml");
  const path = join(folder, "data/embedgate.db");
  writeFileSync(file, routingFileIn(folder, yaml));
  const database = databaseIn(folder);
  const copied = readsFile && database && copiedTo(path, database);
  const logs: LogLine[] = [];
  const world: Outside = {
    ...realOutside,
    environment,
    readFile: async () => undefined,
    log(level, message, about) {
      if (message !== SAID_ON_POSTGRES) logs.push({ level, message, about });
    },
    ...outside,
  };
  const loaded = await loadConfig({
    file,
    folder,
    environment,
    host: (connection) => createHost(world, undefined, connection),
    now: world.now(),
    bundled: PLUGINS,
  });
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join("\n"));
  const clock = outside?.now;
  const gateway = await createGateway(loaded.config, world, undefined, undefined, undefined, {
    ...(clock && { clock }),
    ...(ON_POSTGRES && { timers: { ...world, ...TIMERS } }),
  });
  const others: Stores[] = [];
  let lasting: PostgresDatabase | undefined;

  async function besideOf(path: string, server: PostgresDatabase | undefined): Promise<Stores> {
    if (server) return server.open({ ...(clock && { now: clock }) }, {});
    const stores = await openSqlite(path, { ...realOutside, log: () => undefined });
    others.push(stores);
    return stores;
  }

  async function send(path: string, init: RequestInit = {}): Promise<Sent> {
    const response = await gateway.door.handle(new Request(new URL(path, "http://localhost:8080"), init));
    const text = await response.text();
    if (copied) await copied.refresh();
    return { status: response.status, headers: response.headers, text, json: parsed(text) };
  }

  return {
    gateway,
    folder,
    logs,
    beside: () => besideOf(path, database),
    database: linesFor(path, database),
    lasting() {
      const own = join(folder, "lasting.db");
      if (ON_POSTGRES) lasting ??= postgresDatabase();
      return { yaml: linesFor(own, lasting), beside: () => besideOf(own, lasting) };
    },
    send,
    post: (body, headers = {}) =>
      send("/v1/embeddings", {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" || body instanceof Blob ? body : JSON.stringify(body),
      }),
    async [Symbol.asyncDispose]() {
      await gateway.close();
      for (const stores of others) await stores.close();
      await leaveFolder(folder);
      await lasting?.[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const linesFor = (path: string, server: PostgresDatabase | undefined) =>
  server ? onServer("", server) : `database: "sqlite:${path}"\n`;

/** The log line about connections at each start. */
const SAID_ON_POSTGRES = "maximum number of connections to PostgreSQL";

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
