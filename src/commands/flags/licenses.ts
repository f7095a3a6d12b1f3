/** Flags of `licenses`. */
import type { Command } from "commander";
import { examples, json, later } from "./line";

export function licensesCommand(program: Command): void {
  examples(
    program
      .command("licenses")
      .description(
        "print the licences of embedgate, of all that is inside it, of Bun and of the model inside",
      )
      .option("--list", "names, versions and licences only, without their texts")
      .addOption(json())
      .action(later(async () => (await import("../licenses")).licenses)),
    "embedgate licenses --list",
    "embedgate licenses > LICENSES.txt",
  );
}
