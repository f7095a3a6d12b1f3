/**
 * Responses and parameters that several paths of the OpenAPI document share. A status of many paths is an entry here.
 */
import type { Policies } from "../../domain/policies";
import { ALWAYS, type AnswerHeader, RETRY_AFTER, WITH_RATE_LIMIT } from "./headers";

export const json = (schema: string) => ({
  "application/json": { schema: { $ref: `#/components/schemas/${schema}` } },
});
export const declared = (headers: readonly AnswerHeader[]) =>
  Object.fromEntries(
    headers.map(({ name, says, type = "string" as const }) => [
      name,
      { description: says, schema: { type } },
    ]),
  );

export const REQUEST_HEADERS = declared(ALWAYS);

export const failing = (schema: string) => (description: string) => ({
  description,
  headers: REQUEST_HEADERS,
  content: json(schema),
});
export const fails = failing("ErrorResponse");
export const TEXT = { "text/plain": { schema: { type: "string" as const } } };

export const NEEDS_KEY = [{ bearer: [] }];
export type Fails = typeof fails;

export const keyErrors = (fails: Fails) => ({
  401: fails("No key, or one that is unknown, revoked or rotated out."),
  403: fails("Without keys: the request came from a web page or by a name that is not this machine's."),
});

/** Several reasons may have one status in one API and two in another. */
export function failures(fails: Fails, reasons: readonly (readonly [status: number, description: string])[]) {
  const byStatus = Map.groupBy(reasons, ([status]) => status);
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      status,
      fails(same.map(([, description]) => description).join(" ")),
    ]),
  );
}

export const limited = (fails: Fails) => ({
  ...fails("The workspace's requests or tokens a minute are used up."),
  headers: { ...REQUEST_HEADERS, ...declared([RETRY_AFTER, ...WITH_RATE_LIMIT]) },
});

/** Requests of every caller count towards the rate limit, except those of admins to their own paths. */
export const KNOWN_ERRORS = { ...keyErrors(fails), 429: limited(fails) };
export const ADMIN_ERRORS = {
  ...KNOWN_ERRORS,
  403: fails(
    "The key is not an admin key; or, without keys, the request came from a web page or with a foreign Host.",
  ),
};

/** Responses for upstream errors. */
export function upstreamFailures(fails: Fails, { upstream_faults }: Policies) {
  const distinct = upstream_faults === "distinct";
  return failures(fails, [
    [distinct ? 502 : 503, "The provider's answer did not pass the checks, after retries."],
    [
      503,
      "The provider or the database is not available now, too many requests are in flight, or the gateway is shutting down.",
    ],
    [distinct ? 504 : 503, "The request's deadline passed."],
  ]);
}

export const forcing = (name: string) => ({
  name,
  in: "header",
  required: false,
  description: "A provider's name in the routing file: only that one is called, without fallback.",
  schema: { type: "string" as const },
});

export const parameter = (place: "path" | "query", name: string, description: string) => ({
  name,
  in: place,
  required: place === "path",
  description,
  schema: { type: "string" as const },
});
