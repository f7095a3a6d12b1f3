/**
 * A Valkey (or Redis) server, as the gateway uses it. Types only: src/network/valkey-client.ts connects, src/valkey/ adds time limits.
 * A further kind of reply is a member of `Reply`.
 */

/** Texts are bytes, because they may be vectors. */
export type Reply = Uint8Array | number | null | readonly Reply[];

export type Argument = string | number | Uint8Array;

export interface ValkeyClient {
  /** Settles once it is known whether the server can be reached; never rejects. */
  readonly begun: Promise<void>;
  /**
   * Sends one command at once, or not at all: it does not wait for a connection.
   * @throws RefusedByServer for an error that the server answered; Error if there is no connection, or it broke
   */
  call(command: string, args: readonly Argument[]): Promise<Reply>;
  /** Closes the connection with everything that waits on it, and opens another. */
  reconnect(): void;
  close(): void;
}

/** The server answered with an error: it is full, read-only, still loading, or wants another password. */
export class RefusedByServer extends Error {
  override readonly name = "RefusedByServer";
}
