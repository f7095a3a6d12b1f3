/** Flags of `health`. */
import type { Command } from "commander";
import { config, examples, FILE_ARGUMENT, json, laterWithFile } from "./line";

export function healthCommand(program: Command): void {
  examples(
    program
      .command("health")
      .argument(...FILE_ARGUMENT)
      .description(
        "ask a running gateway whether it is well: exit 0 if it is, 1 if not, 4 if nothing answers",
      )
      .option(
        "--ready",
        "whether it can serve requests too: its database answers, and it is not shutting down",
      )
      .option("--url <url>", "address of the gateway (default: the routing file's server.host and port)")
      .addOption(config())
      .addOption(json())
      .action(laterWithFile(async () => (await import("../health")).health)),
    "embedgate health --ready",
    "embedgate health --url http://127.0.0.1:8080 --json",
  );
}
