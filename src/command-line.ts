/**
 * The command line: argv → one command of src/commands/, its exit code, and any error in one line.
 * Flags are in src/commands/flags/, a file for each command.
 */
import { type Command, CommanderError } from "commander";
import { WRONG_USAGE } from "./commands/flags/line";
import { embedgate, isStart, serveCommands } from "./commands/flags/serve";
import { GatewayError } from "./domain/errors";
import { WrongUsage } from "./terminal/wrong-usage";

/** The executable starts with a delayed JIT (.ci/build.ts), as a start runs most code once. After this time the delay ends. */
const START_MS = 100;

export async function main(args: readonly string[]): Promise<void> {
  setTimeout(() => Bun.unsafe.setJITPolicy(1), START_MS).unref();
  try {
    const program = isStart(args) ? serving() : await allCommands(args);
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has printed its message; help and version are not errors.
      process.exitCode = error.exitCode === 0 ? 0 : WRONG_USAGE;
    } else if (error instanceof WrongUsage) {
      console.error(`error: ${error.message}`);
      process.exitCode = WRONG_USAGE;
    } else if (error instanceof GatewayError) {
      console.error(error.message);
      process.exitCode = 1;
    } else throw error;
  }
}

function serving(): Command {
  const program = embedgate();
  serveCommands(program);
  return program;
}

async function allCommands(args: readonly string[]): Promise<Command> {
  const { commandLine, refuseUnknownCommand } = await import("./commands/flags/program");
  const program = commandLine();
  refuseUnknownCommand(program, args);
  return program;
}
