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
import { createHost } from "../src/upstream/host";
import { copiedTo } from "./stores/copied";
import { type PostgresDatabase, postgresDatabase } from "./stores/databases";

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
  send(path: string, init?: RequestInit): Promise<Sent>;
  post(body: unknown, headers?: Readonly<Record<string, string>>): Promise<Sent>;
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

/**
 * Set by .ci/check.ts, which runs all tests that open a gateway in their own process a second time. Then these stay on SQLite, or are skipped:
 * - tests whose routing file names a database, and tests about SQLite's file, which write into it or lock it (`skipIf(ON_POSTGRES)`);
 * - tests with a virtual clock, which stands still until a server answers: test/sim/machines has a PostgreSQL with its own virtual clock;
 * - tests of src/books and src/db with their own store (`openStore`), and tests that start a process (test/serving.ts): test/stores tests
 *   PostgreSQL's part of the first, and test/stores/drills.test.ts that of the second.
 */
export const ON_POSTGRES = process.env.EMBEDGATE_TEST_DATABASE === "postgres";

export async function openGateway({
  yaml,
  outside,
  environment = {},
  readsFile = false,
}: Opening): Promise<OpenGateway> {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-test-"));
  const file = join(folder, "gateway.yaml");
  const isVirtual = outside?.alarm !== undefined || outside?.monotonic !== undefined;
  const isOnPostgres = ON_POSTGRES && !isVirtual && !/^"?database"?:/m.test(yaml);
  const database = isOnPostgres ? postgresDatabase() : undefined;
  const copied = readsFile && database && copiedTo(join(folder, "data/embedgate.db"), database);
  writeFileSync(file, database ? onServer(yaml, database) : yaml);
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
  const gateway = await createGateway(loaded.config, world, undefined, undefined, undefined, clock);

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
    send,
    post: (body, headers = {}) =>
      send("/v1/embeddings", {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" || body instanceof Blob ? body : JSON.stringify(body),
      }),
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await database?.[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The log line about connections at each start. */
const SAID_ON_POSTGRES = "maximum number of connections to PostgreSQL";

/** The routing file with the server's database. */
function onServer(yaml: string, { yaml: own }: PostgresDatabase): string {
  // With a database server there is no default folder.
  const files = /^"?files"?:/m.test(yaml) ? "" : "files: { folder: data/batch-files }\n";
  if (!yaml.startsWith("{")) return `${yaml}\n${own}${files}`;
  return JSON.stringify(Object.assign(JSON.parse(yaml), Bun.YAML.parse(`${own}${files}`)));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
