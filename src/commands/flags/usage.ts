/** Flags of `usage`, `invoice` and `spaces`: what the database knows of requests and of embedding spaces. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { INVOICE_GROUPS } from "../../books/statements";
import { USAGE_GROUPS } from "../../books/usage";
import { parseList, parsePair } from "../../terminal/amount";
import { config, csv, duration, examples, json, later } from "./line";

/** One group or several: model, or model,day. */
const by = <Group extends string>(what: string, known: readonly Group[], usual: readonly Group[]) =>
  new Option("--by <groups>", `${what}, separated by commas: ${known.join(", ")}`)
    .argParser((text) =>
      parseList(text).map((word) => {
        const group = known.find((one) => one === word);
        if (group === undefined) throw new InvalidArgumentError(`Expected some of ${known.join(", ")}.`);
        return group;
      }),
    )
    .default(usual, usual.join(","));

function parseMonth(text: string): string {
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(text))
    throw new InvalidArgumentError("Expected a month such as 2026-11.");
  return text;
}

export function usageCommands(program: Command): void {
  examples(
    program
      .command("usage")
      .description("sum up the ledger: requests, tokens and cost")
      .addOption(duration("--since <duration>", "how far back to look", "7d"))
      .addOption(by("what to group by", USAGE_GROUPS, ["model"]))
      .option("--workspace <workspace>", "only of this workspace")
      .option("--metadata <key=value>", "only requests with this metadata; repeat it for several", parsePair)
      .addOption(json())
      .addOption(csv())
      .addOption(config())
      .action(later(async () => (await import("../usage")).showUsage)),
    "embedgate usage",
    "embedgate usage --since 24h --by workspace,model --csv",
  );

  examples(
    program
      .command("invoice <workspace>")
      .description("what a workspace's month cost (UTC)")
      .option("--month <month>", "such as 2026-11 (default: this month)", parseMonth)
      .addOption(by("what to group by", INVOICE_GROUPS, ["day", "model"]))
      .addOption(json())
      .addOption(csv())
      .addOption(config())
      .action(later(async () => (await import("../invoice")).showInvoice)),
    "embedgate invoice acme",
    "embedgate invoice acme --month 2026-11 --by model --csv",
  );

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
