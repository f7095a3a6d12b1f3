/** Flags of `check`. */
import type { Command } from "commander";
import { config, examples, FILE_ARGUMENT, json, laterWithFile } from "./line";

export function checkCommand(program: Command): void {
  examples(
    program
      .command("check")
      .argument(...FILE_ARGUMENT)
      .description("list everything that is wrong with a routing file; exits 1 if anything is")
      .addOption(config())
      .option("--strict", "exit 1 for notes too, such as a provider whose variable is not set")
      .option("--online", "also send one short text to each provider, once for each model of the file")
      .addOption(json())
      .action(laterWithFile(async () => (await import("../check")).check)),
    "embedgate check gateway.yaml",
    "embedgate check gateway.yaml --strict --json",
    "embedgate check --online",
  );
}
