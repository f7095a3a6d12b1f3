/**
 * The few kinds of errors and the one table of their meaning: status, type, code, whether to retry, whether to fall back.
 * A new kind is a row of KINDS; a dialect with other values has them in its own record (src/dialects/).
 */
import type { FailureKind } from "../plugin";

interface Meaning {
  readonly status: number;
  /** OpenAI's `error.type`. */
  readonly type: string;
  /** OpenAI's `error.code`; null if OpenAI has none. */
  readonly code: string | null;
  /** Another attempt at the same target may succeed. */
  readonly retry: boolean;
  /** Another target of the same space may succeed. */
  readonly fallBack: boolean;
  /** The message for callers who may not know the provider; left out: that it refused the request. */
  readonly withoutProvider?: string;
}

const request = "invalid_request_error";
const server = "server_error";

const KINDS = {
  // What the caller sent.
  invalid: { status: 400, type: request, code: null, retry: false, fallBack: false },
  input_too_long: {
    status: 400,
    type: request,
    code: "context_length_exceeded",
    retry: false,
    fallBack: false,
  },
  unsupported_dimensions: {
    status: 400,
    type: request,
    code: "unsupported_dimensions",
    retry: false,
    fallBack: false,
  },
  // Accepted here, and refused by the provider.
  empty_input_refused: { status: 400, type: request, code: null, retry: false, fallBack: false },
  unknown_provider: { status: 400, type: request, code: "unknown_provider", retry: false, fallBack: false },
  provider_without_model: {
    status: 400,
    type: request,
    code: "provider_without_model",
    retry: false,
    fallBack: false,
  },
  embeddings_unsupported: {
    status: 400,
    type: request,
    code: "embeddings_unsupported",
    retry: false,
    fallBack: false,
  },
  no_key: { status: 401, type: request, code: "invalid_api_key", retry: false, fallBack: false },
  wrong_key: { status: 401, type: request, code: "invalid_api_key", retry: false, fallBack: false },
  insufficient_credit: {
    status: 402,
    type: "insufficient_quota",
    code: "insufficient_credit",
    retry: false,
    fallBack: false,
  },
  cap_exceeded: {
    status: 402,
    type: "insufficient_quota",
    code: "cap_exceeded",
    retry: false,
    fallBack: false,
  },
  price_unknown: {
    status: 402,
    type: "insufficient_quota",
    code: "price_unknown",
    retry: false,
    fallBack: false,
  },
  rate_limited: {
    status: 429,
    type: "rate_limit_error",
    code: "rate_limit_exceeded",
    retry: false,
    fallBack: false,
  },
  forbidden: { status: 403, type: request, code: "forbidden", retry: false, fallBack: false },
  space_mismatch: { status: 409, type: request, code: "space_mismatch", retry: false, fallBack: false },
  unknown_model: { status: 404, type: request, code: "model_not_found", retry: false, fallBack: false },
  // Errors of the Admin API: a key, a workspace, a request, a space.
  unknown_resource: { status: 404, type: request, code: "not_found", retry: false, fallBack: false },
  no_such_object: { status: 404, type: request, code: null, retry: false, fallBack: false },
  conflict: { status: 409, type: request, code: "conflict", retry: false, fallBack: false },
  unknown_path: { status: 404, type: request, code: "unknown_url", retry: false, fallBack: false },
  wrong_method: { status: 405, type: request, code: "method_not_allowed", retry: false, fallBack: false },
  slow_body: { status: 408, type: request, code: "request_timeout", retry: false, fallBack: false },
  too_large: { status: 413, type: request, code: "payload_too_large", retry: false, fallBack: false },
  wrong_media_type: {
    status: 415,
    type: request,
    code: "unsupported_media_type",
    retry: false,
    fallBack: false,
  },
  head_too_large: { status: 431, type: request, code: "headers_too_large", retry: false, fallBack: false },
  // The client closed the connection: 499 appears in the ledger only.
  cancelled: { status: 499, type: request, code: "client_closed_request", retry: false, fallBack: false },
  // Failures of the provider. If it refuses our own key, that is never the caller's 401: our service is unavailable.
  too_many_tokens: {
    status: 400,
    type: request,
    code: "max_tokens_per_request",
    retry: false,
    fallBack: false,
  },
  not_found: { status: 404, type: request, code: "model_not_found", retry: false, fallBack: false },
  // The provider is up, but its API is at another URL, or its certificate is not trusted: an error in the routing file.
  wrong_address: {
    status: 503,
    type: server,
    code: "upstream_unavailable",
    retry: false,
    fallBack: true,
    withoutProvider: "The provider is not available",
  },
  unauthorized: {
    status: 503,
    type: server,
    code: "upstream_unavailable",
    retry: false,
    fallBack: true,
    withoutProvider: "The provider refused the gateway's own credentials or account",
  },
  overloaded: {
    status: 503,
    type: server,
    code: "upstream_unavailable",
    retry: true,
    fallBack: true,
    withoutProvider: "The provider has reached its rate limit",
  },
  unavailable: {
    status: 503,
    type: server,
    code: "upstream_unavailable",
    retry: true,
    fallBack: true,
    withoutProvider: "The provider is not available",
  },
  timeout: {
    status: 504,
    type: server,
    code: "upstream_timeout",
    retry: true,
    fallBack: true,
    withoutProvider: "The provider did not answer in time",
  },
  // The request's own deadline has passed: no attempt is left.
  deadline: { status: 504, type: server, code: "upstream_timeout", retry: false, fallBack: false },
  // Its token count shows that it embedded only the beginning of the text.
  cut_silently: {
    status: 400,
    type: request,
    code: "context_length_exceeded",
    retry: false,
    fallBack: true,
    withoutProvider: "A text is longer than the model takes",
  },
  // The model has no result for a text: blanks, or words that a static model does not know. Another route's may know them.
  no_vector: {
    status: 400,
    type: request,
    code: null,
    retry: false,
    fallBack: true,
    withoutProvider: "The model makes no vector of a text",
  },
  malformed: {
    status: 502,
    type: server,
    code: "upstream_malformed",
    retry: true,
    fallBack: true,
    withoutProvider: "The provider's answer cannot be used",
  },
  // The routing file has the model, but none of its providers has what it needs, such as a key.
  provider_not_configured: {
    status: 503,
    type: server,
    code: "provider_not_configured",
    retry: false,
    fallBack: false,
  },
  // No route of the model is known to be in its space.
  space_out_of_service: {
    status: 503,
    type: server,
    code: "space_out_of_service",
    retry: false,
    fallBack: false,
  },
  // Our own failures.
  busy: { status: 503, type: server, code: "overloaded", retry: false, fallBack: false },
  database_unavailable: {
    status: 503,
    type: server,
    code: "database_unavailable",
    retry: false,
    fallBack: false,
  },
  // The same for a database server: it may be back at once.
  ledger_unavailable: {
    status: 503,
    type: server,
    code: "ledger_unavailable",
    retry: false,
    fallBack: false,
  },
  internal: { status: 500, type: server, code: "internal_error", retry: false, fallBack: false },
} as const satisfies Record<FailureKind, Meaning> & Record<string, Meaning>;

export type ErrorKind = keyof typeof KINDS;

/** Every kind with what it means, for lists of them. */
export const ERROR_KINDS: readonly (readonly [ErrorKind, Meaning])[] = Object.entries(KINDS).flatMap(
  ([kind, meaning]) => (isErrorKind(kind) ? [[kind, meaning] as const] : []),
);

export function isErrorKind(word: string): word is ErrorKind {
  return Object.hasOwn(KINDS, word);
}

/** Nothing can be recorded now, so nothing is done. */
export const isDatabaseGone = (kind: ErrorKind): boolean =>
  kind === "database_unavailable" || kind === "ledger_unavailable";

/** What is known about an error besides its kind and message. */
export interface About {
  /** The request field at fault, as the caller wrote it: `input[17]`, `dimensions`. */
  readonly field?: string;
  /** The index of the input at fault; in the plugin's call for a plugin's error, in the request for the request's. */
  readonly input?: number;
  readonly retryAfterMs?: number;
  /** The tokens of the input at fault, by the provider's count. */
  readonly tokens?: number;
  /** The provider's own limit for one input. */
  readonly tokensMax?: number;
  /** The provider's status, if it answered. */
  readonly upstreamStatus?: number;
  /** The answer was complete, but one of its vectors is invalid: not finite, or all zeros. */
  readonly isUnsound?: boolean;
  /** The method that the path supports. */
  readonly allowed?: string;
  /** Headers to send with it, such as a rate limit's. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The provider that failed, by its name in the routing file: the message quotes it. */
  readonly provider?: string;
  /** For the log only: what a provider says about our credentials, or what happened to a caller's key. */
  readonly logged?: string | undefined;
  /** The message for callers who may not know providers' prices. */
  readonly withoutCost?: string;
  readonly cause?: unknown;
}

/** Every error that a caller can see. Its message says what was wrong and what to do; it contains no secret and no stack. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly kind: ErrorKind;
  readonly field: string | undefined;
  readonly input: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly tokens: number | undefined;
  readonly tokensMax: number | undefined;
  readonly upstreamStatus: number | undefined;
  readonly isUnsound: boolean;
  readonly allowed: string | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly provider: string | undefined;
  readonly logged: string | undefined;
  readonly withoutCost: string | undefined;

  constructor(kind: ErrorKind, message: string, about: About = {}) {
    super(message, { cause: about.cause });
    this.kind = kind;
    this.field = about.field;
    this.input = about.input;
    this.retryAfterMs = about.retryAfterMs;
    this.tokens = about.tokens;
    this.tokensMax = about.tokensMax;
    this.upstreamStatus = about.upstreamStatus;
    this.isUnsound = about.isUnsound ?? false;
    this.allowed = about.allowed;
    this.headers = about.headers;
    this.provider = about.provider;
    this.logged = about.logged;
    this.withoutCost = about.withoutCost;
  }

  get meaning(): Meaning {
    return KINDS[this.kind];
  }

  /**
   * The error's kind for requests that shared the failed call with others: a provider may quote an input, which is not theirs to read.
   * The log has the message.
   */
  withoutWords(): GatewayError {
    const { kind, retryAfterMs, upstreamStatus, provider, logged } = this;
    const what = upstreamStatus === undefined ? "failed" : `was answered ${upstreamStatus}`;
    return new GatewayError(
      kind,
      `A call to the provider, shared by several requests, ${what} (${kind}). The log has more.`,
      { retryAfterMs, upstreamStatus, provider, logged },
    );
  }

  /** The same error as one of this provider. What a provider says about our credentials goes to the log only. */
  at(provider: string): GatewayError {
    if (this.kind !== "unauthorized")
      return new GatewayError(this.kind, this.message, { ...this, cause: this.cause, provider });
    const status = this.upstreamStatus === undefined ? "" : ` (${this.upstreamStatus})`;
    return new GatewayError(
      this.kind,
      `The provider refused the gateway's own credentials or account${status}: nothing is wrong with your key. The gateway's log has the provider's message, by the request's id.`,
      { ...this, cause: this.cause, provider, logged: this.logged ?? this.message },
    );
  }

  /** For callers who may not know the provider: what happened, without the provider's message. */
  withoutProvider(): GatewayError {
    if (this.provider === undefined) return this;
    const { kind, field, input, retryAfterMs, upstreamStatus, headers, cause } = this;
    const status = upstreamStatus === undefined ? "" : ` (${upstreamStatus})`;
    const message = `${this.meaning.withoutProvider ?? "The provider refused the request"}${status}.`;
    return new GatewayError(kind, message, { field, input, retryAfterMs, upstreamStatus, headers, cause });
  }

  /** The message in the log: including what a provider says about our credentials. */
  get inLog(): string {
    const { withoutProvider } = this.meaning;
    if (this.logged === undefined) return this.message;
    return withoutProvider === undefined
      ? `${this.message} ${this.logged}`
      : `${withoutProvider}: ${this.logged}`;
  }

  /** The same error about another input, or about none. */
  withInput(input: number | undefined): GatewayError {
    if (input === this.input) return this;
    return new GatewayError(this.kind, this.message, { ...this, cause: this.cause, input });
  }
}

/** Any thrown value as one of our errors: an unexpected one is `internal`, and its message is not shown to the caller. */
export function asGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError(
    "internal",
    "Something went wrong inside the gateway. The log has the request's id.",
    {
      cause: thrown,
    },
  );
}
