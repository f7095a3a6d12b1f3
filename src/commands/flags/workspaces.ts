/** Flags of `workspaces …`. A new setting of a workspace is an option of `withSettings`. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { SETTINGS, type SettingName } from "../../callers/workspace-settings";
import { DIALECTS } from "../../dialects/records";
import { parseBalance, parseCount, parseList, parsePair, parseUsd } from "../../terminal/amount";
import { config, createDatabase, examples, json, later } from "./line";

/** The common options of `workspaces create` and `set`. */
function withSettings(command: Command): Command {
  return command
    .option("--models <ids>", "models it may use, separated by commas; * matches any text", parseList)
    .option("--requests-per-minute <count>", "rate limit: requests per minute", parseCount)
    .option("--tokens-per-minute <count>", "rate limit: tokens per minute", parseCount)
    .option("--cap-usd-per-day <usd>", "spending cap per day, in USD", parseUsd)
    .option("--cap-usd-per-month <usd>", "spending cap per month, in USD", parseUsd)
    .option(
      "--cap-time-zone <zone>",
      "time zone of these days and months, such as Europe/Berlin (default: UTC)",
    )
    .option("--credits <credits>", "its balance, or unlimited", parseBalance)
    .addOption(new Option("--dialect <dialect>", "the dialect of its API").choices(Object.keys(DIALECTS)))
    .option(
      "--policy <name=value>",
      "a policy of its dialect; repeat it for several. They replace all that were set",
      parsePair,
    )
    .addOption(json())
    .addOption(config());
}

/** Settings by their own names or by the names of their options. */
function parseSettingNames(text: string): SettingName[] {
  return parseList(text).map((word) => {
    const name = SETTINGS.find(
      (known) => known === word.replaceAll("-", "_") || (known === "policies" && word === "policy"),
    );
    if (name === undefined) throw new InvalidArgumentError(`Expected some of ${SETTINGS.join(", ")}.`);
    return name;
  });
}

export function workspaceCommands(program: Command): void {
  const workspaces = examples(
    program.command("workspaces").description("create, change and show workspaces"),
    "embedgate workspaces create acme --credits 50 --requests-per-minute 600",
    "embedgate workspaces show acme",
  );
  examples(
    withSettings(workspaces.command("create <name>"))
      .description("create a workspace; options you omit use workspace_defaults")
      .addOption(createDatabase())
      .action(later(async () => (await import("../workspaces")).createWorkspace)),
    "embedgate workspaces create acme",
    "embedgate workspaces create acme --models 'text-embedding-3-*' --credits 0 --cap-usd-per-day 25",
  );
  examples(
    withSettings(workspaces.command("set <name>"))
      .description("change settings of a workspace at once, also in a running gateway")
      .option(
        "--unset <settings>",
        "settings that use workspace_defaults again, separated by commas",
        parseSettingNames,
      )
      .action(later(async () => (await import("../workspaces")).setWorkspace)),
    "embedgate workspaces set acme --requests-per-minute 1200",
    "embedgate workspaces set acme --unset models,cap-usd-per-day",
  );
  examples(
    workspaces
      .command("list")
      .description("list all workspaces, with credits and spending")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../workspaces")).listWorkspaces)),
    "embedgate workspaces list",
    "embedgate workspaces list --json",
  );
  examples(
    workspaces
      .command("show <name>")
      .description("show a workspace, and where each of its settings comes from")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../workspaces")).showWorkspace)),
    "embedgate workspaces show acme",
    "embedgate workspaces show acme --json",
  );
  examples(
    workspaces
      .command("rename")
      .argument("<name>")
      .argument("<new-name>")
      .description("rename a workspace, with its keys, credits, usage and invoices")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../workspace-names")).renameWorkspace)),
    "embedgate workspaces rename acme acme-eu",
    "embedgate workspaces rename acme-typo acme-corp --json",
  );
  examples(
    workspaces
      .command("delete <name>")
      .description("delete a workspace: its keys are revoked, its credits end, its usage stays in the ledger")
      .option("--yes", "also when it has live keys or credits left")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../workspace-names")).deleteWorkspace)),
    "embedgate workspaces delete acme-typo",
    "embedgate workspaces delete acme --yes",
  );
}
