/**
 * The command line: argv → one command of src/commands/, its exit code, and any error in one line.
 * A new command is a file there and a few lines here.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import packageJson from "../package.json";
import { check } from "./commands/check";
import { parseDuration } from "./commands/duration";
import { createKey, listKeys, revokeKey, rotateKey } from "./commands/keys";
import { listModels } from "./commands/models";
import { serve } from "./commands/serve";
import { forgetSpace, listSpaces } from "./commands/spaces";
import { showUsage } from "./commands/usage";
import { GatewayError } from "./errors";
import { DEFAULT_WORKSPACE } from "./keys";
import { USAGE_GROUPS } from "./usage";

const config = () =>
  new Option("--config <file>", "the routing file (default: ./gateway.yaml, else the built-in one)");
const json = () => new Option("--json", "print JSON");

/** A command's work gives the process its exit code. */
const exitWith =
  <Arguments extends unknown[]>(work: (...args: Arguments) => Promise<number>) =>
  async (...args: Arguments) => {
    process.exitCode = await work(...args);
  };

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) throw new InvalidArgumentError("Expected a port from 0 to 65535.");
  return port;
}

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
    .action(exitWith(serve));

  program
    .command("check")
    .description("say all that is wrong with a routing file; exits 1 if anything is")
    .addOption(config())
    .action(exitWith(check));

  program
    .command("models")
    .description("list the models that the routing file serves")
    .addOption(config())
    .addOption(json())
    .action(exitWith(listModels));

  const keys = program.command("keys").description("make, list, rotate and revoke API keys");
  keys
    .command("create")
    .description("make a key and show its secret, once")
    .requiredOption("--name <name>", "what the key is for")
    .option("--workspace <workspace>", "whom its usage belongs to", DEFAULT_WORKSPACE)
    .option("--admin", "let it read /metrics too")
    .addOption(json())
    .addOption(config())
    .action(exitWith(createKey));
  keys
    .command("list")
    .description("list all keys")
    .addOption(json())
    .addOption(config())
    .action(exitWith(listKeys));
  keys
    .command("rotate <id>")
    .description("make a new secret for a key and show it, once")
    .option("--grace <duration>", "how long the old secret still works", parseDuration, parseDuration("24h"))
    .addOption(json())
    .addOption(config())
    .action(exitWith(rotateKey));
  keys
    .command("revoke <id>")
    .description("end a key at once")
    .addOption(json())
    .addOption(config())
    .action(exitWith(revokeKey));

  const spaces = program.command("spaces").description("show and forget the measured embedding spaces");
  spaces
    .command("list")
    .description("list the spaces and who they were first measured at")
    .addOption(json())
    .addOption(config())
    .action(exitWith(listSpaces));
  spaces
    .command("forget <space>")
    .description("take a space as it is now: a model was changed on purpose")
    .addOption(json())
    .addOption(config())
    .action(exitWith(forgetSpace));

  program
    .command("usage")
    .description("sum up the ledger")
    .option("--since <duration>", "how far back to look", parseDuration, parseDuration("7d"))
    .addOption(new Option("--by <group>", "what to sum by").choices(USAGE_GROUPS).default("model"))
    .addOption(json())
    .addOption(new Option("--csv", "print CSV").conflicts("json"))
    .addOption(config())
    .action(exitWith(showUsage));

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
