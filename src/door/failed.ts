/**
 * The one line that a failed request leaves in the log, whatever it failed for, with what `embedgate requests show` finds it by.
 * What a step knows of a request is told by `Tell`; a new member of the line is one there, or here.
 */
import { wordingOf } from "../dialects/wording";
import type { GatewayError } from "../domain/errors";
import type { LogLevel, Outside } from "../domain/outside";
import type { Policies } from "../domain/policies";

/** What is known of a request so far, for its line should it fail: told by each step that knows more. */
export type Tell = (known: Readonly<Record<string, unknown>>) => void;

export interface Failed {
  readonly requestId: string;
  readonly request: Pick<Request, "method" | "url">;
  readonly error: GatewayError;
  readonly policies: Policies;
  readonly latencyMs: number;
  readonly known: Readonly<Record<string, unknown>>;
}

/** A caller's own text: no more of it is told. */
const TEXT_MAX = 200;

/** Faults of ours must be looked at, what a provider did may have to be, what the caller did is the caller's. */
function levelOf(status: number): LogLevel {
  if (status === 500) return "error";
  return status > 500 ? "warn" : "info";
}

export function logFailed(
  { log }: Pick<Outside, "log">,
  { requestId, request, error, policies, latencyMs, known }: Failed,
): void {
  const { status, code } = wordingOf(error, policies);
  log(levelOf(status), "request failed", {
    request: requestId,
    method: request.method,
    path: pathIn(request.url),
    status,
    code: code ?? error.kind,
    kind: error.kind,
    provider: error.provider,
    upstream_status: error.upstreamStatus,
    reason: withoutKeys(error.inLog),
    latency_ms: Math.round(latencyMs),
    ...knownWithoutKeys(known),
    ...(error.kind === "internal" && { cause: causeOf(error) }),
  });
}

/** A query may hold a key, as Google's clients send it. "" where the request's `Host` makes its address none. */
const pathIn = (url: string) => withoutKeys((URL.parse(url)?.pathname ?? "").slice(0, TEXT_MAX));

/** A key may have been put where a model's id or a part of the base URL belongs. */
const withoutKeys = (text: string) => text.replaceAll(/\beg-[\w-]{10,}/g, "eg-…");

const knownWithoutKeys = (known: Failed["known"]) =>
  Object.fromEntries(
    Object.entries(known).map(([name, value]) => [
      name,
      typeof value === "string" ? withoutKeys(value) : value,
    ]),
  );

function causeOf({ cause, message }: GatewayError): string {
  if (cause instanceof Error) return cause.stack ?? cause.message;
  return String(cause ?? message);
}
