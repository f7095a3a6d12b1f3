/**
 * A body whose parts are written as its client takes them, and its callbacks. Written to by printing.ts and sending.ts.
 */

export interface Watch {
  /** Rejects where the client is to be cut off: thrown on, it breaks the connection off, so that no part of an answer looks like a whole. */
  readonly cut: Promise<never>;
  /** The client has taken what it was given. */
  taken(): void;
  /** All is sent, or the client has gone. */
  over(): void;
}

/** No timeout. */
export const UNWATCHED: Watch = {
  cut: new Promise(() => undefined),
  taken: () => undefined,
  over: () => undefined,
};

/** Only a direct stream tells when a part was sent. The DOM's types do not have it. */
export function directStream(
  source: Omit<Bun.DirectUnderlyingSource<Uint8Array>, "type">,
): ReadableStream<Uint8Array> {
  return Reflect.construct(ReadableStream, [{ type: "direct", ...source }]);
}
