/**
 * An upstream's answers in a file, so that a plugin can be tested without it: recorded once from the live one, then given again for the
 * same requests. What a request held in headers is never written down, since that is where the keys are.
 */
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Outside } from "../outside";
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

/** The live upstream, and what it answered so far. */
export function recorder(live: Outside["fetch"]): {
  readonly fetch: Fetch;
  readonly recording: () => Recording;
} {
  const exchanges: Recording["exchanges"] = [];
  const recorded: Fetch = async (url, init) => {
    const response = await live(url, init);
    const reply = new TextDecoder().decode(await response.arrayBuffer());
    const { "set-cookie": _, ...headers } = Object.fromEntries(response.headers);
    const { status } = response;
    exchanges.push({ method: init.method ?? "GET", url, request: parsed(init.body), status, headers, reply });
    return again({ status, headers: Object.entries(headers), body: reply });
  };
  return { fetch: recorded, recording: () => ({ exchanges }) };
}

/** @param value the content of a recording's file. @throws Breach where it is none */
export function replayer(value: unknown): Fetch {
  const [wrong] = Value.Errors(Recording, value);
  if (wrong || !Value.Check(Recording, value))
    throw new Breach(`The recording is none: ${wrong?.path.slice(1) || "the file"}: ${wrong?.message}.`);
  return async (url, init) => {
    const request = parsed(init.body);
    const method = init.method ?? "GET";
    const found = value.exchanges.find(
      (one) => one.url === url && one.method === method && Bun.deepEquals(one.request, request),
    );
    if (found)
      return again({ status: found.status, headers: Object.entries(found.headers), body: found.reply });
    const sent = JSON.stringify(request)?.slice(0, 200);
    throw new Breach(
      `The recording has no answer to ${method} ${url} with ${sent}: record it anew (--record).`,
    );
  };
}

function parsed(body: RequestInit["body"]): unknown {
  try {
    return JSON.parse(String(body));
  } catch {
    // What is no JSON is compared as it is.
    return String(body);
  }
}
