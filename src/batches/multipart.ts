/**
 * Reads a multipart/form-data body as it arrives: small fields as text, the one file block by block.
 * Source: RFC 7578 and RFC 2046 (5.1.1). `headOf` reads the headers of a part.
 */
import { GatewayError } from "../domain/errors";

export interface FormSink {
  /** A field, as text. */
  field(name: string, value: string): void;
  /** The file begins. */
  file(name: string, filename: string): Promise<void>;
  /** A block of the file. */
  block(bytes: Uint8Array): Promise<void>;
}

const BOUNDARY_MAX = 200;
const FIELD_BYTES_MAX = 64 * 1024;
const HEAD_BYTES_MAX = 16 * 1024;
const FIELDS_MAX = 100;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const HEAD_END = encoder.encode("\r\n\r\n");

/** @throws GatewayError wrong_media_type if there is no boundary */
export function boundaryOf(contentType: string | null): string {
  const [type = ""] = (contentType ?? "").split(";", 1);
  const isForm = type.trim().toLowerCase() === "multipart/form-data";
  const boundary = isForm ? parametersOf(contentType ?? "").get("boundary") : undefined;
  if (boundary && boundary.length <= BOUNDARY_MAX) return boundary;
  throw new GatewayError("wrong_media_type", "Upload a file as multipart/form-data with a boundary.");
}

/**
 * Reads the form to its end.
 * @param pieces the body, as it arrives
 * @throws GatewayError invalid if it is not such a form; and whatever the sink throws
 */
export async function readForm(
  pieces: AsyncIterable<Uint8Array>,
  boundary: string,
  sink: FormSink,
): Promise<void> {
  const delimiter = encoder.encode(`\r\n--${boundary}`);
  // Every delimiter begins with a line end, except the first: so one is put before it.
  let rest: Uint8Array = encoder.encode("\r\n");
  let isEnded = false;
  const source = pieces[Symbol.asyncIterator]();
  async function more(): Promise<boolean> {
    if (isEnded) return false;
    const { done, value } = await source.next();
    if (done) isEnded = true;
    else rest = joined(rest, value);
    return !isEnded;
  }
  /** Passes the bytes before `mark` to `take`, and drops the mark. */
  async function until(mark: Uint8Array, take: (bytes: Uint8Array) => Promise<void> | void): Promise<void> {
    for (;;) {
      const at = Buffer.from(rest.buffer, rest.byteOffset, rest.byteLength).indexOf(mark);
      if (at !== -1) {
        if (at > 0) await take(rest.subarray(0, at));
        rest = rest.subarray(at + mark.length);
        return;
      }
      // The end of these bytes may be the beginning of the mark.
      const sure = rest.length - mark.length + 1;
      if (sure > 0) {
        await take(rest.subarray(0, sure));
        rest = rest.subarray(sure);
      }
      if (!(await more())) throw broken("it ends before its last boundary");
    }
  }
  async function gathered(mark: Uint8Array, bytesMax: number, what: string): Promise<string> {
    let bytes: Uint8Array = new Uint8Array();
    await until(mark, (block) => {
      bytes = joined(bytes, block);
      if (bytes.length > bytesMax) throw broken(`${what} is too long`);
    });
    try {
      return decoder.decode(bytes);
    } catch {
      throw broken(`${what} is not UTF-8`);
    }
  }

  await until(delimiter, () => undefined);
  let hasFile = false;
  for (let parts = 0; ; parts++) {
    while (rest.length < 2) if (!(await more())) throw broken("it ends before its last boundary");
    if (rest[0] === 0x2d && rest[1] === 0x2d) break;
    if (parts >= FIELDS_MAX) throw broken("it has too many fields");
    const { name, filename } = headOf(await gathered(HEAD_END, HEAD_BYTES_MAX, "the head of a part"));
    if (filename === undefined)
      sink.field(name, await gathered(delimiter, FIELD_BYTES_MAX, `'${name.slice(0, 100)}'`));
    else {
      if (hasFile) throw broken("it has two files");
      hasFile = true;
      await sink.file(name, filename);
      await until(delimiter, sink.block);
    }
  }
  // Bytes after the last boundary are ignored; they are read so that the connection can be reused.
  while (await more()) rest = new Uint8Array();
}

function headOf(head: string): { readonly name: string; readonly filename: string | undefined } {
  const line = head.split("\r\n").find((one) => /^content-disposition:/i.test(one)) ?? "";
  const said = parametersOf(line);
  const name = said.get("name");
  if (name === undefined) throw broken("a part has no name");
  // Browsers and SDKs escape characters that would end the name.
  return { name: name.replaceAll("%22", '"'), filename: said.get("filename") };
}

/** The parameters of a header: `; name=value; name="quoted"`. Parsed by hand, as a regular expression would take quadratic time. */
function parametersOf(header: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  let at = header.indexOf(";");
  while (at !== -1) {
    const equals = header.indexOf("=", at);
    if (equals === -1) break;
    const name = header
      .slice(at + 1, equals)
      .trim()
      .toLowerCase();
    let value = "";
    let end = equals + 1;
    if (header[end] === '"') {
      for (end += 1; end < header.length && header[end] !== '"'; end++) {
        if (header[end] === "\\") end += 1;
        value += header[end] ?? "";
      }
      at = header.indexOf(";", end);
    } else {
      at = header.indexOf(";", end);
      value = header.slice(end, at === -1 ? undefined : at).trim();
    }
    if (!found.has(name)) found.set(name, value);
  }
  return found;
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  if (one.length === 0) return other;
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

const broken = (why: string) =>
  new GatewayError("invalid", `The body is not valid multipart/form-data: ${why}.`);
