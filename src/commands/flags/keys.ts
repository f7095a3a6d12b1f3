/** Flags of `keys create | list | rotate | revoke`. */
import type { Command } from "commander";
import { DEFAULT_WORKSPACE } from "../../callers/keys";
import { config, createDatabase, duration, examples, json, later } from "./line";

export function keyCommands(program: Command): void {
  const keys = examples(
    program.command("keys").description("create, list, rotate and revoke API keys"),
    "embedgate keys create --name laptop",
    "embedgate keys list",
  );
  examples(
    keys
      .command("create")
      .description("create an API key; its secret is shown once")
      .requiredOption("--name <name>", "what the key is for")
      .option("--workspace <workspace>", "the workspace that its usage belongs to", DEFAULT_WORKSPACE)
      .option("--create-workspace", "create the workspace if it does not exist")
      .option("--admin", "an admin key: it may also read /metrics and /admin")
      .addOption(createDatabase())
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../keys")).createKey)),
    "embedgate keys create --name production --workspace acme",
    "embedgate keys create --name prometheus --admin",
  );
  examples(
    keys
      .command("list")
      .description("list all keys")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../keys")).listKeys)),
    "embedgate keys list",
    "embedgate keys list --json",
  );
  examples(
    keys
      .command("rotate <id>")
      .description("replace a key's secret; the new one is shown once")
      .addOption(duration("--grace <duration>", "how long the old secret still works", "24h"))
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../keys")).rotateKey)),
    "embedgate keys rotate key_a1B2c3D4e5F6",
    "embedgate keys rotate key_a1B2c3D4e5F6 --grace 1h",
  );
  examples(
    keys
      .command("revoke <id>")
      .description("revoke a key at once")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../keys")).revokeKey)),
    "embedgate keys revoke key_a1B2c3D4e5F6",
    "embedgate keys revoke key_a1B2c3D4e5F6 --json",
  );
}
