/** Flags of `bench`. */
import { type Command, Option } from "commander";
import { parseCount } from "../../terminal/amount";
import { examples, json, later } from "./line";

export function benchCommands(program: Command): void {
  examples(
    program
      .command("bench")
      .description(
        "measure any endpoint of OpenAI's embeddings API, and check its vectors; exits 1 if any is wrong",
      )
      .option(
        "--url <url>",
        "its base URL, such as https://api.openai.com/v1 (default: the gateway on this machine)",
      )
      .option(
        "--key <key>",
        "its API key (default: EMBEDGATE_BENCH_KEY, else OPENAI_API_KEY, in the environment)",
      )
      .option("--model <name>", "the model to ask for")
      .option("--inputs <count>", "texts per request", parseCount, 1)
      .option("--tokens <count>", "tokens per text, about", parseCount, 16)
      .option("--connections <count>", "requests in flight", parseCount, 8)
      .option("--seconds <count>", "how long (default: 10, or until all --requests are sent)", parseCount)
      .option(
        "--requests <count>",
        "how many requests at most, those that check vectors included; 0: only check the vectors",
        parseCount,
      )
      .option("--dimensions <count>", "the dimensions to ask for", parseCount)
      .addOption(
        new Option("--encoding <encoding>", "the encoding_format to ask for")
          .choices(["float", "base64"])
          .default("float"),
      )
      .addOption(json())
      .action(later(async () => (await import("../bench")).bench)),
    "embedgate bench",
    "embedgate bench --url https://api.openai.com/v1 --model text-embedding-3-small --requests 100",
  );
}
