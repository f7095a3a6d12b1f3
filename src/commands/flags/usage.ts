/** Flags of `usage`. */
import type { Command } from "commander";
import { USAGE_GROUPS } from "../../books/usage";
import { parsePair } from "../../terminal/amount";
import { by, config, csv, duration, examples, json, later } from "./line";

export function usageCommand(program: Command): void {
  examples(
    program
      .command("usage")
      .description("sum up the ledger: requests, tokens and cost")
      .addOption(duration("--since <duration>", "how far back to look", "7d"))
      .addOption(by("what to group by", USAGE_GROUPS, ["model"]))
      .option("--workspace <workspace>", "only of this workspace")
      .option("--metadata <key=value>", "only requests with this metadata; repeat it for several", parsePair)
      .addOption(json())
      .addOption(csv())
      .addOption(config())
      .action(later(async () => (await import("../usage")).showUsage)),
    "embedgate usage",
    "embedgate usage --since 24h --by workspace,model --csv",
  );
}
