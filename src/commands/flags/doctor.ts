/** Flags of `doctor`. */
import type { Command } from "commander";
import { config, examples, FILE_ARGUMENT, json, laterWithFile } from "./line";

export function doctorCommand(program: Command): void {
  examples(
    program
      .command("doctor")
      .argument(...FILE_ARGUMENT)
      .description(
        "check routing file, keys, providers, embedding spaces, clock, disk and port, and say what mends each; exits 1 if anything is wrong",
      )
      .addOption(config())
      .option(
        "--no-calls",
        "send nothing: by default each provider gets one short text, which costs a few tokens",
      )
      .addOption(json())
      .action(laterWithFile(async () => (await import("../doctor")).doctor)),
    "embedgate doctor",
    "embedgate doctor /etc/embedgate/gateway.yaml --no-calls --json",
  );
}
