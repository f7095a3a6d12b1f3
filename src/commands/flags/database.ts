/** Flags of `database`: administration of the database itself. A further command is another block here. */
import type { Command } from "commander";
import { config, examples, json, later } from "./line";

export function databaseCommands(program: Command): void {
  const database = examples(
    program.command("database").description("prepare, fill and check the PostgreSQL database"),
    "embedgate database check",
    "embedgate database move sqlite:./data/embedgate.db",
  );
  examples(
    database
      .command("migrate")
      .description("create or update the tables, as a gateway that starts does")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../database")).migrateDatabase)),
    "embedgate database migrate",
    "embedgate database migrate --config gateway.yaml",
  );
  examples(
    database
      .command("move <from> [to]")
      .description(
        "copy a SQLite database into the routing file's PostgreSQL, or into another; run it again to continue",
      )
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../database")).moveDatabase)),
    "embedgate database move sqlite:./data/embedgate.db",
    "embedgate database move sqlite:./data/embedgate.db postgres://gateway@db.internal/gateway",
  );
  examples(
    database
      .command("check")
      .description("tables, gateways, connections, and whether credits and holds add up")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../database")).checkDatabase)),
    "embedgate database check",
    "embedgate database check --json",
  );
}
