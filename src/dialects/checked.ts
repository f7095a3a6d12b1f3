/**
 * Checks a body against an API's own schema, for APIs whose fields are all their own.
 */
import type { Static, TSchema } from "@sinclair/typebox";
import type { TypeCheck } from "@sinclair/typebox/compiler";
import { GatewayError } from "../domain/errors";
import { explainBreach } from "./explain";

/** @throws GatewayError invalid, with the field's name */
export function checked<Schema extends TSchema>(check: TypeCheck<Schema>, body: unknown): Static<Schema> {
  if (check.Check(body)) return body;
  const { field, message } = explainBreach(check, body);
  throw new GatewayError("invalid", message, { field });
}
