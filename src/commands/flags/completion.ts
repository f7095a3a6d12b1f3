/** Flags of `completion`. */
import { Argument, type Command } from "commander";
import type { SHELLS } from "../completion";
import { examples, later } from "./line";

export function completionCommand(program: Command): void {
  examples(
    program
      .command("completion")
      .addArgument(new Argument("<shell>", "your shell").choices(["bash", "zsh", "fish"]))
      .description("print a script that completes commands and options in your shell")
      .action(
        later(async () => {
          const { completion } = await import("../completion");
          return (shell: keyof typeof SHELLS) => completion(shell, program);
        }),
      ),
    "embedgate completion bash > /etc/bash_completion.d/embedgate",
    "embedgate completion fish > ~/.config/fish/completions/embedgate.fish",
  );
}
