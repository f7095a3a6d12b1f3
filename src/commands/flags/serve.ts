/** Flags of `serve`, `reload`, `check`, `models` and `config`: what is about the routing file and the gateway that serves by it. */
import { type Command, InvalidArgumentError } from "commander";
import { COPY_COMMAND } from "../../processes/spawn";
import { config, examples, FILE_ARGUMENT, json, later, laterWithFile } from "./line";

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) throw new InvalidArgumentError("Expected a port from 0 to 65535.");
  return port;
}

export function serveCommands(program: Command): void {
  examples(
    program
      .command("serve", { isDefault: true })
      .argument(...FILE_ARGUMENT)
      .description("serve requests until SIGTERM or Ctrl-C; also what 'embedgate' without a command does")
      .addOption(config())
      .option("--host <address>", "address to listen on (default: the routing file's server.host, 127.0.0.1)")
      .option(
        "--port <number>",
        "port to listen on (default: the routing file's server.port, 8080)",
        parsePort,
      )
      .action(laterWithFile(async () => (await import("../serve")).serve)),
    "embedgate serve",
    "embedgate serve gateway.yaml --port 9000",
  );

  examples(
    program
      .command("reload")
      .argument(...FILE_ARGUMENT)
      .description("reload configuration and executable of a running gateway without downtime")
      .addOption(config())
      .action(laterWithFile(async () => (await import("../reload")).reload)),
    "embedgate reload",
    "embedgate reload /etc/embedgate/gateway.yaml",
  );

  program
    .command(COPY_COMMAND, { hidden: true })
    .action(later(async () => (await import("../../processes/copy")).serveAsCopy));

  examples(
    program
      .command("check")
      .argument(...FILE_ARGUMENT)
      .description("list everything that is wrong with a routing file; exits 1 if anything is")
      .addOption(config())
      .option("--strict", "exit 1 for notes too, such as a provider whose variable is not set")
      .option("--online", "also send one short text to each provider, once for each model of the file")
      .addOption(json())
      .action(laterWithFile(async () => (await import("../check")).check)),
    "embedgate check gateway.yaml",
    "embedgate check gateway.yaml --strict --json",
    "embedgate check --online",
  );

  examples(
    program
      .command("models")
      .argument(...FILE_ARGUMENT)
      .description("list models with a row for each route; with a gateway running, each route's state")
      .addOption(config())
      .option(
        "--url <url>",
        "address of the running gateway (default: the routing file's server.host and port)",
      )
      .option("--key <key>", "an admin key, to read states (default: EMBEDGATE_ADMIN_KEY in the environment)")
      .addOption(json())
      .action(laterWithFile(async () => (await import("../models")).listModels)),
    "embedgate models",
    "embedgate models gateway.yaml --json",
  );

  const about = examples(
    program.command("config").description("the routing file's format"),
    "embedgate config schema > routing-file.json",
    "embedgate config schema | grep -n coalesce_ms",
  );
  examples(
    about
      .command("schema")
      .description("print the JSON Schema of the routing file, with the options of each bundled plugin")
      .action(later(async () => (await import("../config")).printSchema)),
    "embedgate config schema > routing-file.json",
    "embedgate config schema | jq '.properties | keys'",
  );
}
