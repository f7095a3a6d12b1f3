/**
 * A body whose parts are written as its client reads them, and its callbacks. printing.ts and sending.ts write to it.
 */

export interface Watch {
  /** Rejects if the client must be disconnected: the rejection breaks the connection, so that a part of an answer never looks complete. */
  readonly cut: Promise<never>;
  /** The client has read what it was given. */
  taken(): void;
  /** Everything was sent, or the client has disconnected. */
  over(): void;
}

/** No timeout. */
export const UNWATCHED: Watch = {
  cut: new Promise(() => undefined),
  taken: () => undefined,
  over: () => undefined,
};

/** Only a direct stream reports when a part was sent. The DOM's types do not include it. */
export function directStream(
  source: Omit<Bun.DirectUnderlyingSource<Uint8Array>, "type">,
): ReadableStream<Uint8Array> {
  return Reflect.construct(ReadableStream, [{ type: "direct", ...source }]);
}
