/** Flags of `audit`. */
import { type Command, Option } from "commander";
import { parseCount } from "../../terminal/amount";
import { config, csv, examples, json, later } from "./line";

export function auditCommands(program: Command): void {
  examples(
    program
      .command("audit")
      .description("list who changed keys, workspaces, credits and spaces, the latest first")
      .option("--target <name>", "only changes of this key, workspace or space")
      .addOption(new Option("--limit <count>", "so many").argParser(parseCount).default(50, "50"))
      .addOption(json())
      .addOption(csv())
      .addOption(config())
      .action(later(async () => (await import("../audit")).listAudit)),
    "embedgate audit",
    "embedgate audit --target acme --csv",
  );
}
