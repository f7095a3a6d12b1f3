/**
 * Rules for the texts of a request in every API that has its own field for them, with the API's own name in errors.
 * OpenAI's own field is checked by its schema (openai-request.ts) with the same rules.
 */
import { GatewayError } from "../domain/errors";
import type { Policies } from "../domain/policies";

/**
 * @param field the value that contains the texts
 * @param nameOf the caller's name for one of them
 * @throws GatewayError invalid
 */
export function checkTexts(
  texts: readonly string[],
  field: string,
  nameOf: (place: number) => string,
  { empty_input, max_inputs }: Policies,
): void {
  if (texts.length > max_inputs)
    throw invalid(field, `has ${texts.length} entries; at most ${max_inputs} are allowed.`);
  for (const [place, text] of texts.entries()) {
    if (text === "" && empty_input === "reject")
      throw invalid(nameOf(place), "is an empty string: it must have at least one character.");
    if (!text.isWellFormed())
      throw invalid(
        nameOf(place),
        "contains an unpaired UTF-16 surrogate, which is not a valid character: remove it.",
      );
  }
}

/**
 * With its own message: "must be a string" would not help a client that sends ids.
 * @throws GatewayError invalid
 */
export function refuseTokenIds(input: unknown, field: string): void {
  const first: unknown = Array.isArray(input) ? input[0] : undefined;
  if (typeof first !== "number" && !Array.isArray(first)) return;
  throw invalid(
    field,
    "contains token ids, which are not supported here: it must be a string or an array of strings.",
  );
}

const invalid = (field: string, what: string) => new GatewayError("invalid", `'${field}' ${what}`, { field });
