/**
 * /admin/v1/audit: who changed what and when, with the values before and after. It holds no secrets.
 */
import { Type } from "@sinclair/typebox";
import { csv } from "../../terminal/csv";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import { closed, iso, OrNull, Time } from "./values";

const State = OrNull(Type.Record(Type.String(), Type.Unknown()));

const Entries = {
  name: "AdminAudit",
  schema: Type.Object(
    {
      entries: Type.Array(
        Type.Object({
          id: Type.Integer(),
          at: Time("When."),
          actor: Type.String({ description: "A key's id, 'open mode', 'command line' or 'routing file'." }),
          action: Type.String({ description: "Such as keys.create, keys.revoke, credits.grant." }),
          target: Type.String({ description: "A key's id, or a workspace's or a space's name." }),
          before: State,
          after: State,
        }),
        { description: "The latest first." },
      ),
      next: OrNull(Type.Integer({ description: "`before` for the next page; null: this is the last." })),
    },
    {
      ...closed,
      examples: [
        {
          entries: [
            {
              id: 7,
              at: "2026-11-28T09:00:00.000Z",
              actor: "key_Xb3kQ9",
              action: "workspaces.set",
              target: "team",
              before: { cap_usd_per_month: null },
              after: { cap_usd_per_month: 50 },
            },
          ],
          next: null,
        },
      ],
    },
  ),
} satisfies Named;

export const AUDIT_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: "/audit",
    operationId: "adminListAudit",
    summary: "Who changed what",
    query: {
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
      before: Type.Optional(Type.Integer({ minimum: 1, description: "`next` of the page before." })),
      target: Type.Optional(Type.String({ maxLength: 200, description: "Only changes of it." })),
    },
    request: NO_BODY,
    answer: Entries,
    csv: ({ entries }) =>
      csv(
        ["id", "at", "actor", "action", "target", "before", "after"],
        entries.map((entry) => ({
          ...entry,
          before: entry.before === null ? "" : JSON.stringify(entry.before),
          after: entry.after === null ? "" : JSON.stringify(entry.after),
        })),
      ),
    async work({ query: { limit = 50, before, target } }, { audit }) {
      const found = await audit.list({ most: limit + 1, before, target });
      const entries = found.slice(0, limit).map(({ at, ...entry }) => ({ ...entry, at: iso(at) }));
      return { entries, next: found.length > limit ? (entries.at(-1)?.id ?? null) : null };
    },
  }),
];

export const AUDIT_SCHEMAS: readonly Named[] = [Entries];
