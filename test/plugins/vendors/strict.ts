/**
 * What the fakes of vendors with one address and one key have in common: a request read as strictly as they read it, a refusal with their messages.
 * What only one vendor refuses is in that vendor's fake.
 */
import type { Vendor } from "../conformance";
import { tokensIn } from "./word-tokens";

/** Thrown within a fake, whose `fetch` turns it into the vendor's answer. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly body: unknown,
  ) {
    super(JSON.stringify(body));
  }
}

interface Strict {
  /** Returns the body of a good reply, or throws a refusal. */
  readonly answer: (url: string, init: RequestInit) => object;
  readonly vectorOf: Vendor["vectorOf"];
  /** The body of a reply with vectors that a test has made. */
  readonly reply: (entries: readonly FloatEntry[]) => object;
  readonly error: (message: string) => object;
  readonly indexed: boolean;
}

interface FloatEntry {
  readonly index: number;
  readonly embedding: readonly number[];
}

export function strictVendor({ answer, vectorOf, reply, error, indexed }: Strict): Vendor {
  return {
    fetch: answering(answer),
    vectorOf,
    tokensOf: tokensIn,
    replyBody: (vectors) =>
      JSON.stringify(reply(vectors.map(({ index, values }) => ({ index, embedding: [...values] })))),
    errorBody: (message) => JSON.stringify(error(message)),
    indexed,
  };
}

export type Json = Readonly<Record<string, unknown>>;

/** The fake's `fetch`. @param answer returns the body of a good reply, or throws a refusal */
function answering(answer: (url: string, init: RequestInit) => unknown) {
  const headers = { "content-type": "application/json" };
  return async (url: string, init: RequestInit): Promise<Response> => {
    try {
      return new Response(JSON.stringify(answer(url, init)), { headers });
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      return new Response(JSON.stringify(thrown.body), { status: thrown.status, headers });
    }
  };
}

/** The key of `Authorization: Bearer KEY`. */
export function bearerOf(init: RequestInit): string | undefined {
  return /^Bearer (\S+)$/.exec(new Headers(init.headers).get("authorization") ?? "")?.[1];
}

/** The body as an object, or undefined if it is none, or if its content type does not say that it is JSON. */
export function jsonOf(init: RequestInit): Json | undefined {
  if (!/^application\/json\b/.test(new Headers(init.headers).get("content-type") ?? "")) return undefined;
  const body: unknown = JSON.parse(String(init.body));
  return typeof body === "object" && body !== null && !Array.isArray(body)
    ? Object.fromEntries(Object.entries(body))
    : undefined;
}

export const unknownFieldOf = (body: Json, known: readonly string[]) =>
  Object.keys(body).find((name) => !known.includes(name));

export const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((text) => typeof text === "string");
