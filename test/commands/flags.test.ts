/**
 * What --help says about every command, and that its examples are valid command lines. The files beside test what commands do.
 */
import { describe, expect, test } from "bun:test";
import type { Command } from "commander";
import { commandsOf } from "../../src/commands/flags/line";
import { commandLine, refuseUnknownCommand } from "../../src/commands/flags/program";

/** The help as a terminal of 80 columns shows it. */
function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

/** Splits a line like a shell, with quotes only. */
const wordsOf = (line: string) =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");

const LISTED = [{ parent: "", name: "embedgate", command: commandLine() }, ...commandsOf(commandLine())];

describe("--help", () => {
  test.each(LISTED.map(({ parent, name, command }) => [`${parent} ${name}`.trim(), command] as const))(
    "of %s has two examples at least, and they are taken",
    async (_, command) => {
      const lines = (helpOf(command).split("Examples:\n")[1] ?? "").trimEnd().split("\n");
      expect(lines.length).toBeGreaterThanOrEqual(2);
      for (const line of lines) {
        const [first, ...args] = wordsOf((line.split(/ [|>] /)[0] ?? "").trim());
        expect(first).toBe("embedgate");
        const program = commandLine();
        refuseUnknownCommand(program, args);
        let taken = 0;
        const count = () => {
          taken += 1;
        };
        for (const one of [program, ...commandsOf(program).map((listed) => listed.command)]) {
          one.exitOverride();
          if (one.commands.length === 0) one.action(count);
        }
        await program.parseAsync(args, { from: "user" });
        expect([line, taken]).toEqual([line, 1]);
      }
    },
  );

  test("shows defaults in the units that they are typed in", () => {
    const all = LISTED.map(({ command }) => helpOf(command)).join("\n");
    expect(all).toContain("(default: 7d)");
    expect(all).toContain("(default: 24h)");
    expect(all).not.toMatch(/default: \d{5,}/);
  });
});

describe("an unknown command", () => {
  test.each([
    [["serv"], "unknown command 'serv' (Did you mean serve?)"],
    [["worksapces", "list"], "Did you mean workspaces?"],
    [["gateway.yaml"], "to serve by a routing file: embedgate serve gateway.yaml"],
    [["nonsense"], "embedgate --help lists the commands"],
  ])("%j is told as one, not as an argument of serve", (args, words) => {
    expect(() => refuseUnknownCommand(commandLine(), args)).toThrow(words);
  });

  test("is none of these", () => {
    for (const args of [[], ["--port", "1"], ["help"], ["check"]]) refuseUnknownCommand(commandLine(), args);
  });
});
