/**
 * An upstream's answers in a file, so that a plugin can be tested without it: recorded once from the live one, then given again for the
 * same requests. What a request held in headers is never written down, since that is where the keys are; and where a key stands elsewhere,
 * "[redacted]" is written.
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
      /** As it was sent, parsed. */
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
 * The live upstream, and what it answered so far.
 * @param secrets that the plugin was given: they are not written down, wherever they stand, nor is what else turns out to be one
 */
export function recorder(
  live: Outside["fetch"],
  secrets: readonly string[],
): { readonly fetch: Fetch; readonly recording: () => Recording } {
  const exchanges: Recording["exchanges"] = [];
  /** Also tokens that the upstream itself gave out: known once they are sent. */
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
 * @param secrets that the plugin is given: where the recorded one's stood, they may stand now
 * @throws Breach where it is none
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

/** What of a request is a secret by where it stands: in its headers, or in an address under a name that says so. */
function secretsSent(url: string, init: RequestInit): string[] {
  const { username, password, searchParams } = new URL(url);
  const named = [...searchParams].filter(([name]) => SECRET_WORD.test(name)).map(([, value]) => value);
  return [
    ...credentialsOf(new Headers(init.headers).toJSON()),
    ...[decodeURIComponent(username), decodeURIComponent(password), ...named].filter((text) => text !== ""),
  ];
}

/** The same without secrets, in every text of it. */
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
    // What is no JSON is compared as it is.
    return String(body);
  }
}
