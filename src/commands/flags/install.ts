/** Flags of `install` and `uninstall`. */
import type { Command } from "commander";
import { examples, later } from "./line";

export function installCommands(program: Command): void {
  examples(
    program
      .command("install")
      .description(
        "install or upgrade this executable as a hardened systemd service with a user of its own; needs root",
      )
      .option("--dry-run", "print every step and file; change nothing")
      .action(later(async () => (await import("../install")).install)),
    "embedgate install --dry-run",
    "embedgate install",
  );
  examples(
    program
      .command("uninstall")
      .description("stop and remove the service that 'install' made; configuration and database stay")
      .option("--purge", "also delete configuration, database (with its ledger) and user")
      .option("--dry-run", "print every step; change nothing")
      .action(later(async () => (await import("../install")).uninstall)),
    "embedgate uninstall --dry-run",
    "embedgate uninstall --purge",
  );
}
