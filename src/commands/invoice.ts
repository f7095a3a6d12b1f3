/**
 * `embedgate invoice`: a workspace's month, line by line; the sums equal the ledger's to the last micro-credit.
 */
import { creditsOf, decimal, usdOf } from "../books/money";
import type { InvoiceGroup, InvoiceLine } from "../books/statements";
import { realOutside } from "../network/real-outside";
import { csv } from "../terminal/csv";
import { screen } from "../terminal/screen";
import { table } from "../terminal/table";
import { json } from "./json";
import { withStore } from "./with-store";

interface InvoiceOptions {
  readonly config?: string;
  /** Left out: the current month. */
  readonly month?: string;
  readonly by: readonly InvoiceGroup[];
  readonly json?: boolean;
  readonly csv?: boolean;
}

export function showInvoice(name: string, options: InvoiceOptions): Promise<number> {
  return withStore(options, async (stores, { workspaceDefaults }) => {
    await stores.openWorkspaces(() => workspaceDefaults).show(name);
    const { month = new Date(realOutside.now()).toISOString().slice(0, 7), by } = options;
    const { lines, total } = await stores.openStatements().invoice(name, month, by);
    const records = lines.map((line) => ({ workspace: name, month, ...groupsOf(line, by), ...sumsOf(line) }));
    if (options.json) {
      const { usd_per_million_tokens: _, ...sums } = sumsOf({ ...total, price: null });
      console.log(json({ workspace: name, month, lines: records, total: sums }));
    } else if (options.csv) console.log(csv(["workspace", "month", ...by, ...SUM_COLUMNS], records));
    else {
      console.log(`${name}, ${month} (UTC)\n`);
      console.log(forPeople(lines, total, by));
    }
    return 0;
  });
}

type Sums = Pick<InvoiceLine, "requests" | "tokens_billed" | "price" | "cost_pico_usd" | "micro_credits">;

const SUM_COLUMNS = [
  "requests",
  "tokens_billed",
  "usd_per_million_tokens",
  "cost_usd",
  "micro_credits",
  "credits",
] as const;

/** Counts of a month are far below 2⁵³; amounts are text, because a program that reads them as floats would lose digits. */
function sumsOf(line: Sums): Readonly<Record<(typeof SUM_COLUMNS)[number], string | number>> {
  return {
    requests: Number(line.requests),
    tokens_billed: Number(line.tokens_billed),
    // A pico-USD per token is a micro-USD per million tokens.
    usd_per_million_tokens: line.price === null ? "" : decimal(line.price, 6),
    cost_usd: usdOf(line.cost_pico_usd),
    micro_credits: line.micro_credits.toString(),
    credits: creditsOf(line.micro_credits),
  };
}

const groupsOf = (line: InvoiceLine, by: readonly InvoiceGroup[]) =>
  Object.fromEntries(by.map((group) => [group, line[group] ?? ""]));

function forPeople(
  lines: readonly InvoiceLine[],
  total: Omit<Sums, "price">,
  by: readonly InvoiceGroup[],
): string {
  const cells = (line: Sums) => [
    line.requests,
    line.tokens_billed,
    { right: line.price === null ? "" : decimal(line.price, 6) },
    { right: usdOf(line.cost_pico_usd) },
    { right: creditsOf(line.micro_credits) },
  ];
  const headings = ["REQUESTS", "TOKENS", "USD A MILLION", "USD", "CREDITS"].map((right) => ({ right }));
  return table(
    [
      [...by.map((group) => group.toUpperCase()), ...headings],
      ...lines.map((line) => [...by.map((group) => line[group] ?? ""), ...cells(line)]),
      [...by.map((_, i) => (i === 0 ? "TOTAL" : "")), ...cells({ ...total, price: null })],
    ],
    screen(),
  );
}
