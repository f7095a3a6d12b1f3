/**
 * All commands, by name, and the error for an unknown one. A new command is a line of `commandLine`.
 */
import type { Command } from "commander";
import { nearestName } from "../../domain/nearest";
import { WrongUsage } from "../../terminal/wrong-usage";
import { auditCommands } from "./audit";
import { backupCommands } from "./backup";
import { benchCommands } from "./bench";
import { checkCommand } from "./check";
import { completionCommand } from "./completion";
import { configCommands } from "./config";
import { creditsCommands } from "./credits";
import { databaseCommands } from "./database";
import { doctorCommand } from "./doctor";
import { embedCommands } from "./embed";
import { healthCommand } from "./health";
import { installCommands } from "./install";
import { invoiceCommand } from "./invoice";
import { keyCommands } from "./keys";
import { licensesCommand } from "./licenses";
import { modelsCommand } from "./models";
import { pluginCommands } from "./plugin";
import { requestsCommands } from "./requests";
import { embedgate, serveCommands } from "./serve";
import { spacesCommands } from "./spaces";
import { topCommand } from "./top";
import { usageCommand } from "./usage";
import { workspaceCommands } from "./workspaces";

export function commandLine(): Command {
  const program = embedgate();
  serveCommands(program);
  checkCommand(program);
  modelsCommand(program);
  topCommand(program);
  healthCommand(program);
  configCommands(program);
  keyCommands(program);
  workspaceCommands(program);
  creditsCommands(program);
  usageCommand(program);
  invoiceCommand(program);
  spacesCommands(program);
  auditCommands(program);
  requestsCommands(program);
  databaseCommands(program);
  embedCommands(program);
  benchCommands(program);
  pluginCommands(program);
  doctorCommand(program);
  backupCommands(program);
  installCommands(program);
  completionCommand(program);
  licensesCommand(program);
  return program;
}

/** `serve` is the default command, so commander would take an unknown command as its argument. @throws WrongUsage */
export function refuseUnknownCommand(program: Command, [first]: readonly string[]): void {
  if (first === undefined || first.startsWith("-") || first === "help") return;
  const names = program.commands.map((command) => command.name());
  if (names.includes(first)) return;
  const near = nearestName(first, names);
  const meant =
    near === undefined
      ? /[./]/.test(first)
        ? `to serve by a routing file: embedgate serve ${first}`
        : "embedgate --help lists the commands"
      : `Did you mean ${near}?`;
  throw new WrongUsage(`unknown command '${first}' (${meant})`);
}
