/**
 * /admin/v1/requests: single requests of the ledger, page by page, and one in full detail. They contain no texts, because the ledger has none.
 */
import { type Static, Type } from "@sinclair/typebox";
import { creditsOf, usdOf } from "../../books/money";
import type { RecordedRequest } from "../../books/requests";
import { CAUSES } from "../../domain/causes";
import { GatewayError, isErrorKind } from "../../domain/errors";
import { csv } from "../../terminal/csv";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import { metadataIn } from "./metadata";
import { Count, Credits, iso, momentOf, OrNull, Time, Usd, When } from "./values";

const Request = Type.Object({
  request: Type.String({ description: "Its id, as x-request-id told it." }),
  time: Time("When it came."),
  workspace: Type.String(),
  key: OrNull(Type.String({ description: "The key's id; null in open mode, and of a token." })),
  model: Type.String(),
  provider: OrNull(
    Type.String({
      description:
        "The provider that answered, several separated by commas; otherwise the one that failed last.",
    }),
  ),
  state: Type.Union(
    [
      Type.Literal("answered"),
      Type.Literal("failed"),
      Type.Literal("under_way"),
      Type.Literal("interrupted"),
    ],
    { description: "interrupted: the gateway ended, or was killed, meanwhile." },
  ),
  status: Type.Integer({ description: "0 while it is in flight, and if it was interrupted." }),
  code: OrNull(Type.String({ description: "The error's code." })),
  kind: OrNull(Type.String({ description: "The kind of error, which is more specific than its code." })),
  upstream_status: OrNull(Type.Integer({ description: "The provider's status, if it failed." })),
  latency_ms: Count("From its arrival to its answer."),
  inputs: Count("Texts or arrays of token ids."),
  cache_hits: Count("Inputs answered without a call to a provider."),
  tokens: Count("Tokens in the answer's usage."),
  tokens_upstream: Count("Tokens that providers counted."),
  tokens_billed: Count("Tokens that are charged for."),
  tokens_source: OrNull(
    Type.String({ description: "The source of `tokens`: provider, header, counted or estimated." }),
  ),
  cost_usd: Usd("The cost of the request."),
  credits: Credits("The credits charged."),
  upstream_usd: Usd("The amount owed to providers."),
  refused_alike: OrNull(
    Type.Integer({ description: "How many equal refusals of the minute this row stands for." }),
  ),
});
type Request = Static<typeof Request>;

const REQUEST: Request = {
  request: "req_01jdq3w8e0",
  time: "2026-11-28T09:00:00.000Z",
  workspace: "team",
  key: "key_Xb3kQ9",
  model: "text-embedding-3-small",
  provider: "openai",
  state: "answered",
  status: 200,
  code: null,
  kind: null,
  upstream_status: null,
  latency_ms: 84,
  inputs: 1,
  cache_hits: 0,
  tokens: 8,
  tokens_upstream: 8,
  tokens_billed: 8,
  tokens_source: "provider",
  cost_usd: "0.00000016",
  credits: "0",
  upstream_usd: "0.00000016",
  refused_alike: null,
};

const Page = {
  name: "AdminRequests",
  schema: Type.Object(
    {
      requests: Type.Array(Request, { description: "The latest first." }),
      next: OrNull(
        Type.String({
          description:
            "`cursor` for the next page; null: this is the last. A page may be short or empty and still have a next one, as only a limited number of rows is searched for each page.",
        }),
      ),
      looked_back_to: OrNull(Time("Down to which time all that fits is in the pages so far.")),
    },
    { examples: [{ requests: [REQUEST], next: null, looked_back_to: null }] },
  ),
} satisfies Named;

const Call = Type.Object({
  provider: Type.String(),
  model: Type.String({ description: "Its name at the provider." }),
  inputs: Count("Inputs of the call."),
  outcome: Type.String({ description: "ok, or the kind of error." }),
  began_ms: Count("After the request's arrival."),
  latency_ms: Count("Until its answer was checked, or it failed."),
  tokens: OrNull(Count("Tokens counted for the call; null if none were.")),
  tokens_source: OrNull(Type.String({ description: "provider, header, counted or estimated." })),
});

const Share = Type.Object({
  provider: Type.String(),
  tokens: Type.Integer({ description: "Tokens that the provider counted for the request." }),
  usd: Usd("The amount owed to the provider for them."),
});

const Detail = Type.Composite([
  Request,
  Type.Object({
    cause: OrNull(Type.String({ description: "The cause of an error, and what to look at." })),
    tokens_abandoned: Count(
      "The part of tokens_upstream that estimates calls that were sent and then abandoned.",
    ),
    tokens_cached: Count("The part of `tokens` for inputs that no provider was asked for."),
    saved_usd: Usd("The provider's price for these."),
    credits_short: Credits("The part of the charge that its hold did not cover, and that was never taken."),
    user: OrNull(Type.String({ description: "The request's `user`." })),
    metadata: OrNull(Type.Unknown({ description: "The request's `metadata`." })),
    by_provider: Type.Array(Share),
    calls: Type.Array(Call, {
      description:
        "In the order in which they ended: retries, halves and routes of a fallback are calls of their own. At most 50.",
    }),
    calls_made: Count("All of them."),
  }),
]);

const OneRequest = {
  name: "AdminRequest",
  schema: Type.Object(
    { request: Detail },
    {
      examples: [
        {
          request: {
            ...REQUEST,
            cause: null,
            tokens_abandoned: 0,
            tokens_cached: 0,
            saved_usd: "0",
            credits_short: "0",
            user: null,
            metadata: { team: "search" },
            by_provider: [{ provider: "openai", tokens: 8, usd: "0.00000016" }],
            calls: [
              {
                provider: "openai",
                model: "text-embedding-3-small",
                inputs: 1,
                outcome: "ok",
                began_ms: 1,
                latency_ms: 82,
                tokens: 8,
                tokens_source: "provider",
              },
            ],
            calls_made: 1,
          },
        },
      ],
    },
  ),
} satisfies Named;

function stateOf({ status, error }: RecordedRequest): Request["state"] {
  if (status === 200n) return "answered";
  if (status !== 0n) return "failed";
  return error === null ? "under_way" : "interrupted";
}

const told = (row: RecordedRequest): Request => ({
  request: row.request_id,
  time: iso(row.started_at),
  workspace: row.workspace,
  key: row.key_id,
  model: row.model,
  provider: row.provider,
  state: stateOf(row),
  status: Number(row.status),
  code: row.error,
  kind: row.kind,
  upstream_status: row.upstream_status === null ? null : Number(row.upstream_status),
  latency_ms: Number(row.latency_ms),
  inputs: Number(row.inputs),
  cache_hits: Number(row.cache_hits),
  tokens: Number(row.tokens),
  tokens_upstream: Number(row.tokens_upstream),
  tokens_billed: Number(row.tokens_billed),
  tokens_source: row.tokens_source,
  cost_usd: usdOf(row.cost_pico_usd),
  credits: creditsOf(row.micro_credits),
  upstream_usd: usdOf(row.upstream_pico_usd),
  refused_alike: row.refusals === null ? null : Number(row.refusals),
});

export const REQUEST_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: "/requests",
    operationId: "adminListRequests",
    summary: "Single requests, the latest first, page by page",
    query: {
      since: When("Left out: from the first."),
      until: When("Left out: to the last."),
      workspace: Type.Optional(Type.String({ maxLength: 200 })),
      not_workspace: Type.Optional(
        Type.String({
          maxLength: 200,
          description:
            "A workspace whose requests are left out, such as embedgate, which has the gateway's own.",
        }),
      ),
      key_id: Type.Optional(Type.String({ maxLength: 200, description: "A key's id." })),
      model: Type.Optional(Type.String({ maxLength: 500 })),
      provider: Type.Optional(Type.String({ maxLength: 200 })),
      status: Type.Optional(
        Type.String({
          pattern: "^([0-9]{1,3}|[1-5]xx|failed)$",
          description: "Such as 429, 5xx, or failed for all but 200.",
          expected: "a status such as 429, 5xx or failed",
        }),
      ),
      code: Type.Optional(Type.String({ maxLength: 200, description: "An error's code." })),
      kind: Type.Optional(Type.String({ maxLength: 200, description: "An error's kind." })),
      metadata: Type.Optional(
        Type.Array(Type.String({ maxLength: 500 }), {
          maxItems: 8,
          description: "Only requests whose metadata has KEY=VALUE; if repeated, all of them.",
        }),
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
      cursor: Type.Optional(Type.String({ maxLength: 500, description: "`next` of the page before." })),
    },
    request: NO_BODY,
    answer: Page,
    csv: ({ requests }) =>
      csv(
        Object.keys(Request.properties),
        requests.map((row) =>
          Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? ""])),
        ),
      ),
    async work({ query }, { requests, outside }) {
      const { limit = 50, status, since, until, cursor, metadata, ...filter } = query;
      const now = outside.now();
      const page = await requests.page({
        ...filter,
        metadata: metadataIn(metadata),
        statuses: status === undefined ? undefined : statusesIn(status),
        since: since === undefined ? undefined : momentOf("since", since, now),
        until: until === undefined ? undefined : momentOf("until", until, now),
        cursor,
        most: limit,
      });
      return {
        requests: page.rows.map(told),
        next: page.next ?? null,
        looked_back_to: page.lookedBackTo === undefined ? null : iso(page.lookedBackTo),
      };
    },
  }),
  adminPath({
    method: "GET",
    path: "/requests/{request}",
    operationId: "adminShowRequest",
    summary: "One request's whole story",
    query: {},
    request: NO_BODY,
    answer: OneRequest,
    async work({ param }, { requests }) {
      const story = await requests.story(param("request"));
      if (story === undefined)
        throw new GatewayError(
          "unknown_resource",
          `The ledger has no request '${param("request").slice(0, 100)}'. Requests without a valid key have no row, and of those refused alike within a minute only the last has one.`,
          { field: "request" },
        );
      const { row, calls, callsMade, shares } = story;
      const said: unknown = row.metadata === null ? null : JSON.parse(row.metadata);
      return {
        request: {
          ...told(row),
          cause: row.kind !== null && isErrorKind(row.kind) ? CAUSES[row.kind] : null,
          tokens_abandoned: Number(row.tokens_abandoned),
          tokens_cached: Number(row.tokens_cached),
          saved_usd: usdOf(row.saved_pico_usd),
          credits_short: creditsOf(row.micro_credits_short),
          user: row.user,
          metadata: said,
          by_provider: shares.map(({ provider, tokens, picoUsd }) => ({
            provider,
            tokens,
            usd: usdOf(picoUsd),
          })),
          calls: calls.map((call) => ({ ...call })),
          calls_made: callsMade,
        },
      };
    },
  }),
];

function statusesIn(text: string): { readonly from: number; readonly to: number; readonly isNot?: true } {
  if (text === "failed") return { from: 200, to: 200, isNot: true };
  if (!text.endsWith("xx")) return { from: Number(text), to: Number(text) };
  const from = Number(text[0]) * 100;
  return { from, to: from + 99 };
}

export type AdminRequests = Static<typeof Page.schema>;
export type AdminRequest = Static<typeof OneRequest.schema>;

export const REQUEST_SCHEMAS: readonly Named[] = [Page, OneRequest];
