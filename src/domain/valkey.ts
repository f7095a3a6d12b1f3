/**
 * A Valkey (or Redis) server as the gateway speaks to it. Types only: src/network/valkey-client.ts connects, src/valkey/ bounds what it may cost.
 * A further kind of reply is a member of `Reply`.
 */

/** Texts come as bytes: they may be vectors. */
export type Reply = Uint8Array | number | null | readonly Reply[];

export type Argument = string | number | Uint8Array;

export interface ValkeyClient {
  /** Settles once it was found out whether the server can be reached; never rejects. */
  readonly begun: Promise<void>;
  /**
   * One command. It is sent at once or not at all: nothing waits here for a connection.
   * @throws RefusedByServer for an error that the server answered; Error where there is no connection, or it broke
   */
  call(command: string, args: readonly Argument[]): Promise<Reply>;
  /** Gives up the connection with all that waits on it, and opens another. */
  reconnect(): void;
  close(): void;
}

/** The server answered, and said no: it is full, read-only, still loading, or wants another password. */
export class RefusedByServer extends Error {
  override readonly name = "RefusedByServer";
}
