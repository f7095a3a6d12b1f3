/**
 * What a plugin gets from the gateway: the `Host` of src/plugin.ts, made once from the outside world.
 * Bundled and external plugins get the same object; a plugin can use only what it offers.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import type { TypeCheck } from "@sinclair/typebox/compiler";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { openAside } from "../aside/aside";
import { explainBreach, show } from "../dialects/explain";
import type { ConnectionOptions } from "../domain/connection-options";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { giveBack, isLent } from "../machine/lent-memory";
import { connecting } from "../network/connecting";
import type { FailureAbout, FailureKind, Host, Provider, SendCall, WireVector } from "../plugin";
import { type Places, placesOf, wireVector } from "../replies/places";
import { joined, readJson } from "../replies/read";
import { scanInSlices } from "../replies/slabs";
import { Known, post, send } from "./post";
import { START_BYTES, sentWith, startOf, withoutSecrets } from "./redact";

/** From about this size on, reading a reply would block the event loop for too long. */
const LARGE_BYTES = 400_000;

/**
 * @param aside reads large replies on a worker thread
 * @param connection how outgoing calls connect; left out: the default
 */
export function createHost(world: Outside, aside = openAside(world), connection?: ConnectionOptions): Host {
  const outside = connection === undefined ? world : { ...world, fetch: connecting(world.fetch, connection) };
  const compiled = new WeakMap<TSchema, Compiled<TSchema>>();
  const known = new Known();
  const { askedWith } = known;

  function compile<Schema extends TSchema>(schema: Schema): Compiled<Schema> {
    const before = compiled.get(schema);
    if (before) return before as Compiled<Schema>;
    const made = { check: TypeCompiler.Compile(schema), places: placesOf(schema) };
    compiled.set(schema, made);
    return made;
  }

  function read<Schema extends TSchema>(schema: Schema, bytes: Uint8Array): Static<Schema> {
    const asked = askedWith.get(bytes) ?? NOTHING;
    const { check, places } = compile(schema);
    return checked(
      check,
      parsed(() => readJson(bytes, places), bytes, asked),
      asked,
    );
  }

  async function readReply<Schema extends TSchema>(
    schema: Schema,
    bytes: Uint8Array,
  ): Promise<Static<Schema>> {
    const { check, places } = compile(schema);
    if (bytes.byteLength < LARGE_BYTES || places === undefined) return read(schema, bytes);
    const asked = askedWith.get(bytes) ?? NOTHING;
    const start = bytes.slice(0, START_BYTES);
    const handed = ownedOf(bytes);
    const large = { bytes: handed, places };
    // Not cancelled by the call's signal: a late reply was paid for, and contains the token count.
    const scanned =
      (await scanInSlices(large, aside.slice, (read) => giveBack(read, outside.alarm))) ??
      (await aside.perform("scan", large, [handed.buffer]).catch(unread));
    return checked(
      check,
      parsed(() => joined(scanned, places), start, asked),
      asked,
    );
  }

  return {
    t: Type,
    wireVector,
    provider: <Options extends TSchema>(provider: Provider<Options>): Provider => provider,
    post: (call) => post(call, outside, known),
    send: (call) => send(call, outside, known),
    read,
    readReply,
    vector: vectorOf,
    failure: (kind: FailureKind, message: string, about?: FailureAbout) =>
      new GatewayError(kind, message, about),
    tell: (message, about) => outside.log("warn", message, about),
    sleep: outside.sleep,
    now: outside.now,
    random: outside.random,
    cores: outside.cores ?? 1,
    variable: (name) =>
      (Object.hasOwn(outside.environment, name) ? outside.environment[name] : undefined) || undefined,
    readFile: outside.readFile,
  };
}

/** The parts of a call that may contain secrets. */
type Asked = Pick<SendCall, "url" | "headers">;
const NOTHING: Asked = { url: "", headers: {} };

/** What is known about a schema. */
interface Compiled<Schema extends TSchema> {
  readonly check: TypeCheck<Schema>;
  readonly places: Places | undefined;
}

/** @param start at least the start of the reply, for the error if it is not JSON */
function parsed(read: () => unknown, start: Uint8Array, asked: Asked): unknown {
  try {
    return read();
  } catch (cause) {
    throw malformed(`its reply is not JSON, it starts "${startOf(start, sentWith(asked), 100)}"`, cause);
  }
}

function checked<Schema extends TSchema>(
  check: TypeCheck<Schema>,
  value: unknown,
  asked: Asked,
): Static<Schema> {
  if (check.Check(value)) return value;
  const breach = withoutSecrets(explainBreach(check, value).message, sentWith(asked)).replace(/\.$/, "");
  throw malformed(`its reply does not have its API's format: ${breach}`);
}

/** The same bytes in a buffer of their own. */
function ownedOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  if (!(buffer instanceof ArrayBuffer)) return new Uint8Array(bytes);
  const isAll = buffer.byteLength === bytes.byteLength || isLent(bytes);
  return isAll ? new Uint8Array(buffer, 0, bytes.byteLength) : new Uint8Array(bytes);
}

/** Our own bug, which may not recur: the provider's answer is lost, but the provider works. */
function unread(cause: unknown): never {
  throw new GatewayError(
    "unavailable",
    "The provider's answer was lost before it was read. Retry the request.",
    { cause },
  );
}

function vectorOf(value: WireVector): Float32Array {
  if (value instanceof Float32Array) return value;
  return typeof value === "string" ? fromBase64(value) : fromNumbers(value);
}

function fromNumbers(values: readonly number[]): Float32Array {
  const vector = new Float32Array(values.length);
  for (const [i, value] of values.entries()) {
    // Float32Array would turn null into 0 and "1" into 1: what is not a number must not become one.
    if (typeof value !== "number") throw malformed(`a vector holds ${show(value)} where a number belongs`);
    vector[i] = value;
  }
  return vector;
}

/** Little-endian float32: all vendors send it, and every processor that Bun supports uses it. */
function fromBase64(text: string): Float32Array {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.fromBase64(text);
  } catch (cause) {
    throw malformed("a vector is not valid base64", cause);
  }
  if (bytes.byteLength % 4 !== 0) throw malformed("a base64 vector is not a whole number of float32 values");
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

function malformed(what: string, cause?: unknown): GatewayError {
  return new GatewayError("malformed", `The provider's answer cannot be used: ${what}.`, { cause });
}
