/**
 * The headers of answers: when each is sent and what it contains, for the OpenAPI document and docs/reference.md. A new header of
 * src/request/headers.ts is a row here: a test reports a missing one.
 */

export interface AnswerHeader {
  readonly name: string;
  readonly when: string;
  readonly says: string;
  readonly type?: "integer";
}

/** Of every answer. */
export const ALWAYS: readonly AnswerHeader[] = [
  {
    name: "x-client-request-id",
    when: "the request had an `x-request-id`",
    says: "The caller's own id, as it was sent, in addition to the gateway's.",
  },
  { name: "x-request-id", when: "always", says: "The request's id, also in the ledger and the log." },
  {
    name: "openai-processing-ms",
    when: "always",
    says: "Milliseconds from the request's arrival to its answer.",
    type: "integer",
  },
];

/** Of embeddings. */
export const WITH_EMBEDDINGS: readonly AnswerHeader[] = [
  {
    name: "x-embedding-space",
    when: "200",
    says: "Embedding space and size of the vectors, such as `text-embedding-3-small@1536`. `unverified:` before it: measured at a later route of the model only.",
  },
  {
    name: "x-embedgate-provider",
    when: "200",
    says: "The providers that were called for this request, by their names in the routing file.",
  },
  { name: "x-embedgate-cache", when: "200, with a cache", says: "`hit=31, miss=1`, or `bypass`." },
  {
    name: "x-embedgate-usage",
    when: "200",
    says: "`estimated`: the provider reported no token count, and no exact count is known.",
  },
  {
    name: "x-embedgate-truncated",
    when: "200",
    says: "Indices of inputs that were cut to the model's limit.",
  },
  {
    name: "x-embedgate-averaged",
    when: "200",
    says: "Indices of inputs that were embedded in pieces and averaged.",
  },
  {
    name: "x-embedgate-decoded",
    when: "200",
    says: "The vocabulary with which token ids were turned into text.",
  },
  {
    name: "x-embedgate-prompt",
    when: "200",
    says: "The model's prompt that was put before the texts, by its name. `; default` after it: the request named no task.",
  },
  { name: "x-embedgate-ignored", when: "200", says: "Fields of the request that had no effect." },
  {
    name: "x-embedgate-model-end-of-life",
    when: "200, from half a year before",
    says: "The day on which the provider may stop serving the model.",
  },
];

/** The same as OpenAI's. */
export const WITH_RATE_LIMIT: readonly AnswerHeader[] = ["requests", "tokens"].flatMap((what) => [
  {
    name: `x-ratelimit-limit-${what}`,
    when: "200 and 429, with a rate limit",
    says: `The workspace's limit of ${what} per minute.`,
    type: "integer" as const,
  },
  {
    name: `x-ratelimit-remaining-${what}`,
    when: "200 and 429, with a rate limit",
    says: `What is left of it, in ${what}.`,
    type: "integer" as const,
  },
  {
    name: `x-ratelimit-reset-${what}`,
    when: "200 and 429, with a rate limit",
    says: "Time until the limit is fully restored, such as `1m2s`.",
  },
]);

/** For limits that machines share. */
const LIMITS_STATE: AnswerHeader = {
  name: "x-embedgate-limits",
  when: "200 and 429, with a rate limit and `shared`",
  says: "`degraded`: the server that keeps all machines' limits does not answer, and this machine's share decided.",
};

export const RETRY_AFTER: AnswerHeader = {
  name: "retry-after",
  when: "429 and 503",
  says: "Seconds after which to try again.",
  type: "integer",
};

/** For some errors. */
export const WITH_ERRORS: readonly AnswerHeader[] = [
  RETRY_AFTER,
  { name: "allow", when: "405", says: "The method that the path answers." },
  { name: "www-authenticate", when: "401", says: "`Bearer`." },
];

export const ANSWER_HEADERS = [
  ...ALWAYS,
  ...WITH_EMBEDDINGS,
  ...WITH_RATE_LIMIT,
  LIMITS_STATE,
  ...WITH_ERRORS,
];
