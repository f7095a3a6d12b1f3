/**
 * `embedgate usage`: the ledger, summed. Costs are printed exactly, since they are whole pico-USD in the ledger.
 */
import { openLedger } from "../ledger";
import { realOutside } from "../outside";
import type { UsageGroup, UsageLine } from "../usage";
import { withStore } from "./configured";
import { table } from "./table";

interface UsageOptions {
  readonly config?: string;
  /** Milliseconds back from now. */
  readonly since: number;
  readonly by: UsageGroup;
  readonly json?: boolean;
  readonly csv?: boolean;
}

export function showUsage(options: UsageOptions): Promise<number> {
  return withStore(options.config, async (store) => {
    const lines = openLedger(store).usage(realOutside.now() - options.since, options.by);
    if (options.json) console.log(JSON.stringify(lines.map((line) => asRecord(line, options.by))));
    else if (options.csv) console.log(csv(lines, options.by));
    else console.log(forPeople(lines, options.by));
    return 0;
  });
}

function asRecord(line: UsageLine, by: UsageGroup): Record<string, string | number> {
  return {
    [by]: line.group,
    requests: Number(line.requests),
    failed: Number(line.failed),
    inputs: Number(line.inputs),
    tokens: Number(line.tokens),
    tokens_upstream: Number(line.tokens_upstream),
    tokens_billed: Number(line.tokens_billed),
    estimated: Number(line.estimated),
    // Text, because a program that reads it as a float would lose digits.
    cost_usd: usd(line.cost_pico_usd),
  };
}

function csv(lines: readonly UsageLine[], by: UsageGroup): string {
  const rows = lines.map((line) => Object.values(asRecord(line, by)).map(csvCell).join(","));
  return [
    `${by},requests,failed,inputs,tokens,tokens_upstream,tokens_billed,estimated,cost_usd`,
    ...rows,
  ].join("\n");
}

function forPeople(lines: readonly UsageLine[], by: UsageGroup): string {
  const rows = lines.map((line) => [
    line.group || "(none)",
    line.requests,
    line.failed,
    line.inputs,
    line.tokens,
    line.tokens_upstream,
    line.tokens_billed,
    line.estimated,
    usd(line.cost_pico_usd),
  ]);
  return table([
    [
      by.toUpperCase(),
      "REQUESTS",
      "FAILED",
      "INPUTS",
      "TOKENS",
      "UPSTREAM",
      "BILLED",
      "ESTIMATED",
      "COST USD",
    ],
    ...rows,
  ]);
}

/** Quoted as RFC 4180 has it; a cell that a spreadsheet would run as a formula is kept text by a leading quote. */
function csvCell(value: string | number): string {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Pico-USD as USD, every digit that counts and no more: 20,000 → 0.00000002. */
export function usd(picoUsd: bigint): string {
  const digits = picoUsd.toString().padStart(13, "0");
  const fraction = digits.slice(-12).replace(/0+$/, "");
  return digits.slice(0, -12) + (fraction === "" ? "" : `.${fraction}`);
}
