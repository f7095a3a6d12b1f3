/**
 * A connection to PostgreSQL, as the gateway uses it. Types only: src/stores/postgres/connection.ts implements it with Bun's own client and time
 * limits; the simulator has another one.
 */

/** Rejects with PostgreSQL's error, its SQLSTATE in `errno`, or with one whose `code` starts with ERR_POSTGRES_CONNECTION. */
export interface PostgresSession {
  query<Row>(text: string, parameters: unknown[]): Promise<readonly Row[]>;
  /** Several statements at once. */
  script(text: string): Promise<void>;
}

export interface PostgresClient {
  /** Opens the only connection. */
  reserve(): Promise<PostgresSession>;
  /** Open queries are rejected. */
  close(): Promise<void>;
}

/** Options of Bun's `SQL`. */
export interface PostgresOptions {
  readonly url: string;
  readonly onclose: (cause: unknown) => void;
}

export type OpenPostgres = (options: PostgresOptions) => PostgresClient;
