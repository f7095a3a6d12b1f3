/**
 * One connection to PostgreSQL. A query that is not answered in time closes the connection.
 *
 * Why Bun's own `SQL`: it and the package postgres 3.4.9 were compared on Bun 1.4.5 with PostgreSQL 15 and PgBouncer 1.18 (connections ended by
 * pg_terminate_backend while idle and during a query, an immediate restart, a stopped server, 20,000 queries over four connections). Both read
 * bigint exactly, and both work through PgBouncer without prepared statements. `postgres` reported a connection's end (57P01) for a query that
 * had not been sent on it, and once kept a pool slot connecting for 30 s. Bun's answered every query at once, with the SQLSTATE in `errno`, at
 * 41,000 queries a second, and needs no dependency. Its two traps: its pool reconnects silently in the middle of a transaction, so each
 * connection is reserved here; and it has no timeout for a query, so this file has one. Through PgBouncer's transaction pooling prepared
 * statements fail (26000, 42P05): that is what `prepare: false` in the routing file is for.
 */
import { SQL } from "bun";
import { GatewayError } from "../../domain/errors";
import type { Outside } from "../../domain/outside";
import type { PostgresClient, PostgresOptions, PostgresSession } from "../../domain/postgres";
import type { Address } from "./address";

export type Parameter = string | number | bigint | boolean | Uint8Array | null;

export interface Connection {
  /** The server that it is connected to. */
  readonly place: Place;
  /**
   * @param text with `@` before the name of each table, which becomes the schema
   * @throws Lost where it is not known whether the query ran; PostgreSQL's own error where it was refused
   */
  query<Row>(text: string, parameters?: readonly Parameter[]): Promise<readonly Row[]>;
  /** Runs several statements at once, such as a migration. */
  script(text: string): Promise<void>;
  /** Runs `work` in a transaction, which is rolled back if it throws. */
  transaction<T>(work: () => Promise<T>): Promise<T>;
  /** Like `transaction`, with another time limit for each statement: the usual limits are for requests. */
  longTransaction<T>(statementMsMax: number, work: () => Promise<T>): Promise<T>;
  /**
   * Runs functions of one query each in one transaction, sent without waiting for each answer. It is rolled back if one is refused.
   * @throws the first refusal, once all are answered
   */
  pipeline(works: readonly ((connection: Connection) => Promise<void>)[]): Promise<void>;
  /** Whether the connection has ended and takes no more queries. */
  isLost(): boolean;
  close(): void;
}

/** The connection ended, or did not answer in time. */
export class Lost extends Error {
  override readonly name = "Lost";
}

/** Longer than any of our statements takes. A server that still works cancels them earlier (statement_timeout). */
const ANSWER_MS_MAX = 5_000;
const STATEMENT_MS_MAX = 4_000;
const LOCK_MS_MAX = 2_000;
const CONNECT_SECONDS_MAX = 2;

type World = Pick<Outside, "alarm" | "postgres" | "environment">;

/** Opens Bun's own client. */
export function openBuns(options: SQL.Options): PostgresClient {
  const pool = new SQL(options);
  return {
    async reserve() {
      const reserved = await pool.reserve();
      return {
        query: <Row>(text: string, parameters: unknown[]): Promise<readonly Row[]> =>
          reserved.unsafe<Row[]>(text, parameters),
        async script(text) {
          await reserved.unsafe(text).simple();
        },
      };
    },
    close: () => pool.close({ timeout: 0 }),
  };
}

/** One server of an address. */
export interface Place {
  readonly url: URL;
  /** The IP address of the host's name; undefined: Bun looks it up. */
  readonly ip: string | undefined;
}

/** @throws Lost, or PostgreSQL's own error */
export async function connectTo(
  place: Place,
  address: Address,
  { alarm, postgres = openBuns, environment }: World,
): Promise<Connection> {
  let lostBy: unknown;
  let isEnding = false;
  let answerMsMax = ANSWER_MS_MAX;
  const pool = postgres(
    optionsOf(serverOf(place, { environment }), address, (cause) => (lostBy ??= cause ?? "closed")),
  );
  const names = new Map<string, string>();
  const named = (text: string) => {
    let name = names.get(text);
    if (name === undefined) {
      name = text.replaceAll("@", `"${address.schema}".`);
      names.set(text, name);
    }
    return name;
  };
  const end = () => {
    if (isEnding) return;
    isEnding = true;
    // Closing rejects the open queries; its own result does not matter.
    pool.close().catch(() => undefined);
  };

  function within<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const msMax = answerMsMax;
      const off = alarm(msMax, () => {
        lostBy ??= "no answer";
        end();
        reject(new Lost(`no answer within ${msMax} ms`));
      });
      work.then(
        (value) => {
          off();
          resolve(value);
        },
        (cause: unknown) => {
          off();
          if (isConnectionError(cause)) {
            lostBy ??= cause;
            end();
            reject(new Lost(wordsOf(cause), { cause }));
          } else {
            // The primary became a standby: the next connection may lead to another server.
            if (isReadOnly(cause)) end();
            reject(cause);
          }
        },
      );
    });
  }

  let reserved: PostgresSession;
  try {
    reserved = await within(pool.reserve());
  } catch (cause) {
    end();
    // PgBouncer's other refusals have the same SQLSTATE, but are transient.
    if (/unsupported startup parameter/.test(wordsOf(cause))) throw isPgBouncer(cause);
    throw cause;
  }
  async function query<Row>(text: string, parameters: readonly Parameter[] = []): Promise<readonly Row[]> {
    if (lostBy !== undefined || isEnding) throw new Lost("the connection has ended", { cause: lostBy });
    return within(reserved.query<Row>(named(text), [...parameters]));
  }
  async function transaction<T>(work: () => Promise<T>): Promise<T> {
    await query("BEGIN");
    try {
      const value = await work();
      await query("COMMIT");
      return value;
    } catch (thrown) {
      if (lostBy === undefined) await query("ROLLBACK").catch(end);
      throw thrown;
    }
  }
  const connection: Connection = {
    place,
    query,
    async script(text) {
      await within(reserved.script(named(text)));
    },
    transaction,
    async longTransaction(statementMsMax, work) {
      // The server's own limit is shorter, so that its error says why.
      answerMsMax = statementMsMax + ANSWER_MS_MAX - STATEMENT_MS_MAX;
      try {
        return await transaction(async () => {
          await query(`SET LOCAL statement_timeout = ${statementMsMax}`);
          return work();
        });
      } finally {
        answerMsMax = ANSWER_MS_MAX;
      }
    },
    async pipeline(works) {
      // After a refusal PostgreSQL refuses the rest as well, and COMMIT rolls back.
      const asked = [query("BEGIN"), ...works.map((work) => work(connection)), query("COMMIT")];
      const failed = (await Promise.allSettled(asked)).find(({ status }) => status === "rejected");
      if (failed?.status === "rejected") throw failed.reason;
    },
    isLost: () => lostBy !== undefined || isEnding,
    close: end,
  };
  return connection;
}

const isPgBouncer = (cause: unknown) =>
  new GatewayError(
    "database_unavailable",
    `This is PgBouncer (${wordsOf(cause)}): set postgres.prepare: false, and limits on the role.`,
    { cause },
  );

/** The options of Bun's client for a server. The certificate is checked against the host's name, not against its IP address. */
export function serverOf({ url, ip }: Place, { environment }: Pick<Outside, "environment">) {
  const mode = url.searchParams.get("sslmode") ?? environment.PGSSLMODE ?? "prefer";
  // TLS options turn TLS on, so they are left out where the address does not ask for it.
  const isNamed = /^(?:require|verify-ca|verify-full)$/.test(mode) || url.searchParams.has("sslrootcert");
  return {
    url: url.href,
    ...(ip !== undefined && { hostname: ip }),
    ...(ip !== undefined && isNamed && mode !== "disable" && { tls: { serverName: url.hostname } }),
  };
}

function optionsOf(
  server: ReturnType<typeof serverOf>,
  address: Address,
  onclose: (cause: unknown) => void,
): SQL.Options & PostgresOptions {
  const options = {
    ...server,
    max: 1,
    bigint: true,
    prepare: address.prepare,
    idleTimeout: 0,
    maxLifetime: 0,
    connectionTimeout: CONNECT_SECONDS_MAX,
    onclose,
  };
  // PgBouncer refuses connections that ask for settings; limits must be set on the role (ALTER ROLE … SET statement_timeout).
  if (!address.prepare) return options;
  return {
    ...options,
    connection: {
      application_name: "embedgate",
      // The JIT compiler takes half a second for queries of a large ledger that run for some milliseconds.
      jit: "off",
      statement_timeout: STATEMENT_MS_MAX,
      lock_timeout: LOCK_MS_MAX,
      idle_in_transaction_session_timeout: ANSWER_MS_MAX,
    },
  };
}

/** The SQLSTATE of a PostgreSQL error, such as 23505; undefined for other errors. */
export function stateOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !("errno" in cause)) return undefined;
  return typeof cause.errno === "string" ? cause.errno : undefined;
}

/** Class 08, a server that shuts down or starts, and PgBouncer's own refusals: postgresql.org/docs/15/errcodes-appendix.html. */
const CONNECTION_STATES = /^(?:08|57P0)/;

/** Whether the server refused a write because it is read-only, such as a standby. */
export const isReadOnly = (cause: unknown) => stateOf(cause) === "25006";

/** Whether the connection is unusable after this error. */
function isConnectionError(cause: unknown): boolean {
  if (cause instanceof Lost) return true;
  const state = stateOf(cause);
  if (state !== undefined) return CONNECTION_STATES.test(state);
  return cause instanceof Error && "code" in cause && /^ERR_POSTGRES_CONNECTION/.test(String(cause.code));
}

/**
 * Whether the error is transient: too many connections, a standby that is still read-only, a lock timeout, a cancelled statement, a deadlock or
 * a serialization failure.
 */
export function isPassing(cause: unknown): boolean {
  return isConnectionError(cause) || /^(?:53|25006|55P03|57014|40)/.test(stateOf(cause) ?? "");
}

const wordsOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));
