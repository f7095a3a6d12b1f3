/**
 * /admin/v1/workspaces/{workspace}/invoices/{month}: a workspace's month, line by line; the same as `embedgate invoice`.
 */
import { type Static, Type } from "@sinclair/typebox";
import { creditsOf, decimal, usdOf } from "../../books/money";
import type { InvoiceLine } from "../../books/statements";
import { csv } from "../../terminal/csv";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import { Count, Credits, OrNull, Usd } from "./values";
import { existing } from "./workspaces";

const SUMS = {
  requests: Count("Answered ones."),
  tokens_billed: Count("Tokens that are charged for."),
  cost_usd: Usd("The cost of the requests."),
  micro_credits: Type.String({ description: "The charge in whole micro-credits, as text." }),
  credits: Credits("The same."),
};

const Line = Type.Object({
  day: OrNull(Type.String({ description: "UTC; null where lines are not by day." })),
  model: OrNull(Type.String({ description: "Null where lines are not by model." })),
  ...SUMS,
  usd_per_million_tokens: OrNull(
    Type.String({ description: "Null where the price changed within the line." }),
  ),
});

const InvoiceShape = {
  name: "AdminInvoice",
  schema: Type.Object(
    {
      workspace: Type.String(),
      month: Type.String(),
      lines: Type.Array(Line),
      total: Type.Object(SUMS),
    },
    {
      examples: [
        {
          workspace: "team",
          month: "2026-11",
          lines: [
            {
              day: null,
              model: "text-embedding-3-small",
              requests: 10,
              tokens_billed: 1_000_000,
              cost_usd: "0.02",
              micro_credits: "20000",
              credits: "0.02",
              usd_per_million_tokens: "0.02",
            },
          ],
          total: {
            requests: 10,
            tokens_billed: 1_000_000,
            cost_usd: "0.02",
            micro_credits: "20000",
            credits: "0.02",
          },
        },
      ],
    },
  ),
} satisfies Named;

const sums = (line: Omit<InvoiceLine, "day" | "model" | "price">) => ({
  requests: Number(line.requests),
  tokens_billed: Number(line.tokens_billed),
  cost_usd: usdOf(line.cost_pico_usd),
  micro_credits: line.micro_credits.toString(),
  credits: creditsOf(line.micro_credits),
});

const told = (line: InvoiceLine): Static<typeof Line> => ({
  day: line.day ?? null,
  model: line.model ?? null,
  ...sums(line),
  // A pico-USD per token is a micro-USD per million tokens.
  usd_per_million_tokens: line.price === null ? null : decimal(line.price, 6),
});

export const INVOICE_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: "/workspaces/{workspace}/invoices/{month}",
    operationId: "adminShowInvoice",
    summary: "A workspace's month (UTC), such as 2026-11",
    query: {
      by: Type.Optional(
        Type.Array(Type.Union([Type.Literal("day"), Type.Literal("model")]), {
          minItems: 1,
          maxItems: 2,
          uniqueItems: true,
          description: "Lines by day, by model, or both. Left out: by model.",
        }),
      ),
    },
    request: NO_BODY,
    answer: InvoiceShape,
    csv: ({ workspace, month, lines }) =>
      csv(
        ["workspace", "month", "day", "model", ...Object.keys(SUMS), "usd_per_million_tokens"],
        lines.map((line) => ({
          ...line,
          workspace,
          month,
          day: line.day ?? "",
          model: line.model ?? "",
          usd_per_million_tokens: line.usd_per_million_tokens ?? "",
        })),
      ),
    async work({ param, query }, parts) {
      const { by = ["model"] } = query;
      const { name } = await existing(param("workspace"), parts);
      const month = param("month");
      const { lines, total } = await parts.statements.invoice(name, month, by);
      return { workspace: name, month, lines: lines.map(told), total: sums(total) };
    },
  }),
];

export type AdminInvoice = Static<typeof InvoiceShape.schema>;

export const INVOICE_SCHEMAS: readonly Named[] = [InvoiceShape];
