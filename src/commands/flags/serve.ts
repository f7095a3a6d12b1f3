/** Flags of `embedgate` itself, of `serve` and `reload`. A start reads this file only, not those of the other commands. */
import { Command, InvalidArgumentError } from "commander";
import packageJson from "../../../package.json";
import { isServe } from "../../machine/collector-options";
import { COPY_COMMAND } from "../../processes/spawn";
import { config, examples, FILE_ARGUMENT, later, laterWithFile } from "./line";

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) throw new InvalidArgumentError("Expected a port from 0 to 65535.");
  return port;
}

/** Without any command yet. */
export const embedgate = () =>
  examples(
    new Command("embedgate")
      .description("An embeddings gateway in one executable, with a real model inside.")
      .usage("[command] [options]\n\nWithout a command it serves: 'embedgate' is 'embedgate serve'.")
      .version(packageJson.version)
      // Without this, commander exits with 1 for everything.
      .exitOverride(),
    "embedgate",
    "embedgate check gateway.yaml",
    "embedgate keys create --name laptop",
  );

/** Whether the commands of this file are enough: others are only run, listed by --help, or named as what was meant. */
export const isStart = (args: readonly string[]): boolean =>
  (isServe(args) || args[0] === COPY_COMMAND) && !args.some((word) => word === "-h" || word === "--help");

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
      .option("--upgrade", "fail unless the executable is replaced too")
      .action(laterWithFile(async () => (await import("../reload")).reload)),
    "embedgate reload",
    "embedgate reload /etc/embedgate/gateway.yaml",
  );

  program
    .command(COPY_COMMAND, { hidden: true })
    .action(later(async () => (await import("../../processes/copy")).serveAsCopy));
}
