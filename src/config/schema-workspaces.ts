/**
 * The routing file's `workspace_defaults`: the rights of a workspace. The workspace commands set the same for a single one.
 * A new key is a line here with its description.
 */
import { type Static, Type } from "@sinclair/typebox";
import { PolicyOverrides } from "../domain/policies";
import { closed, DialectName } from "./schema-values";

export const WorkspaceSection = Type.Object(
  {
    models: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description: "Models a workspace may use; * matches any text.",
      }),
    ),
    requests_per_minute: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000_000,
        description: "Rate limit: requests per minute of a workspace.",
      }),
    ),
    tokens_per_minute: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000_000_000,
        description: "Rate limit: tokens per minute of a workspace.",
      }),
    ),
    cap_usd_per_day: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1_000_000_000,
        description: "Spending cap: USD per day of a workspace.",
      }),
    ),
    cap_usd_per_month: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1_000_000_000,
        description: "Spending cap: USD per month of a workspace.",
      }),
    ),
    cap_time_zone: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        description:
          "Time zone in which the days and months of spending caps begin and end, such as Europe/Berlin. Default: UTC.",
      }),
    ),
    credits: Type.Optional(
      Type.Union([Type.Number({ minimum: 0, maximum: 1e12 }), Type.Literal("unlimited")], {
        description: "Credits a new workspace starts with.",
      }),
    ),
    dialect: Type.Optional(DialectName),
    policies: Type.Optional(PolicyOverrides),
  },
  {
    ...closed,
    description: "Default settings of workspaces. A workspace's own settings are in the database.",
  },
);

export type WorkspaceSection = Static<typeof WorkspaceSection>;
