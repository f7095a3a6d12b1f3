/**
 * /admin/v1/workspaces/{workspace}/credits: what a workspace may still spend, every change of it, and grants; the same as `embedgate credits`.
 */
import { type Static, Type } from "@sinclair/typebox";
import { creditsOf } from "../../books/money";
import { csv } from "../../terminal/csv";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import { microCreditsIn } from "./amounts";
import type { AdminParts } from "./parts";
import { Count, Credits, closed, creditsOrNull, iso, OrNull, Time } from "./values";
import { existing } from "./workspaces";

const Line = Type.Object({
  at: Time("Of a grant, when it was made; of requests, when the first of them came."),
  kind: Type.Union([Type.Literal("grant"), Type.Literal("requests")], {
    description: "requests: all of a day together, or those of it before or after a grant.",
  }),
  note: Type.String(),
  requests: Count("The number of requests."),
  cost: Credits("The cost of the requests."),
  change: Credits("The change of the balance."),
  balance: Credits("After it."),
});

const Balance = {
  name: "AdminCredits",
  schema: Type.Object(
    {
      workspace: Type.String(),
      credits: OrNull(Credits("The balance; null: no limit.")),
      credits_held: Credits("The part of the balance that requests in flight hold."),
      history: Type.Array(Line, { description: "The oldest first." }),
    },
    {
      examples: [
        {
          workspace: "team",
          credits: "12.5",
          credits_held: "0",
          history: [
            {
              at: "2026-11-28T09:00:00.000Z",
              kind: "grant",
              note: "November",
              requests: 0,
              cost: "0",
              change: "12.5",
              balance: "12.5",
            },
          ],
        },
      ],
    },
  ),
} satisfies Named;

const Note = Type.Optional(Type.String({ maxLength: 500, description: "Stands in the history." }));

const Grant = {
  name: "AdminCreditGrant",
  schema: Type.Object(
    {
      amount: Type.String({
        maxLength: 40,
        description: 'Credits as text, such as "12.5"; below 0 takes them back, as far as they are free.',
      }),
      note: Note,
    },
    { ...closed, examples: [{ amount: "12.5", note: "November" }] },
  ),
} satisfies Named;

const NewBalance = {
  name: "AdminCreditBalance",
  schema: Type.Object(
    {
      balance: OrNull(
        Type.String({ maxLength: 40, description: "Credits as text; null: no limit from now on." }),
      ),
      note: Note,
    },
    { ...closed, examples: [{ balance: "100", note: "prepaid" }] },
  ),
} satisfies Named;

async function told(name: string, parts: AdminParts): Promise<Static<typeof Balance.schema>> {
  const { micro_credits, micro_credits_held } = await existing(name, parts);
  const history = await parts.statements.history(name);
  return {
    workspace: name,
    credits: creditsOrNull(micro_credits),
    credits_held: creditsOf(micro_credits_held),
    history: history.map((line) => ({
      at: iso(line.at),
      kind: line.kind,
      note: line.note,
      requests: Number(line.requests),
      cost: creditsOf(line.cost),
      change: creditsOf(line.change),
      balance: creditsOf(line.balance),
    })),
  };
}

const PATH = "/workspaces/{workspace}/credits";
const COLUMNS = ["at", "kind", "note", "requests", "cost", "change", "balance"] as const;

export const CREDIT_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: PATH,
    operationId: "adminShowCredits",
    summary: "What a workspace has left, and every change of it",
    query: {},
    request: NO_BODY,
    answer: Balance,
    csv: ({ history }) => csv(COLUMNS, history),
    work: ({ param }, parts) => told(param("workspace"), parts),
  }),
  adminPath({
    method: "POST",
    path: PATH,
    operationId: "adminGrantCredits",
    summary: "Grant credits to a workspace that has a limit, or take them back",
    query: {},
    request: Grant,
    answer: Balance,
    async work({ param, body: { amount, note = "" }, operator }, parts) {
      const { name } = await existing(param("workspace"), parts);
      await parts.workspaces.grant(name, microCreditsIn("amount", amount, true), note, operator.actor);
      return told(name, parts);
    },
  }),
  adminPath({
    method: "PUT",
    path: PATH,
    operationId: "adminSetCredits",
    summary: "Set a workspace's balance, or remove its limit",
    query: {},
    request: NewBalance,
    answer: Balance,
    async work({ param, body: { balance, note = "" }, operator }, parts) {
      const { name } = await existing(param("workspace"), parts);
      const amount = balance === null ? null : microCreditsIn("balance", balance);
      await parts.workspaces.setCredits(name, amount, note, operator.actor);
      return told(name, parts);
    },
  }),
];

export type AdminCredits = Static<typeof Balance.schema>;

export const CREDIT_SCHEMAS: readonly Named[] = [Balance, Grant, NewBalance];
