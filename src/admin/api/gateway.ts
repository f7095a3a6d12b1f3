/** /admin/v1/gateway: the gateway's version, start time, dialect, database size and retention. */
import { type Static, Type } from "@sinclair/typebox";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import { Count, iso, OrNull, Time } from "./values";

const GatewayShape = {
  name: "AdminGateway",
  schema: Type.Object(
    {
      version: Type.String(),
      bun: Type.String(),
      now: Time("The gateway's clock."),
      started_at: Time("Since when the process that answers runs."),
      is_open: Type.Boolean({
        description: "true: no key is needed, and only requests from this machine are answered.",
      }),
      dialect: Type.String({ description: "That callers speak who have none of their own." }),
      requests_in_flight: Count("In the process that answers."),
      database_bytes: Count("The size of the database's file, without its write-ahead log."),
      keep: Type.Object({
        requests_days: OrNull(Type.Integer({ description: "Null: for ever." })),
        minutes_days: Type.Integer(),
        hours_days: Type.Integer(),
      }),
    },
    {
      examples: [
        {
          version: "0.1.0",
          bun: "1.4.5",
          now: "2026-11-28T09:00:00.000Z",
          started_at: "2026-11-28T08:00:00.000Z",
          is_open: false,
          dialect: "openai",
          requests_in_flight: 3,
          database_bytes: 1_048_576,
          keep: { requests_days: 90, minutes_days: 30, hours_days: 400 },
        },
      ],
    },
  ),
} satisfies Named;

export const GATEWAY_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: "/gateway",
    operationId: "adminShowGateway",
    summary: "Which gateway this is, and what it keeps",
    query: {},
    request: NO_BODY,
    answer: GatewayShape,
    async work(_, { versions, outside, startedAt, isOpen, config, requestsInFlight, database }) {
      const [version, bun] = versions;
      const { server, keep } = config();
      return {
        version,
        bun,
        now: iso(outside.now()),
        started_at: iso(startedAt),
        is_open: isOpen(),
        dialect: server.dialect ?? "openai",
        requests_in_flight: requestsInFlight(),
        database_bytes: await database.size(),
        keep: {
          requests_days: keep.requestsDays ?? null,
          minutes_days: keep.minutesDays,
          hours_days: keep.hoursDays,
        },
      };
    },
  }),
];

export type AdminGateway = Static<typeof GatewayShape.schema>;

export const GATEWAY_SCHEMAS: readonly Named[] = [GatewayShape];
