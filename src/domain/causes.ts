/**
 * The cause of each kind of error and what to look at, for the operator, in `embedgate requests show`.
 * A new kind (src/domain/errors.ts) is a line here.
 */
import type { ErrorKind } from "./errors";

const ROUTING_FILE = "the provider's entry in the routing file";

export const CAUSES: Readonly<Record<ErrorKind, string>> = {
  invalid: "The request was wrong in itself. The answer named the field.",
  input_too_long:
    "An input is longer than the model takes. See `long_input` and `max_input_tokens` of the model.",
  unsupported_dimensions: "The model does not make embeddings of that size.",
  empty_input_refused:
    "The provider takes no empty string as an input. Policy `empty_input: reject` refuses it here.",
  unknown_provider:
    "A header forces a provider that is not in the routing file, or not for the caller's models.",
  provider_without_model: "A header forces a provider that has no route for the model.",
  embeddings_unsupported: "The routing file says `embeddings: false` of the model.",
  no_key: "The request had no API key.",
  wrong_key: "The API key is unknown, revoked or rotated out: see 'embedgate keys list'.",
  insufficient_credit: "The workspace has too few credits left: see 'embedgate credits show'.",
  cap_exceeded: "The workspace's cap in USD is reached: see 'embedgate workspaces show'.",
  price_unknown:
    "The model has no price, and the workspace pays: set `price` of the model (0 where it costs nothing), or `money.unpriced: allow`.",
  rate_limited: "The workspace's rate limit is used up: see 'embedgate workspaces show'.",
  forbidden: "The caller may not do that: an admin's key, or a policy, is missing.",
  space_mismatch: "The caller requires another embedding space than the model's (X-Embedgate-Space).",
  unknown_model:
    "The model is not in the routing file, or the workspace may not use it: see 'embedgate models'.",
  unknown_resource: "The Admin API has no key, workspace, request, model or space of that name.",
  no_such_object: "The file or batch does not exist in this workspace, or has expired.",
  conflict:
    "The batch has already ended, a batch still uses the file, or the Idempotency-Key was used for a different request.",
  unknown_path: "The path does not exist.",
  wrong_method: "The path takes another method.",
  slow_body: "The client did not send its body in time.",
  too_large: "The body is too large.",
  wrong_media_type: "The client did not say that it sends JSON.",
  head_too_large: "The headers are too large.",
  cancelled: "The client closed the connection before it was answered.",
  too_many_tokens: "The provider takes fewer tokens in a call: set `max_call_tokens` of the model.",
  not_found: `The provider does not know the model: check the route's \`model\` in the routing file.`,
  wrong_address: `The path does not exist at the provider, or its certificate is not trusted: check \`base_url\` (is /v1 missing, or there twice?) and \`ca\` in ${ROUTING_FILE}.`,
  cut_silently:
    "A text is longer than the server's limit, and it truncates silently: set `long_input` and `max_input_tokens` of the model.",
  no_vector: "The model returns only zeros for a text, such as whitespace.",
  unauthorized: `The provider refused the gateway's credentials or account: check the key in ${ROUTING_FILE}, and the account's balance there.`,
  overloaded: "The provider's rate limit is reached: raise it there, add a route, or lower `concurrency`.",
  unavailable: `The provider is down or cannot be reached, or its circuit breaker is open: check \`base_url\` in ${ROUTING_FILE}, and the provider itself.`,
  timeout: "The provider did not answer within `timeout_ms`.",
  deadline: "The request was not done within `server.deadline_ms`.",
  malformed: "The provider's answer could not be used: the log has what was wrong with it.",
  provider_not_configured:
    "None of the model's providers is configured: an environment variable, such as one for a key, is not set. See 'embedgate check --strict'.",
  space_out_of_service:
    "No route of the model may serve: its vectors changed, or were never compared. 'embedgate models' says which route and what to do; so does GET /admin/notices.",
  busy: "The gateway's queue was full: see `max_queue` and `concurrency` of the provider, and `server.max_concurrent_requests`.",
  database_unavailable: "The gateway's database was locked, full or gone: the log says which.",
  ledger_unavailable:
    "PostgreSQL could not be reached, or its connections were all in use for 2 s: the log says which.",
  internal: "A bug in the gateway: the log has the cause.",
};
