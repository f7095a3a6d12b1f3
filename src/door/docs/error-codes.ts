/**
 * What each error code means and what to do, for the OpenAPI document and docs/reference.md. For a new kind of error (src/domain/errors.ts)
 * with a new status and code add a row here: a test fails if one is missing.
 */

/** `null` is the code for an error in the request itself, as at OpenAI. */
export const ERROR_CODES: readonly (readonly [
  status: number,
  code: string | null,
  happened: string,
  todo: string,
])[] = [
  [400, null, "the request is wrong in itself, or the provider refused it", "read `message` and `param`"],
  [
    400,
    "context_length_exceeded",
    "an input is longer than the model takes",
    "shorten it, or set `long_input` or `truncate`",
  ],
  [
    400,
    "unsupported_dimensions",
    "the model does not have that size",
    "ask for one of the sizes in the message",
  ],
  [400, "unknown_provider", "the forced provider is not in the routing file", "check `X-Embedgate-Provider`"],
  [
    400,
    "provider_without_model",
    "the forced provider has no route to the model",
    "ask without it, or add a route",
  ],
  [400, "embeddings_unsupported", "the model is known, but cannot embed", "ask for another model"],
  [
    400,
    "max_tokens_per_request",
    "the call exceeds the provider's limit, even when split",
    "send fewer or shorter inputs",
  ],
  [
    401,
    "invalid_api_key",
    "no key, or one that is unknown, revoked or rotated out",
    "check the key, and that this is the right gateway",
  ],
  [402, "insufficient_credit", "the balance does not cover the request", "`embedgate credits grant`"],
  [
    402,
    "cap_exceeded",
    "a spending cap of the workspace is reached",
    "wait for `retry-after`, or raise the cap",
  ],
  [
    402,
    "price_unknown",
    "the model has no price, and the workspace has credits or a spending cap",
    "set `price` for the model, or `money.unpriced: allow`",
  ],
  [
    403,
    "forbidden",
    "in open mode: the request came from a web page or by a foreign host name",
    "create a key and send it",
  ],
  [
    404,
    "model_not_found",
    "the model does not exist here or at the provider, or the workspace may not use it",
    "`embedgate models`, `embedgate check`",
  ],
  [
    404,
    "not_found",
    "the Admin API has no key, workspace, request, model or space of that name",
    "list them at the path above it",
  ],
  [404, "unknown_url", "the path does not exist", "`/swagger` lists them"],
  [404, null, "the file or batch does not exist in this workspace, or has expired", "list them"],
  [405, "method_not_allowed", "the path answers another method", "see the header `allow`"],
  [
    408,
    "request_timeout",
    "the body did not arrive within the deadline",
    "send it faster, or raise `server.deadline_ms`",
  ],
  [
    409,
    "conflict",
    "the batch has ended, a batch still reads the file, or the `Idempotency-Key` was used for another request",
    "read `message`",
  ],
  [
    409,
    "space_mismatch",
    "`X-Embedgate-Space` names another embedding space",
    "do not compare these vectors with the stored ones",
  ],
  [
    413,
    "payload_too_large",
    "the body is over 64 MB, or over `server.max_body_memory_mb`",
    "send fewer inputs per request",
  ],
  [415, "unsupported_media_type", "the body is not JSON", "send `content-type: application/json`"],
  [429, "rate_limit_exceeded", "the workspace's rate limit", "wait for `retry-after`"],
  [431, "headers_too_large", "URL and headers are over 16 KB", "send fewer headers"],
  [499, "client_closed_request", "the client closed the connection; seen in the ledger only", "nothing"],
  [500, "internal_error", "a bug in the gateway", "report it with the log line of this request id"],
  [
    502,
    "upstream_malformed",
    "the provider's answer did not pass the checks",
    "a second route helps; report it to the provider",
  ],
  [
    503,
    "upstream_unavailable",
    "the provider is down, limits you, or refused your key",
    "`embedgate models` and the log say which, and why",
  ],
  [
    503,
    "provider_not_configured",
    "the model is in the routing file, but none of its providers is configured",
    "`embedgate check` names the variables that are not set",
  ],
  [
    503,
    "space_out_of_service",
    "no route is measured to be in the model's embedding space",
    "`GET /admin/notices`",
  ],
  [
    503,
    "overloaded",
    "too many requests in flight or waiting",
    "retry after `retry-after`; raise the limits",
  ],
  [503, "database_unavailable", "the database cannot be written", "free the disk"],
  [503, "ledger_unavailable", "PostgreSQL cannot be reached or is busy", "retry after `retry-after`"],
  [
    504,
    "upstream_timeout",
    "the provider, or the whole request, took too long",
    "retry; raise `timeout_ms` or `server.deadline_ms`",
  ],
];
