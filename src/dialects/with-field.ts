/**
 * The message of an error on wires whose error body has no member for the field: the message then names the field.
 */
import type { GatewayError } from "../domain/errors";

export function messageWithField({ message, field }: Pick<GatewayError, "message" | "field">): string {
  return field === undefined || message.includes(field) ? message : `'${field}': ${message}`;
}
