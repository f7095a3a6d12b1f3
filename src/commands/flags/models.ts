/** Flags of `models`. */
import type { Command } from "commander";
import { config, examples, FILE_ARGUMENT, json, laterWithFile } from "./line";

export function modelsCommand(program: Command): void {
  examples(
    program
      .command("models")
      .argument(...FILE_ARGUMENT)
      .description("list models with a row for each route; with a gateway running, each route's state")
      .addOption(config())
      .option(
        "--url <url>",
        "address of the running gateway (default: the routing file's server.host and port)",
      )
      .option("--key <key>", "an admin key, to read states (default: EMBEDGATE_ADMIN_KEY in the environment)")
      .addOption(json())
      .action(laterWithFile(async () => (await import("../models")).listModels)),
    "embedgate models",
    "embedgate models gateway.yaml --json",
  );
}
