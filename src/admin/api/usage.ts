/**
 * /admin/v1/usage: sums of the ledger by one group or several; the same as `embedgate usage`. Times are whole hours (UTC), because it reads
 * the hourly sums.
 */
import { type Static, Type } from "@sinclair/typebox";
import { creditsOf, usdOf } from "../../books/money";
import { USAGE_GROUPS, type UsageLine } from "../../books/usage";
import { csv } from "../../terminal/csv";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import { metadataIn } from "./metadata";
import { SUMS } from "./sums";
import { iso, momentOf, Time, When } from "./values";

const Line = Type.Object({
  groups: Type.Record(Type.String(), Type.String(), {
    description: "The group's values, by the names in `by`.",
  }),
  ...SUMS,
});

const UsageSums = {
  name: "AdminUsage",
  schema: Type.Object(
    { since: Time("Start, inclusive."), until: Time("End, exclusive."), lines: Type.Array(Line) },
    {
      examples: [
        {
          since: "2026-11-27T10:00:00.000Z",
          until: "2026-11-28T11:00:00.000Z",
          lines: [
            {
              groups: { model: "text-embedding-3-small" },
              requests: 10,
              failed: 1,
              inputs: 12,
              cache_hits: 3,
              tokens: 1_000,
              tokens_upstream: 800,
              tokens_billed: 800,
              estimated: 0,
              cost_usd: "0.000016",
              credits: "0.000016",
              upstream_usd: "0.000016",
            },
          ],
        },
      ],
    },
  ),
} satisfies Named;

export const USAGE_BY = Type.Array(Type.Union(USAGE_GROUPS.map((group) => Type.Literal(group))), {
  minItems: 1,
  maxItems: 4,
  uniqueItems: true,
  description: "The groups: one line for each combination. Left out: by model.",
});

const told = (line: UsageLine, by: readonly string[]): Static<typeof Line> => ({
  groups: Object.fromEntries(by.map((group, i) => [group, line.groups[i] ?? ""])),
  requests: Number(line.requests),
  failed: Number(line.failed),
  inputs: Number(line.inputs),
  cache_hits: Number(line.cache_hits),
  tokens: Number(line.tokens),
  tokens_upstream: Number(line.tokens_upstream),
  tokens_billed: Number(line.tokens_billed),
  estimated: Number(line.estimated),
  cost_usd: usdOf(line.cost_pico_usd),
  credits: creditsOf(line.micro_credits),
  upstream_usd: usdOf(line.upstream_pico_usd),
});

export const USAGE_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: "/usage",
    operationId: "adminShowUsage",
    summary: "Sums of the ledger",
    query: {
      since: When("Rounded down to the hour. Left out: 24h."),
      until: When("Rounded up to the hour. Left out: now."),
      by: Type.Optional(USAGE_BY),
      workspace: Type.Optional(Type.String({ maxLength: 200 })),
      metadata: Type.Optional(
        Type.Array(Type.String({ maxLength: 500 }), {
          maxItems: 8,
          description: "Only requests whose metadata has KEY=VALUE; if repeated, all of them.",
        }),
      ),
    },
    request: NO_BODY,
    answer: UsageSums,
    csv: ({ lines }) =>
      csv(
        [...Object.keys(lines[0]?.groups ?? {}), ...Object.keys(SUMS)],
        lines.map(({ groups, ...sums }) => ({ ...groups, ...sums })),
      ),
    async work({ query }, { series, outside }) {
      const { by = ["model"], workspace } = query;
      const now = outside.now();
      const range = {
        since: momentOf("since", query.since ?? "24h", now),
        until: query.until === undefined ? now : momentOf("until", query.until, now),
      };
      const sums = await series.usage({ ...range, by, workspace, metadata: metadataIn(query.metadata) });
      return {
        since: iso(sums.since),
        until: iso(sums.until),
        lines: sums.lines.map((line) => told(line, by)),
      };
    },
  }),
];

export type AdminUsage = Static<typeof UsageSums.schema>;

export const USAGE_SCHEMAS: readonly Named[] = [UsageSums];
