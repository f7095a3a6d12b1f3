/** Flags of `plugin init` and `plugin test`. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { examples, json, later } from "./line";

const collected = (text: string, before: readonly string[]) => {
  if (!/^[^=]+=/.test(text)) throw new InvalidArgumentError("Expected key=value.");
  return [...before, text];
};

export function pluginCommands(program: Command): void {
  const plugin = examples(
    program.command("plugin").description("start and test a plugin file"),
    "embedgate plugin init in-house.ts",
    "embedgate plugin test in-house.ts --option base_url=http://127.0.0.1:8000/v1",
  );
  examples(
    plugin
      .command("init <file>")
      .description("write a plugin to start from, and the types that it is checked by")
      .action(later(async () => (await import("../plugin-init")).initPlugin)),
    "embedgate plugin init in-house.ts",
    "embedgate plugin init plugins/in-house.ts",
  );
  examples(
    plugin
      .command("test <file>")
      .description(
        "test a plugin file by the suite that the bundled plugins pass; exits 1 if anything is wrong",
      )
      .option(
        "--option <key=value>",
        "an option of the plugin, or with =@file the file that holds it; repeat it for several",
        collected,
        [],
      )
      .option(
        "--option-env <key=variable>",
        "an option from an environment variable, so that others on this machine cannot see it",
        collected,
        [],
      )
      .option("--model <name>", "a model that its upstream serves")
      .option("--record <file>", "write what the upstream answers to a file, without keys")
      .addOption(
        new Option("--replay <file>", "answer from a recording instead of the upstream").conflicts("record"),
      )
      .option("--verbose", "list every check, not only those that failed")
      .addOption(json())
      .action(later(async () => (await import("../plugin-test")).testPlugin)),
    "embedgate plugin test in-house.ts --option base_url=http://127.0.0.1:8000/v1 --model my-model",
    "embedgate plugin test in-house.ts --option-env api_key=IN_HOUSE_KEY --verbose",
  );
}
