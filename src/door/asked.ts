/**
 * What a wire learns about a request to one of its paths, and the answers of paths that do not embed.
 * If a new wire needs to know more, add a member to `Asked` (src/dialects/wire.ts), and fill it in here.
 */
import type { Asked, KnownPath, PublicPath, Question, Told } from "../dialects/wire";
import { Ending } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Answer } from "../request/embed";
import { readJsonBody } from "./body";
import type { BodyPlace } from "./body-memory";

/** Limits for bodies of requests other than embeddings. */
const SMALL_BYTES_MAX = 1024 * 1024;
const SMALL_BODY_MS = 60_000;

/** @param more what is not in the URL */
export function askedOf(
  { url }: Request,
  more: Pick<Asked, "pattern" | "params" | "policies" | "defaultModel">,
): Asked {
  const { pattern, params, policies, defaultModel } = more;
  return {
    pattern,
    params,
    policies,
    defaultModel,
    // A getter, as few wires read it.
    get search() {
      return new URL(url).searchParams;
    },
  };
}

/** A request with a small body. @param place released once the body is read and answered */
export function questionOf(
  request: Request,
  asked: Asked,
  { mediaTypes }: KnownPath | PublicPath,
  place: BodyPlace,
  outside: Pick<Outside, "alarm">,
): Question {
  return { ...asked, body: () => smallBodyOf(request, place, outside, mediaTypes) };
}

/** @throws GatewayError slow_body, or one of readJsonBody's */
export async function smallBodyOf(
  request: Request,
  place: BodyPlace,
  { alarm }: Pick<Outside, "alarm">,
  mediaTypes?: readonly string[],
): Promise<unknown> {
  const over = new Ending();
  const late = new GatewayError("slow_body", "The body was not complete within a minute.");
  const callOff = alarm(SMALL_BODY_MS, () => over.abort(late));
  try {
    return await readJsonBody(request, { over, bytesMax: SMALL_BYTES_MAX, place, mediaTypes });
  } finally {
    callOff();
  }
}

export function told({ body, headers = {}, status = 200 }: Told): Answer & { readonly status: number } {
  return { body: typeof body === "string" ? body : JSON.stringify(body), headers, status };
}
