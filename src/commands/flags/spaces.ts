/** Flags of `spaces list | show | export | forget`. */
import type { Command } from "commander";
import { config, examples, json, later } from "./line";

export function spacesCommands(program: Command): void {
  const spaces = examples(
    program.command("spaces").description("show, export and delete the measured embedding spaces"),
    "embedgate spaces list",
    "embedgate spaces forget text-embedding-3-small",
  );
  examples(
    spaces
      .command("list")
      .description("list the embedding spaces, and the provider that each was first measured at")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../spaces")).listSpaces)),
    "embedgate spaces list",
    "embedgate spaces list --json",
  );
  examples(
    spaces
      .command("show <space>")
      .description(
        "compare each route with its embedding space, by kind of text, and say what probably differs",
      )
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../spaces")).showSpace)),
    "embedgate spaces show text-embedding-3-small",
    "embedgate spaces show text-embedding-3-small --json",
  );
  examples(
    spaces
      .command("export")
      .description("print all reference vectors, for the file that space_fingerprints names")
      .addOption(config())
      .action(later(async () => (await import("../spaces")).exportSpaces)),
    "embedgate spaces export > fingerprints.json",
    "embedgate spaces export --config gateway.yaml > fingerprints.json",
  );
  examples(
    spaces
      .command("forget <space>")
      .description("delete the stored reference vectors; the next measurement becomes the reference")
      .addOption(json())
      .addOption(config())
      .action(later(async () => (await import("../spaces")).forgetSpace)),
    "embedgate spaces forget text-embedding-3-small",
    "embedgate spaces forget text-embedding-3-small --json",
  );
}
