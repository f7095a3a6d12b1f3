/**
 * Reads a request's body to a JSON value: checks size, compression, character set and syntax.
 * The dialects (src/dialects/) interpret the JSON.
 */
import type { EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import { unlessAborted } from "../domain/until";
import { Gathered } from "../network/gathered";
import type { BodyPlace } from "./body-memory";

export interface Reading {
  /** Ends the reading, with its reason. */
  readonly over: EndSignal;
  /** The limit applies to decompressed bytes, so that a small gzip bomb gains nothing. */
  readonly bytesMax: number;
  /** Asked for memory before bytes are read. */
  readonly place: Pick<BodyPlace, "hold">;
  /** A media type that is read as JSON, in addition to application/json. */
  readonly mediaTypes?: readonly string[] | undefined;
}

/**
 * Reads and parses a JSON body.
 * @throws GatewayError wrong_media_type | too_large | invalid, or the reason of `reading.over`
 */
export async function readJsonBody(
  request: Request,
  { over, bytesMax, place, mediaTypes }: Reading,
): Promise<unknown> {
  checkMediaType(request.headers.get("content-type"), mediaTypes);
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > bytesMax) throw tooLarge(bytesMax);
  if (declared > 0) {
    const held = place.hold(declared, over);
    if (held) await held;
  }
  const encoding = request.headers.get("content-encoding");
  // With a Content-Length and without compression a body cannot be larger: reading it at once costs half.
  const bytes =
    declared > 0 && encoding === null
      ? await whole(request, bytesMax, over)
      : await collect(decompressed(streamOf(request), encoding), { over, bytesMax, place });
  if (bytes.byteLength === 0) throw empty();
  return parseJson(decodeText(bytes));
}

/** Not asked for where it is not needed: Bun makes a stream for it. */
function streamOf({ body }: Request): ReadableStream<Uint8Array> {
  if (body === null) throw empty();
  return body;
}

const empty = () => new GatewayError("invalid", "The body is empty: send a JSON object.");

const JSON_TYPE = /^application\/([\w.-]+\+)?json$/;

/** No content type at all is accepted, because real SDKs forget it; a wrong one is refused. */
function checkMediaType(contentType: string | null, others: readonly string[] = []): void {
  // The usual case.
  if (contentType === "application/json") return;
  if (contentType === null || contentType.trim() === "") return;
  const [mediaType = "", ...parameters] = contentType.toLowerCase().split(";");
  const plain = mediaType.trim();
  if (!JSON_TYPE.test(plain) && !others.includes(plain)) {
    throw new GatewayError(
      "wrong_media_type",
      `The body's content type is "${contentType.slice(0, 100)}": send "content-type: application/json".`,
    );
  }
  const charset = parameters
    .map((p) => p.trim())
    .find((p) => p.startsWith("charset="))
    ?.slice(8)
    .replaceAll('"', "");
  if (charset !== undefined && charset !== "utf-8" && charset !== "utf8" && charset !== "us-ascii") {
    throw new GatewayError(
      "wrong_media_type",
      `The body's character set is "${charset.slice(0, 50)}": send UTF-8.`,
    );
  }
}

function decompressed(body: ReadableStream<Uint8Array>, encoding: string | null): ReadableStream<Uint8Array> {
  const name = (encoding ?? "identity").trim().toLowerCase();
  if (name === "identity" || name === "") return body;
  if (name !== "gzip" && name !== "deflate") {
    throw new GatewayError(
      "wrong_media_type",
      `The body's content encoding is "${name.slice(0, 50)}": send it plain, or with gzip or deflate.`,
    );
  }
  return body.pipeThrough(new DecompressionStream(name) as ReadableWritablePair<Uint8Array, Uint8Array>);
}

async function whole(request: Request, bytesMax: number, over: EndSignal): Promise<Uint8Array> {
  try {
    const bytes = await unlessAborted(over, request.bytes());
    if (bytes.byteLength <= bytesMax) return bytes;
  } catch (cause) {
    if (over.aborted) throw over.reason;
    throw unreadable(cause);
  }
  throw tooLarge(bytesMax);
}

async function collect(
  stream: ReadableStream<Uint8Array>,
  { over, bytesMax, place }: Reading,
): Promise<Uint8Array> {
  const gathered = new Gathered();
  const reader = stream.getReader();
  // A cancelled reader ends its read as if the body had ended here: `over` is checked first.
  const stop = () => {
    reader.cancel(over.reason).catch(() => undefined);
  };
  if (over.aborted) stop();
  else over.addEventListener("abort", stop);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (over.aborted) throw over.reason;
      if (done) break;
      gathered.add(value);
      if (gathered.size > bytesMax) throw tooLarge(bytesMax);
      const held = place.hold(gathered.size, over);
      if (held) await held;
    }
  } catch (cause) {
    reader.cancel().catch(() => undefined);
    if (over.aborted) throw over.reason;
    if (cause instanceof GatewayError) throw cause;
    throw unreadable(cause);
  } finally {
    over.removeEventListener("abort", stop);
  }
  return gathered.bytes();
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Bytes that are not UTF-8 are refused: replaced silently, they would be embedded as another text. */
function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new GatewayError("invalid", "The body is not valid UTF-8.", { cause });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // 100,000 nested arrays end the parser with a RangeError: also the caller's fault.
    const reason = cause instanceof RangeError ? "it is nested too deeply" : "it cannot be parsed";
    throw new GatewayError("invalid", `The body is not valid JSON: ${reason}.`, { cause });
  }
}

function unreadable(cause: unknown): GatewayError {
  return new GatewayError(
    "invalid",
    "The body ended early, or is not encoded as its content-encoding says.",
    { cause },
  );
}

function tooLarge(bytesMax: number): GatewayError {
  return new GatewayError(
    "too_large",
    `The body is larger than ${bytesMax / 1024 / 1024} MB: send fewer inputs in one request.`,
  );
}
