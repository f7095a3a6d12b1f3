/**
 * The one log line of a failed request, whatever the failure, with everything that `embedgate requests show` needs to find it.
 * Each step reports what it knows through `Tell`; a new member of the line is reported there, or added here.
 */
import { wordingOf } from "../dialects/wording";
import type { GatewayError } from "../domain/errors";
import type { LogLevel, Outside } from "../domain/outside";
import type { Policies } from "../domain/policies";

/** Reports what is known of a request so far, for its log line if it fails. */
export type Tell = (known: Readonly<Record<string, unknown>>) => void;

export interface Failed {
  readonly requestId: string;
  readonly request: Pick<Request, "method" | "url">;
  readonly error: GatewayError;
  readonly policies: Policies;
  readonly latencyMs: number;
  readonly known: Readonly<Record<string, unknown>>;
}

/** Text from the caller is cut to this length. */
const TEXT_MAX = 200;

/** Our own failures need attention, a provider's may; a caller's are the caller's. */
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

/** A query may contain a key, as Google's clients send it. "" if the request's `Host` makes its URL invalid. */
const pathIn = (url: string) => withoutKeys((URL.parse(url)?.pathname ?? "").slice(0, TEXT_MAX));

/** A caller may have put a key where a model's id or a part of the base URL belongs. */
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
