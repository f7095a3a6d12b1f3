/**
 * The message of an error on wires whose error body has no place for the field's name: there it stands in the message.
 */
import type { GatewayError } from "../domain/errors";

export function messageWithField({ message, field }: Pick<GatewayError, "message" | "field">): string {
  return field === undefined || message.includes(field) ? message : `'${field}': ${message}`;
}
