/** Flags of `backup` and `restore`. */
import type { Command } from "commander";
import { config, examples, json, later } from "./line";

export function backupCommands(program: Command): void {
  examples(
    program
      .command("backup <file>")
      .description("copy the database to a file, and batches' files to FILE-files, while the gateway runs")
      .addOption(config())
      .addOption(json())
      .action(later(async () => (await import("../backup")).backup)),
    "embedgate backup embedgate-backup.db",
    "embedgate backup /backup/embedgate.db --config /etc/embedgate/gateway.yaml --json",
  );
  examples(
    program
      .command("restore <file>")
      .description("put a backup in place while no gateway runs; the old database and files are kept")
      .addOption(config())
      .addOption(json())
      .action(later(async () => (await import("../backup")).restore)),
    "embedgate restore embedgate-backup.db",
    "embedgate restore /backup/embedgate.db --config /etc/embedgate/gateway.yaml",
  );
}
