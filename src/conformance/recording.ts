/**
 * An upstream's answers in a file, so that a plugin can be tested without the upstream: recorded from the live one, then repeated for the
 * same requests. Headers of requests are never recorded, because they contain the keys; a key in any other place is
 * replaced by "[redacted]".
 */
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { SECRET_WORD } from "../config/expected";
import type { Outside } from "../domain/outside";
import { credentialsOf, withoutKnown } from "../upstream/redact";
import { Breach } from "./breach";
import { again } from "./network";

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export const Recording = Type.Object({
  exchanges: Type.Array(
    Type.Object({
      method: Type.String(),
      url: Type.String(),
      /** As sent, parsed. */
      request: Type.Unknown(),
      status: Type.Integer(),
      headers: Type.Record(Type.String(), Type.String()),
      /** The answer's text. */
      reply: Type.String(),
    }),
  ),
});
export type Recording = Static<typeof Recording>;

/**
 * The live upstream, and its answers so far.
 * @param secrets given to the plugin: they are not recorded anywhere, and neither is anything else that turns out to be secret
 */
export function recorder(
  live: Outside["fetch"],
  secrets: readonly string[],
): { readonly fetch: Fetch; readonly recording: () => Recording } {
  const exchanges: Recording["exchanges"] = [];
  /** Includes tokens that the upstream itself issued: known once they are sent. */
  const known = new Set(secrets);
  const recorded: Fetch = async (url, init) => {
    for (const secret of secretsSent(url, init)) known.add(secret);
    const response = await live(url, init);
    const reply = new TextDecoder().decode(await response.arrayBuffer());
    const { "set-cookie": _, ...headers } = Object.fromEntries(response.headers);
    const { status } = response;
    exchanges.push({ method: init.method ?? "GET", url, request: parsed(init.body), status, headers, reply });
    return again({ status, headers: Object.entries(headers), body: reply });
  };
  return {
    fetch: recorded,
    recording: () => ({ exchanges: exchanges.map((one) => cleaned(one, [...known])) }),
  };
}

/**
 * @param value the content of a recording's file
 * @param secrets given to the plugin now: they replace those of the recorded run
 * @throws Breach if it is not a recording
 */
export function replayer(value: unknown, secrets: readonly string[]): Fetch {
  const [wrong] = Value.Errors(Recording, value);
  if (wrong || !Value.Check(Recording, value))
    throw new Breach(`The recording is not valid: ${wrong?.path.slice(1) || "the file"}: ${wrong?.message}.`);
  return async (given, init) => {
    const known = [...secrets, ...secretsSent(given, init)];
    const { url, request } = cleaned({ url: given, request: parsed(init.body) }, known);
    const method = init.method ?? "GET";
    const found = value.exchanges.find(
      (one) => one.url === url && one.method === method && Bun.deepEquals(one.request, request),
    );
    if (found)
      return again({ status: found.status, headers: Object.entries(found.headers), body: found.reply });
    const sent = JSON.stringify(request)?.slice(0, 200);
    throw new Breach(
      `The recording has no answer to ${method} ${url} with ${sent}: record again with --record.`,
    );
  };
}

/** Secrets of a request by position: in its headers, or in its URL under a name that suggests one. */
function secretsSent(url: string, init: RequestInit): string[] {
  const { username, password, searchParams } = new URL(url);
  const named = [...searchParams].filter(([name]) => SECRET_WORD.test(name)).map(([, value]) => value);
  return [
    ...credentialsOf(new Headers(init.headers).toJSON()),
    ...[decodeURIComponent(username), decodeURIComponent(password), ...named].filter((text) => text !== ""),
  ];
}

/** The same without secrets, in all of its texts. */
function cleaned<Whole>(whole: Whole, secrets: readonly string[]): Whole;
function cleaned(whole: unknown, secrets: readonly string[]): unknown {
  if (typeof whole === "string") return withoutKnown(whole, secrets);
  if (Array.isArray(whole)) return whole.map((one) => cleaned(one, secrets));
  if (typeof whole !== "object" || whole === null) return whole;
  return Object.fromEntries(Object.entries(whole).map(([name, value]) => [name, cleaned(value, secrets)]));
}

function parsed(body: RequestInit["body"]): unknown {
  try {
    return JSON.parse(String(body));
  } catch {
    // Anything other than JSON is compared unchanged.
    return String(body);
  }
}
