/**
 * What the fakes of Google's two APIs for the same models have in common: google.rpc.Status as it is printed, unknown names, words for tasks.
 * What only one of them refuses is in gemini.ts or vertex.ts.
 */
import type { Vendor } from "../conformance";

export const TASK_TYPES = [
  "RETRIEVAL_QUERY",
  "RETRIEVAL_DOCUMENT",
  "SEMANTIC_SIMILARITY",
  "CLASSIFICATION",
  "CLUSTERING",
  "QUESTION_ANSWERING",
  "FACT_VERIFICATION",
  "CODE_RETRIEVAL_QUERY",
];

/** Thrown within a fake; `answering` turns it into Google's answer. */
export class Refusal extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly status = "INVALID_ARGUMENT",
    readonly details?: readonly Readonly<Record<string, unknown>>[],
  ) {
    super(message);
  }
}

/** The fake's `fetch`. @param answer returns the body of a good reply, or throws a refusal */
export function answering(answer: (url: string, init: RequestInit) => object): Vendor["fetch"] {
  const headers = { "content-type": "application/json; charset=UTF-8" };
  return async (url, init) => {
    try {
      return new Response(JSON.stringify(answer(url, init)), { headers });
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      return new Response(errorBody(thrown), { status: thrown.code, headers });
    }
  };
}

export function errorBody({ code, message, status, details }: Refusal): string {
  return JSON.stringify({ error: { code, message, status, details } }, null, 2);
}

export function refuseUnknown(record: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  const name = Object.keys(record).find((key) => !known.includes(key));
  if (name !== undefined)
    throw new Refusal(400, `Invalid JSON payload received. Unknown name "${name}": Cannot find field.`);
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The requested dimensions, at most the model's own, which are the default. @param otherwise the refusal */
export function sizeOf(asked: unknown, whole: number, otherwise: string): number {
  if (asked === undefined) return whole;
  if (typeof asked === "number" && Number.isInteger(asked) && asked > 0 && asked <= whole) return asked;
  throw new Refusal(400, otherwise);
}
