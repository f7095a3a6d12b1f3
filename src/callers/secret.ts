/**
 * Where a request carries its key: SDKs of different vendors use different headers, and Google's older ones the
 * URL. A new place is a line of PLACES. The key is never logged, and neither is a URL.
 */
import { GatewayError } from "../domain/errors";

/** In this order if `Authorization` contains none: it may be a proxy's own (`Basic …`). */
const PLACES = ["x-api-key", "api-key", "x-goog-api-key"];

/** @returns the key or token; undefined if there is none */
export function secretOf({ headers, url }: Pick<Request, "headers" | "url">): string | undefined {
  return bearerOf({ headers }) ?? ((url.includes("?") && new URL(url).searchParams.get("key")) || undefined);
}

/** Like `secretOf`, but without the URL. */
export function bearerOf({ headers }: Pick<Request, "headers">): string | undefined {
  const inAuthorization = bearerIn(headers.get("authorization"));
  if (inAuthorization !== undefined) return inAuthorization;
  for (const name of PLACES) {
    const said = headers.get(name)?.trim();
    if (said) return said;
  }
  return undefined;
}

/**
 * `Bearer KEY`, or `KEY` alone, as a client of Hugging Face's text-embeddings-inference sends it. Its newer versions add `Bearer` to the one that
 * users had to write: run-llama/llama_index, llama-index-embeddings-text-embeddings-inference.
 */
function bearerIn(authorization: string | null): string | undefined {
  const said = authorization?.trim();
  if (!said) return undefined;
  const bearer = /^(?:Bearer +)+(\S+)$/i.exec(said)?.[1];
  if (bearer !== undefined) return bearer;
  return /^\S+$/.test(said) && !/^(bearer|basic)$/i.test(said) ? said : undefined;
}

/** Names only the scheme of what was sent instead of a key. */
export function noKey({ headers }: Pick<Request, "headers">): GatewayError {
  const scheme = /^([A-Za-z0-9-]{1,40}) /.exec(headers.get("authorization")?.trim() ?? "")?.[1];
  const advice = "send it in the header 'Authorization: Bearer KEY'.";
  return new GatewayError(
    "no_key",
    scheme === undefined || /^bearer$/i.test(scheme)
      ? `You didn't provide an API key: ${advice}`
      : `You didn't provide an API key: the header 'Authorization' has the scheme '${scheme}', which is not checked here; ${advice}`,
  );
}
