/** Flags of `invoice`. */
import { type Command, InvalidArgumentError } from "commander";
import { INVOICE_GROUPS } from "../../books/statements";
import { by, config, csv, examples, json, later } from "./line";

function parseMonth(text: string): string {
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(text))
    throw new InvalidArgumentError("Expected a month such as 2026-11.");
  return text;
}

export function invoiceCommand(program: Command): void {
  examples(
    program
      .command("invoice <workspace>")
      .description("what a workspace's month cost (UTC)")
      .option("--month <month>", "such as 2026-11 (default: this month)", parseMonth)
      .addOption(by("what to group by", INVOICE_GROUPS, ["day", "model"]))
      .addOption(json())
      .addOption(csv())
      .addOption(config())
      .action(later(async () => (await import("../invoice")).showInvoice)),
    "embedgate invoice acme",
    "embedgate invoice acme --month 2026-11 --by model --csv",
  );
}
