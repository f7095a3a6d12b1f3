/**
 * `embedgate completion bash|zsh|fish`: prints a completion script, made from the definition of the commands. A new shell is a member of
 * SHELLS, and a case in test/commands/completion.test.ts.
 */
import type { Command, Option } from "commander";

export const SHELLS = { bash, zsh, fish } as const;
export type Shell = keyof typeof SHELLS;

export async function completion(shell: Shell, program: Command): Promise<number> {
  process.stdout.write(SHELLS[shell](program));
  return 0;
}

interface Place {
  /** The words before this one, such as "keys create"; "" for the program. */
  readonly path: string;
  readonly commands: readonly (readonly [name: string, description: string])[];
  readonly options: readonly Option[];
}

function nodesOf(command: Command, path = ""): readonly Place[] {
  const help = command.createHelp();
  const below = help.visibleCommands(command).filter((one) => one.name() !== "help");
  const here = {
    path,
    commands: below.map((one) => [one.name(), one.description()] as const),
    options: help.visibleOptions(command),
  };
  return [here, ...below.flatMap((one) => nodesOf(one, `${path} ${one.name()}`.trim()))];
}

const isFlag = (option: Option) => !option.required && !option.optional;
const namesOf = ({ short, long }: Option) => [short, long].filter((name) => name !== undefined);

/** Offers file names after an option that takes a value, and where nothing else fits. */
function bash(program: Command): string {
  const nodes = nodesOf(program);
  const words = ({ path, commands, options }: Place) =>
    `    "${path}") words="${[...commands.map(([name]) => name), ...options.flatMap(namesOf)].join(" ")}" ;;`;
  const parents = nodes.filter(({ commands }) => commands.length > 0);
  const below = parents.flatMap(({ path, commands }) => commands.map(([name]) => `"${path}:${name}"`));
  const valued = new Set(
    nodes.flatMap(({ options }) => options.filter((one) => !isFlag(one)).flatMap(namesOf)),
  );
  return `# bash completion of embedgate
_embedgate() {
  local word path="" words="" i current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$path:$word" in
    ${below.join("|")}) path="\${path:+$path }$word" ;;
    esac
  done
  case "\${COMP_WORDS[COMP_CWORD - 1]}" in
  ${[...valued].join("|")}) mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
  esac
  case "$path" in
${nodes.map(words).join("\n")}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  [[ \${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$current")
}
complete -o filenames -F _embedgate embedgate
`;
}

/** In single quotes, which zsh and fish take literally. */
const quoted = (text: string, instead = "'\\''") => `'${text.replaceAll("'", instead)}'`;

function zsh(program: Command): string {
  const described = (name: string, description: string) =>
    quoted(`${name.replaceAll(":", "\\:")}:${description}`);
  const cases = nodesOf(program).map(({ path, commands, options }) =>
    [
      `    ${quoted(path)})`,
      "      offered=(",
      ...commands.map(([name, description]) => `        ${described(name, description)}`),
      ...options.flatMap((option) =>
        namesOf(option).map((name) => `        ${described(name, option.description)}`),
      ),
      "      ) ;;",
    ].join("\n"),
  );
  const below = nodesOf(program).flatMap(({ path, commands }) =>
    commands.map(([name]) => quoted(`${path}:${name}`)),
  );
  return `#compdef embedgate
# zsh completion of embedgate
_embedgate() {
  local path_now='' word
  local -a offered
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$path_now:$word" in
    ${below.join("|")}) path_now="\${path_now:+$path_now }$word" ;;
    esac
  done
  case "$path_now" in
${cases.join("\n")}
  esac
  _describe 'embedgate' offered
  _files
}
if [ "$funcstack[1]" = "_embedgate" ]; then _embedgate "$@"; else compdef _embedgate embedgate; fi
`;
}

function fish(program: Command): string {
  const text = (words: string) => quoted(words.replaceAll("\\", "\\\\"), "\\'");
  const lines = nodesOf(program).flatMap(({ path, commands, options }) => {
    const when = `-n ${text(`test (__embedgate_path) = "${path}"`)}`;
    return [
      ...commands.map(
        ([name, description]) => `complete -c embedgate -f ${when} -a ${name} -d ${text(description)}`,
      ),
      ...options.map((option) => {
        const names = [
          option.short ? `-s ${option.short.slice(1)}` : "",
          option.long ? `-l ${option.long.slice(2)}` : "",
          isFlag(option) ? "" : "-r",
        ].filter(Boolean);
        return `complete -c embedgate ${when} ${names.join(" ")} -d ${text(option.description)}`;
      }),
    ];
  });
  const below = nodesOf(program).flatMap(({ path, commands }) =>
    commands.map(([name]) => text(`${path}:${name}`)),
  );
  return `# fish completion of embedgate
function __embedgate_path
  set -l path ''
  for word in (commandline -opc)[2..-1]
    switch "$path:$word"
      case ${below.join(" ")}
        set path (string trim "$path $word")
    end
  end
  echo "$path"
end
${lines.join("\n")}
`;
}
