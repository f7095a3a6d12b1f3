/**
 * A connection to PostgreSQL as the gateway speaks to it. Types only: src/stores/postgres/connection.ts makes it of Bun's own client, and bounds
 * what it may cost; the simulator has another.
 */

/** Rejects with PostgreSQL's error, its SQLSTATE in `errno`, or with one whose `code` begins with ERR_POSTGRES_CONNECTION. */
export interface PostgresSession {
  query<Row>(text: string, parameters: unknown[]): Promise<readonly Row[]>;
  /** Several statements at once. */
  script(text: string): Promise<void>;
}

export interface PostgresClient {
  /** The one connection. */
  reserve(): Promise<PostgresSession>;
  /** What is still asked is rejected. */
  close(): Promise<void>;
}

/** As Bun's `SQL` takes them. */
export interface PostgresOptions {
  readonly url: string;
  readonly onclose: (cause: unknown) => void;
}

export type OpenPostgres = (options: PostgresOptions) => PostgresClient;
