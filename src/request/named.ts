/**
 * Errors in the caller's own words: `input` or `input[17]` as the request was written, and the wire's own names of fields.
 * A wire whose fields have other names gives them with what it decodes (`Decoded`).
 */
import type { Decoded } from "../dialects/wire";
import { GatewayError } from "../domain/errors";
import type { EmbedRequest } from "../domain/request";

/** An error about one input speaks of it as the caller wrote it: `input`, or `input[17]`. */
export function named(error: GatewayError, decoded: Decoded | undefined): GatewayError {
  if (!decoded) return error;
  const empty = emptyAtFault(error, decoded.request);
  if (empty !== undefined) return refusedEmpty(error, empty, decoded);
  const own = error.field === undefined ? undefined : decoded.fieldNames?.[error.field];
  if (own !== undefined)
    return new GatewayError(error.kind, error.message, { ...error, cause: error.cause, field: own });
  const forwarded = forwardedName(error.field, decoded.request);
  if (forwarded !== undefined) {
    const message = error.message.replaceAll(`'${error.field}'`, `'${forwarded}'`);
    return new GatewayError(error.kind, message, { ...error, cause: error.cause, field: forwarded });
  }
  // Of one text alone a provider need not say which it was.
  const isOnly = error.kind === "input_too_long" && decoded.request.inputs.length === 1;
  const input = error.input ?? (isOnly ? 0 : undefined);
  if (input === undefined || error.field !== undefined) return error;
  const field = inputField(input, decoded);
  return new GatewayError(error.kind, `${field}: ${error.message}`, {
    ...error,
    field,
    input,
    cause: error.cause,
  });
}

/** A field that was sent on as it is went the way of `extra_body` (src/request/forwarding.ts), where the caller did not write it. */
function forwardedName(field: string | undefined, { fields, extraBody }: EmbedRequest): string | undefined {
  const path = field?.startsWith("extra_body.") ? field.slice("extra_body.".length) : undefined;
  const name = path?.split(/[.[]/)[0] ?? "";
  return Object.hasOwn(fields, name) && !Object.hasOwn(extraBody, name) ? path : undefined;
}

function inputField(place: number, { request, inputName }: Decoded): string {
  if (inputName) return inputName(place);
  return request.inputs.length > 1 ? `input[${place}]` : "input";
}

/** Only a provider refuses as wrong what was admitted; one that names no other input means the empty string, as far as anybody can tell. */
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
