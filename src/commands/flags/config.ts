/** Flags of `config schema`. */
import type { Command } from "commander";
import { examples, later } from "./line";

export function configCommands(program: Command): void {
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
