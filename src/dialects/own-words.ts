/**
 * Splits a body by fields: an API's own, checked by its own schema, and the rest, for which OpenAI's rules apply.
 * src/dialects/wires/ interprets an API's own fields.
 */
import type { Static, TSchema } from "@sinclair/typebox";
import type { TypeCheck } from "@sinclair/typebox/compiler";
import { GatewayError } from "../domain/errors";
import { checked } from "./checked";

export interface Divided<Words> {
  readonly words: Words;
  readonly rest: Record<string, unknown>;
}

/** @throws GatewayError invalid, with the field's name */
export function divided<Words extends TSchema>(
  body: unknown,
  isOwn: (name: string) => boolean,
  check: TypeCheck<Words>,
): Divided<Static<Words>> {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new GatewayError("invalid", "The body must be a JSON object with 'model' and what to embed.");
  const named = Object.entries(body);
  const words: unknown = Object.fromEntries(named.filter(([name]) => isOwn(name)));
  const rest = Object.fromEntries(named.filter(([name]) => !isOwn(name)));
  return { words: checked(check, words), rest };
}

export const invalid = (field: string, what: string) =>
  new GatewayError("invalid", `'${field}' ${what}`, { field });
