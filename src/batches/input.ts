/**
 * The lines of a batch's input file: read, parsed and validated before any of them is run. Errors of the file are reported like OpenAI's, with
 * code, line and message; an invalid body only fails its own line later.
 * The codes are OpenAI's, as quoted by its users (community.openai.com, openai-cookbook's batch examples).
 */
import { linesOf } from "../jobs/line-rows";
import { WrongUsage } from "../terminal/wrong-usage";
import type { BatchError } from "./objects";

export interface RequestLine {
  /** From 1. */
  readonly line: number;
  readonly customId: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** The length of the line in characters. */
  readonly length: number;
}

/** OpenAI's limit. */
export const LINES_MAX = 50_000;
export const INPUTS_MAX = 50_000;
export const ENDPOINT = "/v1/embeddings";
/** Azure OpenAI's name of the same endpoint. */
export const SHORT_ENDPOINT = "/embeddings";
const CUSTOM_ID_MAX = 512;

/** @returns for each line that is not blank its request, or its error */
export async function* requestLines(path: string): AsyncGenerator<RequestLine | BatchError, void> {
  let line = 0;
  try {
    for await (const block of linesOf(path)) {
      for (const text of block) {
        line += 1;
        if (text?.trim() === "") continue;
        yield requestLine(text, line);
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof WrongUsage)) throw thrown;
    yield wrong(line + 1, "invalid_json_line", "This line is longer than 64 MB.");
  }
}

export const isWrong = (one: RequestLine | BatchError): one is BatchError => "code" in one;

function requestLine(text: string | undefined, line: number): RequestLine | BatchError {
  let value: unknown;
  try {
    value = text === undefined ? undefined : JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return wrong(line, "invalid_json_line", "This line is not parseable as valid JSON.");
  const said: Readonly<Record<string, unknown>> = { ...value };
  const { custom_id: customId, method = "POST", url = ENDPOINT, body } = said;
  if (customId === undefined) return missing(line, "custom_id");
  if (
    typeof customId !== "string" ||
    customId === "" ||
    customId.length > CUSTOM_ID_MAX ||
    !customId.isWellFormed()
  )
    return wrong(
      line,
      "invalid_custom_id",
      `'custom_id' must be a string of 1 to ${CUSTOM_ID_MAX} characters.`,
      "custom_id",
    );
  if (method !== "POST")
    return wrong(line, "invalid_method", "The method provided for this request must be POST.", "method");
  if (url !== ENDPOINT && url !== SHORT_ENDPOINT)
    return wrong(
      line,
      "invalid_url",
      `The URL provided for this request does not match the batch endpoint ${ENDPOINT}.`,
      "url",
    );
  if (body === undefined) return missing(line, "body");
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return wrong(line, "invalid_request", "'body' must be a JSON object.", "body");
  const bodySaid: Readonly<Record<string, unknown>> = { ...body };
  return { line, customId, body: bodySaid, length: text?.length ?? 0 };
}

export function wrong(
  line: number | null,
  code: string,
  message: string,
  param: string | null = null,
): BatchError {
  return { code, message, param, line };
}

const missing = (line: number, param: string) =>
  wrong(line, "missing_required_parameter", `The required parameter '${param}' is missing.`, param);
