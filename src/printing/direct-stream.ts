/**
 * A body whose parts are written as its client takes them, and who hears of that. Written to by printing.ts and sending.ts.
 */

export interface Watch {
  /** Rejects where the client is to be cut off: thrown on, it breaks the connection off, so that no part of an answer looks like a whole. */
  readonly cut: Promise<never>;
  /** The client has taken what it was given. */
  taken(): void;
  /** All is sent, or the client has gone. */
  over(): void;
}

/** Nobody minds how long it takes. */
export const UNWATCHED: Watch = {
  cut: new Promise(() => undefined),
  taken: () => undefined,
  over: () => undefined,
};

/** Of a stream of any other type nobody could tell when a part was sent. The browsers' types do not know such a stream. */
export function directStream(
  source: Omit<Bun.DirectUnderlyingSource<Uint8Array>, "type">,
): ReadableStream<Uint8Array> {
  return Reflect.construct(ReadableStream, [{ type: "direct", ...source }]);
}
