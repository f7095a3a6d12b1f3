/**
 * What the flags of all commands share: common options, examples in --help, exit codes. A command's code is
 * loaded only when it runs. A new command is a file beside this one, and a line of program.ts.
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { parseList } from "../../terminal/amount";
import { parseDuration } from "../../terminal/duration";
import { WrongUsage } from "../../terminal/wrong-usage";

/** The exit codes of `embedgate`; docs/reference.md has this table. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [0, "the command did what it says"],
  [1, "it failed, or found something wrong: standard error says what"],
  [2, "wrong usage: an unknown command, option or argument, or one that is missing"],
  [3, "`embed` is done, but some rows have no vector: OUT.errors.jsonl says which"],
  [4, "`health`: nothing answers at the address"],
  [130, "interrupted with Ctrl-C; `bench` still prints its report, and `embed --resume` continues"],
];

export const WRONG_USAGE = 2;

export const config = () =>
  new Option(
    "--config <file>",
    "the routing file (default: ./gateway.yaml, else the built-in configuration)",
  );
export const json = () => new Option("--json", "print JSON");
export const csv = () => new Option("--csv", "print CSV").conflicts("json");
export const createDatabase = () =>
  new Option("--create-database", "create the database if there is none, and no routing file either");

/** --help shows its default as it is typed, such as 7d. */
export const duration = (flags: string, description: string, usual: string) =>
  new Option(flags, description).argParser(parseDuration).default(parseDuration(usual), usual);

/** Loads and runs a command, and sets the process's exit code. Loading on demand makes the gateway start sooner. */
export const later =
  <Arguments extends unknown[]>(load: () => Promise<(...args: Arguments) => Promise<number>>) =>
  async (...args: Arguments) => {
    process.exitCode = await (await load())(...args);
  };

interface WithConfig {
  readonly config?: string;
}

/** Like `later`, for a command that also takes the routing file as its argument. */
export const laterWithFile = <Options extends WithConfig>(
  load: () => Promise<(options: Options) => Promise<number>>,
) =>
  later(async () => {
    const work = await load();
    return (file: string | undefined, options: Options) => {
      if (file !== undefined && options.config !== undefined)
        throw new WrongUsage("Give the routing file once: as the argument or with --config.");
      return work(file === undefined ? options : { ...options, config: file });
    };
  });

export const FILE_ARGUMENT = ["[file]", "the routing file; the same as --config"] as const;

export interface Listed {
  /** The command to which this one belongs. */
  readonly parent: string;
  readonly name: string;
  readonly command: Command;
}

/** Every command that --help shows, with its subcommands. */
export function commandsOf(program: Command): readonly Listed[] {
  const help = program.createHelp();
  return help
    .visibleCommands(program)
    .filter((command) => command.name() !== "help")
    .flatMap((command) => [
      { parent: program.name(), name: command.name(), command },
      ...commandsOf(command),
    ]);
}

/** At least two, each a line that can be typed as it is. */
export function examples(command: Command, ...lines: readonly [string, string, ...string[]]): Command {
  return command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`);
}

/** One group or several: model, or model,day. */
export const by = <Group extends string>(what: string, known: readonly Group[], usual: readonly Group[]) =>
  new Option("--by <groups>", `${what}, separated by commas: ${known.join(", ")}`)
    .argParser((text) =>
      parseList(text).map((word) => {
        const group = known.find((one) => one === word);
        if (group === undefined) throw new InvalidArgumentError(`Expected some of ${known.join(", ")}.`);
        return group;
      }),
    )
    .default(usual, usual.join(","));
