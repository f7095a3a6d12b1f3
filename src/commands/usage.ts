/**
 * `embedgate usage`: sums of the ledger. Costs are printed exactly, since the ledger has whole pico-USD and micro-credits.
 * A new column is a line at the end of SUMS, so that scripts that read columns by position keep working.
 */
import { OWN_WORKSPACE } from "../books/ledger";
import { creditsOf, usdOf } from "../books/money";
import type { UsageGroup, UsageLine } from "../books/usage";
import { realOutside } from "../network/real-outside";
import { csv } from "../terminal/csv";
import { inUnits } from "../terminal/duration";
import { screen } from "../terminal/screen";
import { table } from "../terminal/table";
import { json } from "./json";
import { withStore } from "./with-store";

interface UsageOptions {
  readonly config?: string;
  /** How many milliseconds before now. */
  readonly since: number;
  readonly by: readonly UsageGroup[];
  readonly workspace?: string;
  readonly metadata?: ReadonlyMap<string, string>;
  readonly json?: boolean;
  readonly csv?: boolean;
}

export function showUsage(options: UsageOptions): Promise<number> {
  return withStore(options, async (stores, { workspaceDefaults }) => {
    const { since, by, workspace, metadata } = options;
    // A misspelt workspace has no usage, which would look like a valid answer.
    if (workspace !== undefined && workspace !== OWN_WORKSPACE)
      await stores.openWorkspaces(() => workspaceDefaults).show(workspace);
    const ledger = stores.openLedger();
    const lines = await ledger.usage(realOutside.now() - since, by, { workspace, metadata });
    const records = lines.map((line) => asRecord(line, by));
    const columns = [...by, ...SUMS.map(({ name }) => name)];
    if (options.json) console.log(json(records));
    else if (options.csv) console.log(csv(columns, records));
    else {
      console.log(`the last ${inUnits(since)}\n`);
      console.log(forPeople(lines, by));
      const [probes] = await ledger.usage(realOutside.now() - since, "workspace", {
        workspace: OWN_WORKSPACE,
      });
      if (workspace === undefined && metadata === undefined && probes)
        console.error(
          `\nUPSTREAM has ${probes.tokens_upstream} tokens of the gateway's own probes (workspace ${OWN_WORKSPACE}).`,
        );
    }
    return 0;
  });
}

interface Sum {
  readonly name: string;
  readonly heading: string;
  /** A bigint for a count; text for an amount, because a program that reads it as a float would lose digits. */
  readonly of: (line: UsageLine) => bigint | string;
}

const SUMS: readonly Sum[] = [
  { name: "requests", heading: "REQUESTS", of: ({ requests }) => requests },
  { name: "failed", heading: "FAILED", of: ({ failed }) => failed },
  { name: "inputs", heading: "INPUTS", of: ({ inputs }) => inputs },
  { name: "tokens", heading: "TOKENS", of: ({ tokens }) => tokens },
  { name: "tokens_upstream", heading: "UPSTREAM", of: ({ tokens_upstream }) => tokens_upstream },
  { name: "tokens_billed", heading: "BILLED", of: ({ tokens_billed }) => tokens_billed },
  { name: "estimated", heading: "ESTIMATED", of: ({ estimated }) => estimated },
  { name: "cost_usd", heading: "COST USD", of: ({ cost_pico_usd }) => usdOf(cost_pico_usd) },
  { name: "cache_hits", heading: "CACHE HITS", of: ({ cache_hits }) => cache_hits },
  { name: "credits", heading: "CREDITS", of: ({ micro_credits }) => creditsOf(micro_credits) },
  {
    name: "upstream_usd",
    heading: "UPSTREAM USD",
    of: ({ upstream_pico_usd }) => usdOf(upstream_pico_usd),
  },
];

function asRecord(line: UsageLine, by: readonly UsageGroup[]): Record<string, string | number> {
  const groups = by.map((group, i) => [group, line.groups[i] ?? ""] as const);
  const sums = SUMS.map(({ name, of }) => {
    const sum = of(line);
    return [name, typeof sum === "bigint" ? Number(sum) : sum] as const;
  });
  return Object.fromEntries([...groups, ...sums]);
}

function forPeople(lines: readonly UsageLine[], by: readonly UsageGroup[]): string {
  const headings = [...by.map((group) => group.toUpperCase()), ...SUMS.map(({ heading }) => heading)];
  const rows = lines.map((line) => [
    ...line.groups.map((name) => name || "(none)"),
    ...SUMS.map(({ of }) => of(line)),
  ]);
  return table([headings, ...rows], screen());
}
