/**
 * /admin/v1/series: requests, answers and cost over time, from the ledger's sums by minute, hour and day. The sums are written together
 * with the ledger's rows, so they agree. A new column of a series is a member of COLUMNS and of POINTS in books/series.ts.
 */
import { type Static, Type } from "@sinclair/typebox";
import { creditsOf, usdOf } from "../../books/money";
import { SERIES_GROUPS, type SeriesSums } from "../../books/series";
import { csv } from "../../terminal/csv";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import { SUMS } from "./sums";
import { Count, closed, iso, momentOf, OrNull, Time, Usd, When } from "./values";

const OrNothing = (description: string) => OrNull(Type.Number({ minimum: 0, description }));

/** The sums of a group over the whole time. */
const Sums = Type.Object({
  ...SUMS,
  tokens_cached: Count("Tokens of inputs that no provider was asked for."),
  saved_usd: Usd("The amount saved by the cache: the providers' price of tokens_cached."),
  p50_ms: OrNothing("Half of the requests took no longer. Null where there was none."),
  p99_ms: OrNothing("99 of a hundred took no longer."),
});

export const COLUMNS = [
  "requests",
  "failed",
  "inputs",
  "cache_hits",
  "tokens",
  "tokens_upstream",
  "tokens_billed",
  "tokens_cached",
  "estimated",
  "cost_usd",
  "credits",
  "upstream_usd",
  "saved_usd",
  "p50_ms",
  "p99_ms",
] as const satisfies readonly (keyof Static<typeof Sums>)[];

const Errors = Type.Array(
  Type.Object({
    kind: Type.String({ description: "The kind of error, which is more specific than its code." }),
    code: Type.String({ description: "The error's code." }),
    status: Type.Integer({ description: "0: interrupted by the gateway's end." }),
    requests: Count("Requests that ended in this way."),
  }),
  { description: "The most frequent first, at most 20." },
);

const Group = Type.Object({
  names: Type.Record(Type.String(), Type.String(), {
    description: "The group's values, by the names in `by`. Empty where there is one group of all.",
  }),
  is_rest: Type.Boolean({ description: "All groups beyond `top`, together." }),
  total: Sums,
  errors: Errors,
  points: Type.Record(Type.String(), Type.Array(OrNull(Type.Number())), {
    description:
      "By column, a number for each of `times`. Amounts are rounded to a double here; the exact sums are in `total`.",
  }),
});

const SeriesShape = {
  name: "AdminSeries",
  schema: Type.Object(
    {
      unit: Type.Union([Type.Literal("minute"), Type.Literal("hour"), Type.Literal("day")]),
      since: Time("Start, inclusive."),
      until: Time("End, exclusive."),
      times: Type.Array(Type.Integer(), {
        description: "The start of each minute, hour or day, in seconds since 1970. None is left out.",
      }),
      groups: Type.Array(Group, { description: "Groups with the most requests first." }),
      total: Sums,
    },
    {
      ...closed,
      examples: [
        {
          unit: "hour",
          since: "2026-11-28T09:00:00.000Z",
          until: "2026-11-28T10:00:00.000Z",
          times: [1_795_856_400],
          groups: [],
          total: {
            requests: 0,
            failed: 0,
            inputs: 0,
            cache_hits: 0,
            tokens: 0,
            tokens_upstream: 0,
            tokens_billed: 0,
            tokens_cached: 0,
            estimated: 0,
            cost_usd: "0",
            credits: "0",
            upstream_usd: "0",
            saved_usd: "0",
            p50_ms: null,
            p99_ms: null,
          },
        },
      ],
    },
  ),
} satisfies Named;

export const toldSums = (sums: SeriesSums): Static<typeof Sums> => ({
  requests: Number(sums.requests),
  failed: Number(sums.failed),
  inputs: Number(sums.inputs),
  cache_hits: Number(sums.cache_hits),
  tokens: Number(sums.tokens),
  tokens_upstream: Number(sums.tokens_upstream),
  tokens_billed: Number(sums.tokens_billed),
  tokens_cached: Number(sums.tokens_cached),
  estimated: Number(sums.estimated),
  cost_usd: usdOf(sums.cost_pico_usd),
  credits: creditsOf(sums.micro_credits),
  upstream_usd: usdOf(sums.upstream_pico_usd),
  saved_usd: usdOf(sums.saved_pico_usd),
  p50_ms: sums.p50_ms,
  p99_ms: sums.p99_ms,
});

type Column = (typeof COLUMNS)[number];
const USUAL: readonly Column[] = ["requests", "failed", "tokens", "cost_usd", "p50_ms", "p99_ms"];

/** A column of one point alone: there may be thousands of points, and most columns are not asked for. */
function pointOf(sums: SeriesSums, column: Column): number | null {
  if (column === "cost_usd") return Number(usdOf(sums.cost_pico_usd));
  if (column === "upstream_usd") return Number(usdOf(sums.upstream_pico_usd));
  if (column === "saved_usd") return Number(usdOf(sums.saved_pico_usd));
  if (column === "credits") return Number(creditsOf(sums.micro_credits));
  const value = sums[column];
  return value === null ? null : Number(value);
}

const pointsOf = (sums: readonly SeriesSums[], columns: readonly Column[]) =>
  Object.fromEntries(columns.map((column) => [column, sums.map((one) => pointOf(one, column))]));

export const SERIES_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: "/series",
    operationId: "adminShowSeries",
    summary: "What was asked, answered and paid over time",
    description:
      "At most 1,500 points: a day of minutes, two months of hours, four years of days. Minutes and hours are kept for as long as `keep` in the routing file says, days for ever.",
    query: {
      unit: Type.Optional(
        Type.Union([Type.Literal("minute"), Type.Literal("hour"), Type.Literal("day")], {
          default: "hour",
        }),
      ),
      since: When("Rounded down to the unit. Left out: 24h."),
      until: When("Rounded up to the unit. Left out: now."),
      by: Type.Optional(
        Type.Array(Type.Union(SERIES_GROUPS.map((group) => Type.Literal(group))), {
          minItems: 1,
          maxItems: 3,
          uniqueItems: true,
          description:
            "A group for each that goes together, such as model,provider for each route; metadata: for each value of `metadata_key`, alone. Left out: one group of all.",
        }),
      ),
      metadata_key: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 200,
          description: "With by=metadata: a key of requests' metadata, or a path (project.team).",
        }),
      ),
      workspace: Type.Optional(Type.String({ maxLength: 200 })),
      key_id: Type.Optional(Type.String({ maxLength: 200, description: "A key's id." })),
      model: Type.Optional(Type.String({ maxLength: 500 })),
      provider: Type.Optional(Type.String({ maxLength: 200 })),
      columns: Type.Optional(
        Type.Array(Type.Union(COLUMNS.map((column) => Type.Literal(column))), {
          minItems: 1,
          uniqueItems: true,
          description: `The sums in \`points\`. Left out: ${USUAL.join(",")}.`,
        }),
      ),
      top: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: 100,
          default: 20,
          description: "Groups; all others are one more.",
        }),
      ),
    },
    request: NO_BODY,
    answer: SeriesShape,
    csv: ({ times, groups }) =>
      csv(
        [
          "time",
          ...Object.keys(groups[0]?.names ?? {}),
          ...Object.keys(groups[0]?.points ?? { requests: [] }),
        ],
        groups.flatMap(({ names, points, is_rest }) =>
          times.map((time, i) => ({
            time: iso(time * 1_000),
            ...(is_rest
              ? Object.fromEntries(Object.keys(groups[0]?.names ?? {}).map((name) => [name, "(rest)"]))
              : names),
            ...Object.fromEntries(Object.entries(points).map(([column, all]) => [column, all[i] ?? ""])),
          })),
        ),
      ),
    async work({ query }, { series, outside }) {
      const {
        unit = "hour",
        since = "24h",
        until,
        by = [],
        columns = [...USUAL],
        top = 20,
        ...filter
      } = query;
      const now = outside.now();
      const found = await series.over({
        ...filter,
        unit,
        since: momentOf("since", since, now),
        until: until === undefined ? now : momentOf("until", until, now),
        by,
        top,
      });
      return {
        unit,
        since: iso(found.since),
        until: iso(found.until),
        times: found.times.map((time) => time / 1_000),
        groups: found.groups.map(({ names, isRest, total, errors, points }) => ({
          names: isRest ? {} : Object.fromEntries(by.map((group, i) => [group, names[i] ?? ""])),
          is_rest: isRest,
          total: toldSums(total),
          errors: errors.map((one) => ({ ...one })),
          points: pointsOf(points, columns),
        })),
        total: toldSums(found.total),
      };
    },
  }),
];

export type AdminSeries = Static<typeof SeriesShape.schema>;

export const SERIES_SCHEMAS: readonly Named[] = [SeriesShape];
