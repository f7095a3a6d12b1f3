/** Flags of `top`. */
import type { Command } from "commander";
import { config, duration, examples, FILE_ARGUMENT, json, laterWithFile } from "./line";

export function topCommand(program: Command): void {
  examples(
    program
      .command("top")
      .argument(...FILE_ARGUMENT)
      .description(
        "show what a running gateway does, in the terminal: rates, latencies, errors, costs, routes",
      )
      .addOption(duration("--since <duration>", "over how long", "15m"))
      .addOption(duration("--every <duration>", "time between updates", "2s"))
      .option("--once", "show it once, and end; also where standard output is no terminal")
      .addOption(json().implies({ once: true }))
      .option("--url <url>", "address of the gateway (default: the routing file's server.host and port)")
      .option("--key <key>", "an admin key (default: EMBEDGATE_ADMIN_KEY in the environment)")
      .addOption(config())
      .action(laterWithFile(async () => (await import("../top")).top)),
    "embedgate top",
    "embedgate top --once --json --since 1h",
  );
}
