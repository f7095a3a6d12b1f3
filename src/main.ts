/**
 * The command line: argv → one command of src/commands/, its exit code, and any error in one line.
 * A new command is a file there and a few lines here.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import packageJson from "../package.json";
import { USAGE_GROUPS } from "./books/usage";
import { DEFAULT_WORKSPACE } from "./callers/keys";
import type { BenchOptions } from "./commands/bench";
import { parseInvoiceGroups } from "./commands/invoice";
import { parseGroups } from "./commands/usage";
import { parseSettingNames } from "./commands/workspaces";
import { DIALECTS } from "./dialects/records";
import { GatewayError } from "./domain/errors";
import { COPY_COMMAND } from "./processes/spawn";
import { parseBalance, parseCount, parseCredits, parseList, parsePair, parseUsd } from "./terminal/amount";
import { parseDuration } from "./terminal/duration";

const config = () =>
  new Option("--config <file>", "the routing file (default: ./gateway.yaml, else the built-in one)");
const json = () => new Option("--json", "print JSON");

/** A command's work gives the process its exit code. */
const exitWith =
  <Arguments extends unknown[]>(work: (...args: Arguments) => Promise<number>) =>
  async (...args: Arguments) => {
    process.exitCode = await work(...args);
  };

/** As `exitWith`, of a command that is loaded when it is given: the others need not be, and the gateway starts sooner. */
const later = <Arguments extends unknown[]>(load: () => Promise<(...args: Arguments) => Promise<number>>) =>
  exitWith(async (...args: Arguments) => (await load())(...args));

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) throw new InvalidArgumentError("Expected a port from 0 to 65535.");
  return port;
}

/** What `workspaces create` and `set` have in common. */
function withSettings(command: Command): Command {
  return command
    .option("--models <ids>", "models it may use, with commas between them; * stands for any text", parseList)
    .option("--requests-per-minute <count>", "requests it may send in a minute", parseCount)
    .option("--tokens-per-minute <count>", "tokens it may send in a minute", parseCount)
    .option("--cap-usd-per-day <usd>", "USD it may spend in a day (UTC)", parseUsd)
    .option("--cap-usd-per-month <usd>", "USD it may spend in a month", parseUsd)
    .option("--credits <credits>", "what it has, or unlimited", parseBalance)
    .addOption(new Option("--dialect <dialect>", "the wire that it speaks").choices(Object.keys(DIALECTS)))
    .option(
      "--policy <name=value>",
      "a policy of its wire; given again for each, they replace what was set",
      parsePair,
    )
    .addOption(json())
    .addOption(config());
}

const collected = (text: string, before: readonly string[]) => {
  if (!/^[^=]+=/.test(text)) throw new InvalidArgumentError("Expected key=value.");
  return [...before, text];
};

function commandLine(): Command {
  const program = new Command("embedgate")
    .description("An embeddings gateway in one executable, with a real model inside.")
    .version(packageJson.version);

  program
    .command("serve", { isDefault: true })
    .description("answer requests until a signal ends it")
    .addOption(config())
    .option("--host <address>", "the address to listen on")
    .option("--port <number>", "the port to listen on", parsePort)
    .action(later(async () => (await import("./commands/serve")).serve));

  program
    .command("reload")
    .description(
      "have a running gateway take its routing file and its executable as they are now, without a pause",
    )
    .addOption(config())
    .action(later(async () => (await import("./commands/reload")).reload));

  program.command(COPY_COMMAND, { hidden: true }).action(
    exitWith(async () => {
      const { serveAsCopy } = await import("./processes/copy");
      return serveAsCopy();
    }),
  );

  program
    .command("check")
    .description("say all that is wrong with a routing file; exits 1 if anything is")
    .addOption(config())
    .action(later(async () => (await import("./commands/check")).check));

  program
    .command("models")
    .description("list the models that the routing file serves")
    .addOption(config())
    .addOption(json())
    .action(later(async () => (await import("./commands/models")).listModels));

  const keys = program.command("keys").description("make, list, rotate and revoke API keys");
  keys
    .command("create")
    .description("make a key and show its secret, once")
    .requiredOption("--name <name>", "what the key is for")
    .option("--workspace <workspace>", "whom its usage belongs to", DEFAULT_WORKSPACE)
    .option("--admin", "let it read /metrics too")
    .addOption(json())
    .addOption(config())
    .action(later(async () => (await import("./commands/keys")).createKey));
  keys
    .command("list")
    .description("list all keys")
    .addOption(json())
    .addOption(config())
    .action(later(async () => (await import("./commands/keys")).listKeys));
  keys
    .command("rotate <id>")
    .description("make a new secret for a key and show it, once")
    .option("--grace <duration>", "how long the old secret still works", parseDuration, parseDuration("24h"))
    .addOption(json())
    .addOption(config())
    .action(later(async () => (await import("./commands/keys")).rotateKey));
  keys
    .command("revoke <id>")
    .description("end a key at once")
    .addOption(json())
    .addOption(config())
    .action(later(async () => (await import("./commands/keys")).revokeKey));

  const workspaces = program.command("workspaces").description("make, change and show workspaces");
  withSettings(workspaces.command("create <name>"))
    .description("make a workspace; what is not said is as workspace_defaults has it")
    .action(later(async () => (await import("./commands/workspaces")).createWorkspace));
  withSettings(workspaces.command("set <name>"))
    .description("change what is said, at once, also for a running gateway")
    .option(
      "--unset <settings>",
      "as workspace_defaults has it again, several with commas",
      parseSettingNames,
    )
    .action(later(async () => (await import("./commands/workspaces")).setWorkspace));
  workspaces
    .command("list")
    .description("list all workspaces, with credits and spending")
    .addOption(json())
    .addOption(config())
    .action(later(async () => (await import("./commands/workspaces")).listWorkspaces));
  workspaces
    .command("show <name>")
    .description("show a workspace, and where each of its settings comes from")
    .addOption(json())
    .addOption(config())
    .action(later(async () => (await import("./commands/workspaces")).showWorkspace));

  const credits = program.command("credits").description("grant and show credits");
  credits
    .command("grant")
    .argument("<workspace>")
    .argument("<amount>", "credits; a negative amount takes them back", parseCredits)
    .description("add credits to a balance, or take them back")
    .option("--note <text>", "what for", "")
    .option("--limit", "give a workspace without a limit this balance")
    .addOption(json())
    .addOption(config())
    .action(later(async () => (await import("./commands/credits")).grantCredits));
  credits
    .command("show <workspace>")
    .description("show a balance")
    .addOption(json())
    .addOption(config())
    .action(later(async () => (await import("./commands/credits")).showCredits));
  credits
    .command("history <workspace>")
    .description("every grant, and what requests took, day by day")
    .addOption(json())
    .addOption(config())
    .action(later(async () => (await import("./commands/credits")).showHistory));

  program
    .command("invoice <workspace>")
    .description("what a month came to (UTC)")
    .requiredOption("--month <month>", "such as 2026-11")
    .option("--by <groups>", "a line for each day, model, or day,model", parseInvoiceGroups, ["day", "model"])
    .addOption(json())
    .addOption(new Option("--csv", "print CSV").conflicts("json"))
    .addOption(config())
    .action(later(async () => (await import("./commands/invoice")).showInvoice));

  const spaces = program
    .command("spaces")
    .description("show, export and forget the measured embedding spaces");
  spaces
    .command("list")
    .description("list the spaces and who they were first measured at")
    .addOption(json())
    .addOption(config())
    .action(later(async () => (await import("./commands/spaces")).listSpaces));
  spaces
    .command("show <space>")
    .description("show how alike each route is to its space, by kind of text, and what probably differs")
    .addOption(json())
    .addOption(config())
    .action(later(async () => (await import("./commands/spaces")).showSpace));
  spaces
    .command("export")
    .description("print all fingerprints, for the file that space_fingerprints names")
    .addOption(config())
    .action(later(async () => (await import("./commands/spaces")).exportSpaces));
  spaces
    .command("forget <space>")
    .description("take a space as it is now: a model was changed on purpose")
    .addOption(json())
    .addOption(config())
    .action(later(async () => (await import("./commands/spaces")).forgetSpace));

  program
    .command("usage")
    .description("sum up the ledger")
    .option("--since <duration>", "how far back to look", parseDuration, parseDuration("7d"))
    .option("--by <groups>", `what to sum by, several with commas: ${USAGE_GROUPS.join(", ")}`, parseGroups, [
      "model",
    ])
    .option("--workspace <workspace>", "only this one's")
    .option("--metadata <key=value>", "only requests with this metadata; may be given again", parsePair)
    .addOption(json())
    .addOption(new Option("--csv", "print CSV").conflicts("json"))
    .addOption(config())
    .action(later(async () => (await import("./commands/usage")).showUsage));

  program
    .command("bench")
    .description(
      "measure any endpoint of OpenAI's embeddings API, and check its vectors; exits 1 if any is wrong",
    )
    .option(
      "--url <url>",
      "its base URL, such as https://api.openai.com/v1 (default: the gateway on this machine)",
    )
    .option(
      "--key <key>",
      "its API key (default: EMBEDGATE_BENCH_KEY, else OPENAI_API_KEY, in the environment)",
    )
    .option("--model <name>", "the model that is asked for")
    .option("--inputs <count>", "texts in a request", parseCount, 1)
    .option("--tokens <count>", "about how many tokens each text has", parseCount, 16)
    .option("--connections <count>", "requests under way at once", parseCount, 8)
    .option("--seconds <count>", "how long (default: 10, or until all --requests were sent)", parseCount)
    .option("--requests <count>", "how many requests at most; 0 only checks the vectors", parseCount)
    .option("--dimensions <count>", "the size of vector that is asked for", parseCount)
    .addOption(
      new Option("--encoding <encoding>", "how vectors are sent")
        .choices(["float", "base64"])
        .default("float"),
    )
    .addOption(json())
    .action(exitWith(async (options: BenchOptions) => (await import("./commands/bench")).bench(options)));

  const plugin = program.command("plugin").description("for whoever writes a plugin");
  plugin
    .command("test <file>")
    .description(
      "judge a plugin file by the suite that the gateway's own plugins pass; exits 1 if anything is wrong",
    )
    .option(
      "--option <key=value>",
      "one of the plugin's own options, or with =@file the file that it stands in; may be given again",
      collected,
      [],
    )
    .option(
      "--option-env <key=variable>",
      "an option by the variable that it stands in, which nobody else sees; may be given again",
      collected,
      [],
    )
    .option("--model <name>", "a model that its upstream answers for")
    .option("--record <file>", "write down what the upstream answers, without keys")
    .addOption(new Option("--replay <file>", "answer from what was written down").conflicts("record"))
    .addOption(json())
    .action(later(async () => (await import("./commands/plugin-test")).testPlugin));

  return program;
}

async function main(): Promise<void> {
  try {
    await commandLine().parseAsync();
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

main();
