/** Flags of `credits grant | show | history`. */
import type { Command } from "commander";
import { parseCredits } from "../../terminal/amount";
import { config, examples, json, later } from "./line";

export function creditsCommands(program: Command): void {
  const credits = examples(
    program.command("credits").description("grant and show credits"),
    "embedgate credits grant acme 50",
    "embedgate credits show acme",
  );
  examples(
    credits
      .command("grant")
      .argument("<workspace>")
      .argument("<amount>", "credits; a negative amount takes them back", parseCredits)
      .description("add credits to a balance, or take them back")
      .option("--note <text>", "the reason, such as an invoice number", "")
      .option("--limit", "make an unlimited workspace limited, starting with this balance")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../credits")).grantCredits)),
    "embedgate credits grant acme 50 --note 'invoice 17'",
    "embedgate credits grant acme 12.5 --limit",
  );
  examples(
    credits
      .command("show <workspace>")
      .description("show a balance")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../credits")).showCredits)),
    "embedgate credits show acme",
    "embedgate credits show acme --json",
  );
  examples(
    credits
      .command("history <workspace>")
      .description("list every grant, and what requests cost day by day")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../credits")).showHistory)),
    "embedgate credits history acme",
    "embedgate credits history acme --json",
  );
}
