/** Completion scripts in their shells: they offer what the definition of the commands has. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SHELLS, type Shell } from "../../src/commands/completion";
import { commandLine } from "../../src/commands/flags/program";
import { temporaryFolder } from "../serving";

/** In .ci/run all three are installed. */
const missing = (shell: Shell) => Bun.which(shell) === null;

function offered(shell: Shell, script: (file: string) => string): string[] {
  using folder = temporaryFolder();
  const file = join(folder.path, "completion");
  writeFileSync(file, SHELLS[shell](commandLine()));
  const { stdout, stderr } = Bun.spawnSync([shell, "-c", script(file)], { cwd: folder.path });
  expect(stderr.toString()).toBe("");
  return stdout.toString().trim().split("\n");
}

const bashWords =
  (...words: string[]) =>
  (file: string) =>
    `source ${file}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _embedgate; printf '%s\\n' "\${COMPREPLY[@]}"`;

test.skipIf(missing("bash"))("bash completes commands, commands below them, and options", () => {
  expect(offered("bash", bashWords("embedgate", "wor"))).toEqual(["workspaces"]);
  expect(offered("bash", bashWords("embedgate", "keys", "r"))).toEqual(["rotate", "revoke"]);
  expect(offered("bash", bashWords("embedgate", "keys", "create", "--ad"))).toEqual(["--admin"]);
  expect(offered("bash", bashWords("embedgate", "serve", "--config", "compl"))).toEqual(["completion"]);
  // A typed value is not a command.
  expect(offered("bash", bashWords("embedgate", "check", "--str"))).toEqual(["--strict"]);
});

test.skipIf(missing("fish"))("fish completes with descriptions", () => {
  const fish = (line: string) => (file: string) => `source ${file}; complete -C '${line}'`;
  expect(offered("fish", fish("embedgate wor"))).toEqual([expect.stringMatching(/^workspaces\t\w/)]);
  expect(offered("fish", fish("embedgate keys create --ad"))).toEqual([expect.stringMatching(/^--admin\t/)]);
});

test.skipIf(missing("zsh"))("zsh takes the script, and it describes every command", () => {
  const stubs = "compdef() { :; }; _files() { :; }; _describe() { print -l -- $offered; }";
  const zsh = (words: string) => (file: string) =>
    `${stubs}; source ${file}; words=(${words}); CURRENT=$#words; _embedgate`;
  const names = (lines: string[]) => lines.map((line) => line.split(":")[0]);
  expect(names(offered("zsh", zsh("embedgate w")))).toEqual(
    expect.arrayContaining(["serve", "workspaces", "--version"]),
  );
  expect(names(offered("zsh", zsh("embedgate keys create x")))).toEqual(
    expect.arrayContaining(["--name", "--admin"]),
  );
});
