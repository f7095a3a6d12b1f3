/**
 * Puts errors into the caller's own terms: `input` or `input[17]` as in the request, and the field names of the request's wire.
 * A wire with other field names returns them with the decoded request (`Decoded`).
 */
import type { Decoded } from "../dialects/wire";
import { GatewayError } from "../domain/errors";
import type { EmbedRequest } from "../domain/request";

/** An error about one input names it as the caller wrote it: `input`, or `input[17]`. */
export function named(error: GatewayError, decoded: Decoded | undefined): GatewayError {
  if (!decoded) return error;
  const empty = emptyAtFault(error, decoded.request);
  if (empty !== undefined) return refusedEmpty(error, empty, decoded);
  const { kind, field, cause } = error;
  const { fieldNames = {} } = decoded;
  // A caller's field may have the name of a member of Object.prototype.
  const own = field !== undefined && Object.hasOwn(fieldNames, field) ? fieldNames[field] : undefined;
  const written = own ?? forwardedName(field, decoded.request);
  if (written !== undefined) return calling(error, written);
  // With a single text the provider does not need to say which one.
  const isOnly = kind === "input_too_long" && decoded.request.inputs.length === 1;
  const input = error.input ?? (isOnly ? 0 : undefined);
  if (input === undefined || field !== undefined) return error;
  const atFault = inputField(input, decoded);
  return new GatewayError(kind, `${atFault}: ${error.message}`, { ...error, field: atFault, input, cause });
}

function calling(error: GatewayError, field: string): GatewayError {
  const message = error.message.replaceAll(`'${error.field}'`, `'${field}'`);
  return new GatewayError(error.kind, message, { ...error, cause: error.cause, field });
}

/** A forwarded field was handled like `extra_body` (src/request/forwarding.ts), but the caller did not write `extra_body`. */
function forwardedName(field: string | undefined, { fields, extraBody }: EmbedRequest): string | undefined {
  const path = field?.startsWith("extra_body.") ? field.slice("extra_body.".length) : undefined;
  const name = path?.split(/[.[]/)[0] ?? "";
  return Object.hasOwn(fields, name) && !Object.hasOwn(extraBody, name) ? path : undefined;
}

function inputField(place: number, { request, inputName }: Decoded): string {
  if (inputName) return inputName(place);
  return request.inputs.length > 1 ? `input[${place}]` : "input";
}

/** By now only a provider can have refused an input as invalid. If it does not say which one, the empty string is assumed. */
function emptyAtFault({ kind, input, field }: GatewayError, { inputs }: EmbedRequest) {
  if (kind !== "invalid" || field !== undefined) return undefined;
  const place = input ?? inputs.indexOf("");
  return inputs[place] === "" ? place : undefined;
}

function refusedEmpty(error: GatewayError, place: number, decoded: Decoded): GatewayError {
  const field = inputField(place, decoded);
  return new GatewayError(
    "empty_input_refused",
    `The provider refused the request because '${field}' is an empty string: leave it out. The provider's error: ${error.message}`,
    { field, input: place, cause: error.cause, provider: error.provider },
  );
}
