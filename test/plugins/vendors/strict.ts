/**
 * What the fakes of vendors with one address and one key have alike: a request read as strictly as they read it, a refusal in their words.
 * What only one vendor refuses stands in that vendor's fake.
 */

/** Thrown within a fake; `answering` makes the vendor's answer of it. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly body: unknown,
  ) {
    super(JSON.stringify(body));
  }
}

export type Json = Readonly<Record<string, unknown>>;

/** The fake's `fetch`. @param answer the body of a good reply; what it throws is the refusal */
export function answering(answer: (url: string, init: RequestInit) => unknown) {
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

/** The body as an object, or undefined where it is none or does not say that it is JSON. */
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

/** A token is a word, so that a test can say beforehand how many there are. */
export const tokensOf = (text: string) => text.split(/\s+/).filter(Boolean).length;
export const tokensIn = (texts: readonly string[]) => texts.reduce((sum, text) => sum + tokensOf(text), 0);

export const firstTokens = (text: string, count: number) =>
  text.split(/\s+/).filter(Boolean).slice(0, count).join(" ");
export const lastTokens = (text: string, count: number) =>
  text.split(/\s+/).filter(Boolean).slice(-count).join(" ");
