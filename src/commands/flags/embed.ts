/** Flags of `embed`: bulk jobs. */
import { type Command, Option } from "commander";
import { INPUT_FORMATS } from "../../jobs/formats";
import { parseCount, parseUsd } from "../../terminal/amount";
import { config, examples, later } from "./line";

export function embedCommands(program: Command): void {
  examples(
    program
      .command("embed <in...>")
      .description(
        "embed files into a file of vectors: row i of the output is row i of the input; exits 3 if a row has no vector",
      )
      .requiredOption("--model <name>", "the model to ask for")
      .requiredOption("--out <file>", "where the vectors go: .npy, .parquet, .jsonl or .f32")
      .option("--field <path>", "the column, or in JSON Lines the dotted path, that holds the text", "text")
      .addOption(
        new Option(
          "--input-format <format>",
          "how the input is read (default: by its ending, else lines)",
        ).choices(INPUT_FORMATS),
      )
      .addOption(
        new Option("--dtype <type>", "numbers of a .npy file (default: f32)").choices(["f32", "f16"]),
      )
      .option("--dimensions <count>", "the dimensions to ask for", parseCount)
      .option("--input-type <type>", "what the embeddings are for, as the request field input_type")
      .addOption(
        new Option("--prompt <name>", "what the texts are: queries or documents").choices([
          "query",
          "document",
        ]),
      )
      .option("--concurrency <count>", "calls in flight", parseCount, 8)
      .option("--max-usd <usd>", "stop before the job costs more", parseUsd)
      .option("--dry-run", "say what it would cost, and send nothing")
      .option("--resume", "continue a run that was not finished")
      .option("--overwrite", "replace the output, or a run on it that was not finished")
      .option("--workspace <workspace>", "the workspace that its usage belongs to (default: default)")
      .option("--url <url>", "ask this gateway instead, such as http://127.0.0.1:8080/v1")
      .option("--key <key>", "its API key (default: EMBEDGATE_KEY in the environment)")
      .addOption(
        new Option("--via <way>", "with --url: live requests, or the Batch API there, which may be cheaper")
          .choices(["live", "batch"])
          .default("live"),
      )
      .addOption(config())
      .action(later(async () => (await import("../embed")).embed)),
    "embedgate embed texts.jsonl --model all-MiniLM-L6-v2 --out vectors.npy --dry-run",
    "embedgate embed texts.jsonl --model all-MiniLM-L6-v2 --out vectors.npy",
  );
}
